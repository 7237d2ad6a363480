"""The benchmark of measuring compares like with like: its loops find what our tools find."""

from __future__ import annotations

import numpy as np
import pytest

from evals.bench.measure import measure
from evals.bench.measure_baseline import scipy_loop
from evals.bench.measure_case import STRUCTURES, lesion_classes, make_large


@pytest.mark.slow
def test_the_loop_and_our_tools_measure_the_same() -> None:
    large = make_large((96, 96, 60))
    names = [name for name in large.names if (large.labels == large.names[name]).any()]
    evidence = {(one.target, one.quantity): one for one in measure(large, names)}
    rows = scipy_loop(large, names, lesion_classes())
    sizes = []
    for name, row in rows.items():
        assert evidence[name, "hu_mean"].value == pytest.approx(row["mean"], abs=1e-3)
        assert evidence[name, "hu_sd"].value == pytest.approx(row["sd"], abs=1e-3)
        assert evidence[name, "hu_median"].value == row["median"]
        if name in lesion_classes():
            assert evidence[name, "volume"].value == pytest.approx(row["volume"])
            # Theirs are distances between the centres of pixels, ours reach their edges.
            longest = max(one["axis"] for one in row["lesions"])
            longer = evidence[name, "longest_lesion_axis"].value
            assert isinstance(longer, float)
            assert longest < longer < longest + 2 * 410 / 96
            sizes += [one["volume"] for one in row["lesions"]]
    listed = [float(str(one.value)) for (_, quantity), one in evidence.items() if quantity == "lesion"]
    assert sorted(listed) == pytest.approx(sorted(size for size in sizes if size >= 0.05))


def test_the_scan_holds_what_the_benchmark_says() -> None:
    large = make_large((128, 128, 100))
    again = make_large((128, 128, 100))
    assert np.array_equal(large.hu, again.hu)
    assert np.array_equal(large.labels, again.labels)
    assert len(STRUCTURES) == 60
    counts = np.bincount(large.labels.ravel(), minlength=256)
    assert all(counts[value] for value in large.names.values())
    boxes = list(large.case().labels.boxes.values())  # type: ignore[union-attr]
    overlapping = sum(
        all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))
        for at, one in enumerate(boxes)
        for other in boxes[:at]
    )
    assert overlapping > len(boxes)
