"""Width of the caudate lobe over that of the right lobe, on analytic boxes and in every order of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.case_make import affine_of, boxes_case, case_of, orders, reorder, run
from tools.types import State

SIZE = (60, 30, 16)
# Left is −x: the right lobe has the larger index in RAS+.
CAUDATE = [(slice(8, 20), slice(4, 10), slice(4, 7)), (slice(8, 26), slice(4, 10), slice(7, 9))]
RIGHT = {
    "liver_segment_5": (slice(26, 50), slice(4, 14), slice(3, 6)),
    "liver_segment_6": (slice(50, 56), slice(4, 14), slice(3, 6)),
    "liver_segment_7": (slice(46, 50), slice(4, 20), slice(6, 12)),
    "liver_segment_8": (slice(26, 46), slice(4, 20), slice(6, 12)),
}
BOXES: dict[str, Any] = {"liver_segment_1": CAUDATE, **RIGHT}


def ratio(case: Any) -> Any:
    return run(case, "caudate_ratio")["caudate_width_ratio"]


def test_it_is_taken_where_the_caudate_is_widest() -> None:
    one = ratio(boxes_case(SIZE, BOXES, spacing=(1.5, 1.0, 3.0)))
    assert (one.state, one.unit) == (State.MEASURED, "1")
    assert one.value == pytest.approx(18 / 24)
    assert (one.details["caudate_mm"], one.details["right_mm"]) == (27.0, 36.0)
    assert one.slice == 7
    assert one.uncertainty == pytest.approx(np.hypot(1 / 24, 18 / 24 / 24), abs=1e-5)


def test_every_order_gives_the_same() -> None:
    affine = affine_of((1.5, 1.2, 3.0), SIZE, turn=(6, -9, 15), shear=5.0)
    labels = np.zeros(SIZE, np.uint8)
    numbers = {name: value for value, name in enumerate(BOXES, start=1)}
    for name, where in BOXES.items():
        for box in where if isinstance(where, list) else [where]:
            labels[box] = numbers[name]
    hu = np.where(labels > 0, 50, -80).astype(np.int16)
    seen = set()
    for order in orders():
        moved, new = reorder(hu, affine, order)
        one = ratio(case_of(moved, reorder(labels, affine, order)[0], new, numbers))
        seen.add((one.state, one.value, one.uncertainty))
    assert len(seen) == 1
    # a width along the patient's right to left, not along the rows of the grid
    across = np.abs(affine[0, :2])
    (_, value, _), *_ = seen
    caudate = 18 * across[0] + 6 * across[1]
    right = 24 * across[0] + 16 * across[1]
    assert value == pytest.approx(caudate / right, rel=1e-5)


def test_the_states() -> None:
    no_caudate = {name: box for name, box in BOXES.items() if name != "liver_segment_1"}
    assert ratio(boxes_case(SIZE, no_caudate)).state is State.NOT_ASSESSED
    partly = {name: box for name, box in BOXES.items() if name != "liver_segment_7"}
    found = ratio(boxes_case(SIZE, partly))
    assert (found.state, found.value) == (State.NOT_MEASURABLE, None)
    cut = {**BOXES, "liver_segment_6": (slice(50, 60), slice(4, 14), slice(3, 6))}
    found = ratio(boxes_case(SIZE, cut))
    assert (found.state, found.value) == (State.NOT_MEASURABLE, None)
    assert "cut off" in found.reason
    low = {**BOXES, "liver_segment_1": [(slice(8, 20), slice(4, 10), slice(12, 14))]}
    assert ratio(boxes_case(SIZE, low)).state is State.NOT_MEASURABLE
    assert ratio(boxes_case(SIZE, {"spleen": RIGHT["liver_segment_5"]})).state is State.NOT_ASSESSED
