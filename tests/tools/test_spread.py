"""A labelled metastasis proves spread only where one tumor alone can have set it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.label_make import IDENTITY
from tools.base import Case
from tools.spread import spread
from tools.types import Evidence, State
from tools.volume import Grid, LabelSet, Orientation, Scan, ScanHeader

SHAPE = (12, 4, 4)


def looked(structure: str, *classes: str, empty: tuple[str, ...] = ()) -> Evidence:
    """Spread of a tumor where these classes have a voxel each."""
    layer = np.zeros(SHAPE, dtype=np.uint8)
    entries: dict[str, tuple[tuple[int, int], ...]] = {}
    for value, name in enumerate([*classes, *empty], start=1):
        entries[name] = ((0, value),)
        if name in classes:
            layer[value, 1, 1] = value
    grid = Grid(SHAPE, np.eye(4))
    scan = Scan(np.zeros(SHAPE, np.int16), grid, Orientation(IDENTITY, SHAPE), ScanHeader(source="nifti"))
    labels = LabelSet(grid, (layer,), entries) if entries else None
    (made,) = spread.call(Case(scan=scan, labels=labels), {"structure": structure})
    return made


@pytest.mark.parametrize(
    ("structure", "classes"),
    [
        ("pancreas", ("pancreas_pdac", "liver_metastasis")),
        ("colon", ("colon_cancer", "liver_metastasis", "lung_metastasis_left")),
        ("pancreas", ("pancreas_head_tumor", "liver_segment_4_metastasis")),
        ("kidney", ("kidney_rcc_left", "kidney_rcc_right", "lung_metastasis")),
        ("kidney_left", ("kidney_rcc_left", "kidney_rcc_right", "lung_metastasis")),
        # Cysts and benign tumors set no metastases.
        ("pancreas", ("pancreas_pdac", "kidney_cyst_left", "liver_hemangioma", "liver_metastasis")),
    ],
)
def test_one_tumor_and_a_metastasis_elsewhere_prove_it(structure: str, classes: tuple[str, ...]) -> None:
    made = looked(structure, *classes)
    assert (made.state, made.value) == (State.MEASURED, True)


@pytest.mark.parametrize("other", ["kidney_rcc_left", "kidney_lesion", "stomach_tumor", "liver_hcc", "lung_cancer"])
def test_tumors_of_two_organs_leave_it_open(other: str) -> None:
    made = looked("pancreas", "pancreas_pdac", other, "lung_metastasis", "liver_metastasis")
    assert (made.state, made.value) == (State.NOT_MEASURABLE, None)
    assert "nothing tells" in str(made.reason)


@pytest.mark.parametrize(
    ("structure", "classes"),
    [
        ("liver", ("liver_hcc", "liver_metastasis")),
        ("liver", ("liver_hcc", "liver_segment_2_metastasis")),
        ("lung_left", ("lung_cancer_left", "lung_metastasis_right")),
        ("pancreas", ("pancreas_pdac", "lymph_node_metastasis")),
        ("pancreas", ("pancreas_pdac", "metastasis")),
        ("pancreas", ("pancreas_pdac",)),
    ],
)
def test_what_is_no_distant_metastasis_proves_nothing(structure: str, classes: tuple[str, ...]) -> None:
    assert looked(structure, *classes).state is State.NOT_ASSESSED


def test_an_empty_class_and_no_labels_prove_nothing() -> None:
    assert looked("pancreas", "pancreas_pdac", empty=("liver_metastasis",)).state is State.NOT_ASSESSED
    assert looked("pancreas").state is State.NOT_ASSESSED
