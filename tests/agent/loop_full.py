"""The synthetic case of the loop with vessels, tumours, sub-regions and an earlier scan beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.agent.loop_make import AFFINE, BOXES, SHAPE, VALUES, arrays
from tests.label_make import IDENTITY
from tools.base import Case, CaseSettings
from tools.volume import Grid, LabelSet, Orientation, Scan, ScanHeader

Box = tuple[slice, slice, slice]
STAGED = (("arterial_involvement", "no"), ("cm", "0"), ("cn", "0"))
"""Declared facts that let the stage of the pancreatic tumour be decided."""

VESSELS: dict[str, Box] = {
    "superior_mesenteric_artery": (slice(17, 19), slice(12, 14), slice(2, 24)),
    "superior_mesenteric_vein": (slice(20, 22), slice(12, 14), slice(2, 13)),
    "portal_vein": (slice(23, 25), slice(12, 14), slice(10, 22)),
    "celiac_trunk": (slice(20, 22), slice(7, 9), slice(16, 22)),
    "common_hepatic_artery": (slice(22, 25), slice(6, 8), slice(18, 22)),
    "inferior_vena_cava": (slice(25, 28), slice(4, 7), slice(1, 25)),
}
TUMOURS: dict[str, tuple[Box, int]] = {
    "pancreas_pdac": ((slice(17, 20), slice(14, 16), slice(10, 12)), 40),
    "kidney_rcc_left": ((slice(11, 14), slice(5, 8), slice(9, 12)), 90),
    "liver_hcc": ((slice(28, 31), slice(20, 24), slice(9, 12)), 80),
}
EMPTY = ("pancreas_cyst", "kidney_cyst_right", "colon_cancer")
"""Classes that are declared without voxels."""
PRIOR_LIVER_LESION: Box = (slice(30, 33), slice(14, 17), slice(12, 15))
X, Y, Z = BOXES["liver"]
# The eight segments fill the liver's box, so that both of its lesions and its tumour lie in known ones.
SEGMENTS: dict[str, Box] = {
    "liver_segment_1": (slice(26, 28), Y, Z),
    "liver_segment_2": (slice(28, 31), Y, slice(15, 22)),
    "liver_segment_3": (slice(28, 31), Y, slice(8, 15)),
    "liver_segment_4": (slice(31, 34), Y, Z),
    "liver_segment_5": (slice(34, 37), Y, slice(8, 15)),
    "liver_segment_6": (slice(37, 40), Y, slice(8, 15)),
    "liver_segment_7": (slice(37, 40), Y, slice(15, 22)),
    "liver_segment_8": (slice(34, 37), Y, slice(15, 22)),
}
PARTS: dict[str, Box] = {
    "pancreas_head": (slice(22, 25), slice(14, 17), slice(9, 13)),
    "pancreas_body": (slice(19, 22), slice(14, 17), slice(9, 13)),
    "pancreas_tail": (slice(16, 19), slice(14, 17), slice(9, 13)),
}


def full_case(hu: dict[str, int] | None = None, *, settings: CaseSettings | None = None, prior: bool = True) -> Case:
    """The case of `make_case` with three more layers of labels, and an earlier scan unless told otherwise."""
    values, labels = arrays(hu)
    noise = np.random.default_rng(11).integers(-9, 10, SHAPE)
    for box, level in TUMOURS.values():
        values[box] = level + noise[box]
    now = _case(values, labels, settings)
    return replace(now, prior=prior_case(settings)) if prior else now


def prior_case(settings: CaseSettings | None = None) -> Case:
    """The earlier scan: one smaller liver lesion, no tumour of the kidney, everything else alike."""
    values, labels = arrays()
    values += 1
    labels[labels == VALUES["liver_lesion"]] = VALUES["liver"]
    labels[PRIOR_LIVER_LESION] = VALUES["liver_lesion"]
    return _case(values, labels, settings, without=("kidney_rcc_left",))


def _case(
    values: NDArray[np.int16], labels: NDArray[np.uint8], settings: CaseSettings | None, without: tuple[str, ...] = ()
) -> Case:
    grid = Grid(SHAPE, AFFINE)
    scan = Scan(values, grid, Orientation(IDENTITY, SHAPE), ScanHeader(source="nifti"))
    entries: dict[str, tuple[tuple[int, int], ...]] = {name: ((0, value),) for name, value in VALUES.items()}
    layers = [labels]
    boxes = {name: box for name, (box, _) in TUMOURS.items() if name not in without}
    for painted in ({**VESSELS, **boxes}, {**SEGMENTS, **PARTS}):
        layer = np.zeros(SHAPE, np.uint8)
        for value, (name, box) in enumerate(painted.items(), start=1):
            layer[box] = value
            entries[name] = ((len(layers), value),)
        layers.append(layer)
    empty = (*EMPTY, *(name for name in without if name in TUMOURS))
    entries |= {name: ((1, 200 + number),) for number, name in enumerate(empty)}
    found = LabelSet(grid, tuple(layers), entries, source="label maps")
    return Case(scan=scan, labels=found, settings=settings or CaseSettings())
