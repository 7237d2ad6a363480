"""Do these labels belong to this scan?

World boxes of two patients often overlap, and a file may carry a wrong orientation. What gives it away are the
HU under the labels: organs that lie in fat or in air, bones without bone. Each structure whose tissue is known is
judged by itself; the map is refused when too many of them fail together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import LabelsError
from tools.ontology import load_ontology
from tools.volume import Grid, LabelSet, Scan

SAMPLED_VOXELS = 8_000_000
LEAST_VOXELS = 50
"""Structures with fewer sampled voxels are mostly partial volume and are not judged."""
SOFT_MEDIAN_HU = -50.0
"""Fat lies at about -100 HU, every organ's median above -50 HU except in severe lipomatosis."""
BONE_UPPER_QUARTILE_HU = 110.0
"""Muscle stays below about 80 HU; osteoporotic vertebrae still have a quarter of their voxels above 110 HU."""
AIR_MEDIAN_HU = -300.0
REFUSED_SHARE = 0.25
NAMED_IN_NOTE = 4
"""Up to so many structures are named in a note."""


@dataclass(frozen=True)
class Sample:
    """HU of one structure.

    Attributes:
        structure: canonical id.
        tissue: soft, bone or air.
        median: median HU.
        upper: upper quartile in HU.
    """

    structure: str
    tissue: str
    median: float
    upper: float

    @property
    def plausible(self) -> bool:
        """Whether the HU can be those of the tissue."""
        if self.tissue == "bone":
            return self.upper >= BONE_UPPER_QUARTILE_HU
        return self.median <= AIR_MEDIAN_HU if self.tissue == "air" else self.median >= SOFT_MEDIAN_HU


def check_fit(scan: Scan, labels: LabelSet) -> tuple[str, ...]:
    """Judge whether labels fit the scan, and return notes on single structures that don't.

    Raises:
        LabelsError: if a quarter or more of the judged structures (all of them where there are fewer than four)
            lie in a tissue that they cannot consist of, or if left and right are exchanged throughout.
    """
    samples, centres = _sample(scan, labels)
    failed = [sample for sample in samples if not sample.plausible]
    if failed and _refused(samples, failed):
        worst = max(failed, key=_distance)
        name = load_ontology().get(worst.structure).name
        raise LabelsError(
            f"The labels do not fit this scan: {len(failed)} of {len(samples)} structures lie in the wrong tissue "
            f"(the {name} has a median of {worst.median:.0f} HU); give the label map of this scan, and check its "
            "orientation."
        )
    notes = [_note(failed)] if failed else []
    return (*notes, *_check_sides(centres))


def _refused(samples: list[Sample], failed: list[Sample]) -> bool:
    # One opaque lung is disease; only lungs that are opaque throughout speak of another scan.
    airy = [sample for sample in samples if sample.tissue == "air"]
    if not all(sample in failed for sample in airy):
        samples = [sample for sample in samples if sample.tissue != "air"]
        failed = [sample for sample in failed if sample.tissue != "air"]
    if len(samples) < 4:
        return len(failed) == len(samples) > 0 and any(_distance(sample) > 50 for sample in failed)
    return len(failed) >= REFUSED_SHARE * len(samples)


def _distance(sample: Sample) -> float:
    """How far in HU a structure is from what its tissue allows."""
    if sample.tissue == "bone":
        return BONE_UPPER_QUARTILE_HU - sample.upper
    return sample.median - AIR_MEDIAN_HU if sample.tissue == "air" else SOFT_MEDIAN_HU - sample.median


def _note(failed: list[Sample]) -> str:
    ontology = load_ontology()
    named = sorted(failed, key=_distance, reverse=True)
    listed = ", ".join(f"{ontology.get(s.structure).name} ({s.median:.0f} HU)" for s in named[:NAMED_IN_NOTE])
    more = f" and {len(named) - NAMED_IN_NOTE} more" if len(named) > NAMED_IN_NOTE else ""
    return f"the median HU under these labels is unusual for their tissue: {listed}{more}"


def _sample(scan: Scan, labels: LabelSet) -> tuple[list[Sample], dict[str, float]]:
    """HU samples of the structures with a known tissue, and the left-right centre (world mm) of sided ones."""
    ontology = load_ontology()
    owner = {key: ident for ident, keys in labels.entries.items() for key in keys}
    step = _step(scan.grid)
    pick = (slice(step // 2, None, step),) * 3
    hu = scan.hu[pick]
    found: list[Sample] = []
    centres: dict[str, float] = {}
    for index, layer in enumerate(labels.layers):
        for value, values, where in _by_label(layer[pick], hu):
            ident = owner.get((index, value))
            if ident is None:
                continue
            structure = ontology.get(ident)
            if structure.side:
                centres[ident] = float(scan.grid.world(where * step)[0])
            if structure.tissue in {"soft", "bone", "air"} and values.size >= LEAST_VOXELS:
                median, upper = np.percentile(values, [50, 75])
                found.append(Sample(ident, structure.tissue, float(median), float(upper)))
    return found, centres


def _step(grid: Grid) -> int:
    return max(1, int(np.ceil((float(np.prod(grid.shape)) / SAMPLED_VOXELS) ** (1 / 3))))


def _by_label(layer: NDArray[Any], hu: NDArray[Any]) -> list[tuple[int, NDArray[Any], NDArray[Any]]]:
    """Per label value: its HU and its mean index."""
    i, j, k = np.nonzero(layer)
    if i.size == 0:
        return []
    values, sampled = layer[i, j, k], hu[i, j, k]
    order = np.argsort(values, kind="stable")
    present, starts = np.unique(values[order], return_index=True)
    places = np.stack([i, j, k], axis=1)[order]
    rows = zip(present, np.split(sampled[order], starts[1:]), np.split(places, starts[1:]), strict=True)
    return [(int(value), part, at.mean(axis=0)) for value, part, at in rows]


def _check_sides(centres: dict[str, float]) -> tuple[str, ...]:
    ontology = load_ontology()
    pairs: dict[str, dict[str, float]] = {}
    for ident, x in centres.items():
        structure = ontology.get(ident)
        pairs.setdefault(structure.base, {})[structure.side or ""] = x
    both = {base: sides for base, sides in pairs.items() if {"left", "right"} <= set(sides)}
    # In RAS+ x grows from left to right.
    swapped = [base for base, sides in both.items() if sides["left"] > sides["right"]]
    if len(swapped) >= 2 and len(swapped) == len(both):
        raise LabelsError(
            f"Left and right are exchanged: {len(swapped)} pairs of labels ({ontology.get(swapped[0]).name} and "
            "others) lie on the opposite side of the scan; check the orientation of labels and scan."
        )
    if swapped:
        names = ", ".join(ontology.get(base).name for base in swapped)
        return (f"left and right look exchanged for: {names}",)
    return ()
