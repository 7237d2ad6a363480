"""The truth table of "absent" against "not assessed"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.label_make import AFFINE
from tools.structures import Standing, region, resolve
from tools.volume import Grid, LabelSet

SHAPE = (40, 20, 20)
# In RAS+ the left kidney has the smaller x.
SPOTS: dict[str, list[Any]] = {
    "kidney_left": [np.s_[2:8, 5:12, 5:15]],
    "kidney_right": [np.s_[30:37, 5:12, 5:15]],
    "kidney": [np.s_[2:8, 5:12, 5:15], np.s_[30:37, 5:12, 5:15]],
    "kidney_tumor": [np.s_[8:10, 8, 8], np.s_[34, 13, 8:10]],
    "kidney_cyst": [np.s_[9, 6, 6]],
    "kidney_cyst_left": [np.s_[1, 6, 6]],
    "kidney_cyst_right": [np.s_[38, 6, 6]],
    "liver": [np.s_[20:28, 14:18, 2:9]],
    "liver_tumor": [np.s_[22:24, 18, 5]],
}


def label_set(filled: str = "", empty: str = "") -> LabelSet:
    """Classes with voxels and without; kidneys lie left and right, lesions where `SPOTS` says."""
    layer = np.zeros(SHAPE, np.uint8)
    entries: dict[str, tuple[tuple[int, int], ...]] = {}
    for value, name in enumerate([*filled.split(), *empty.split()], start=1):
        entries[name] = ((0, value),)
        if name in filled.split():
            for box in SPOTS.get(name, [np.s_[value + 10, 0, 0]]):
                layer[box] = value
    return LabelSet(Grid(SHAPE, AFFINE), (layer,), entries)


P, A, N = Standing.PRESENT, Standing.ABSENT, Standing.NOT_LOOKED
TABLE = [
    # filled, empty, asked, standing
    ("liver", "", "liver", P),
    ("", "liver", "liver", A),
    ("spleen", "", "liver", N),
    ("liver_tumor", "", "liver", N),
    ("my_thing", "", "my_thing", P),
    # groups
    ("kidney_left kidney_right", "", "kidney", P),
    ("kidney_left", "", "kidney", P),
    ("", "kidney_left", "kidney", Standing.PARTLY),
    ("", "kidney_left kidney_right", "kidney", A),
    ("", "kidney", "kidney_left", N),
    ("kidney", "", "kidney_left", Standing.SIDE_UNKNOWN),
    ("lung_upper_lobe_left", "lung_lower_lobe_left", "lung_left", P),
    ("", "lung_left", "lung", Standing.PARTLY),
    # lesions: the same type, more general, more special
    ("liver", "", "liver_lesion", N),
    ("liver", "liver_lesion", "liver_lesion", A),
    ("liver liver_lesion", "", "liver_lesion", P),
    ("liver", "liver_lesion", "liver_metastasis", A),
    ("liver liver_lesion", "", "liver_metastasis", Standing.TYPE_UNKNOWN),
    ("liver liver_metastasis", "", "liver_lesion", P),
    ("liver", "liver_cyst", "liver_lesion", Standing.NARROWER_ONLY),
    ("liver", "liver_cyst", "liver_metastasis", N),
    ("liver liver_cyst", "liver_tumor", "liver_tumor", A),
    ("liver liver_cyst", "liver_tumor", "liver_lesion", P),
    ("liver liver_cyst", "", "liver_tumor", N),
    ("liver", "liver_tumor", "liver_cancer", A),
    ("liver", "spleen_lesion", "liver_lesion", N),
    ("liver spleen_lesion", "", "liver_lesion", N),
    # sides
    ("kidney_cyst_left", "kidney_cyst_right", "kidney_cyst", P),
    ("", "kidney_cyst_left kidney_cyst_right", "kidney_cyst", A),
    ("", "kidney_cyst_left", "kidney_cyst", Standing.PARTLY),
    ("kidney_cyst_left", "kidney_cyst_right", "kidney_cyst_right", A),
    ("", "kidney_cyst_left kidney_cyst_right", "kidney_lesion", Standing.NARROWER_ONLY),
    ("kidney_left kidney_right", "kidney_tumor", "kidney_tumor_left", A),
    ("kidney_left kidney_right kidney_tumor", "", "kidney_tumor_left", P),
    ("kidney_left kidney_right kidney_cyst", "", "kidney_cyst_left", P),
    ("kidney_left kidney_right kidney_cyst", "", "kidney_cyst_right", A),
    ("kidney kidney_cyst", "", "kidney_cyst_right", Standing.SIDE_UNKNOWN),
    ("kidney_left kidney_right kidney_cyst", "kidney_lesion", "kidney_lesion_right", A),
    ("kidney_left kidney_right kidney_tumor", "", "kidney_rcc_left", Standing.TYPE_UNKNOWN),
    ("kidney_left kidney_right", "kidney_cyst", "kidney_lesion_left", Standing.NARROWER_ONLY),
    # lesions without an organ
    ("tumor", "", "lesion", P),
    ("tumor", "", "tumor", P),
    ("tumor", "", "liver_tumor", N),
    ("tumor", "", "metastasis", Standing.TYPE_UNKNOWN),
    ("liver", "", "lesion", N),
    ("liver", "liver_lesion", "lesion", A),
    ("liver liver_tumor", "", "lesion", P),
    ("liver liver_tumor", "spleen_lesion", "metastasis", Standing.TYPE_UNKNOWN),
    ("liver", "liver_cyst", "lesion", Standing.NARROWER_ONLY),
]


@pytest.mark.parametrize(("filled", "empty", "asked", "standing"), TABLE, ids=lambda value: str(value) or "-")
def test_truth_table(filled: str, empty: str, asked: str, standing: Standing) -> None:
    labels = label_set(filled, empty)
    resolved = resolve(labels, asked)
    assert resolved.standing == standing
    assert resolved.found == (region(labels, asked) is not None)


def test_missing_parts_are_named() -> None:
    assert resolve(label_set("kidney_left"), "kidney").missing_parts == ("kidney_right",)
    assert resolve(label_set("kidney"), "kidney").missing_parts == ()
    lung = resolve(label_set("lung_upper_lobe_left"), "lung")
    assert set(lung.missing_parts) == {"lung_right", "lung_lower_lobe_left"}
    assert resolve(label_set("kidney_cyst_left"), "kidney_cyst").missing_parts == ("kidney_cyst_right",)


def test_fields_tell_what_was_looked_for() -> None:
    resolved = resolve(label_set("liver tumor", "liver_cyst spleen_lesion"), "liver_lesion")
    assert resolved.narrower_declared == ("liver_cyst",)
    assert resolved.exact_or_broader_declared == ()
    assert resolved.unlocated == ("tumor",)
    assert resolve(label_set("", "liver_lesion kidney_cyst_left"), "lesion").looked_in == ("liver",)
    assert resolve(label_set("liver_lesion"), "liver_metastasis").broader_found == ("liver_lesion",)


def test_organ_with_its_lesions() -> None:
    labels = label_set("liver liver_tumor", "liver_cyst")
    plain, whole = region(labels, "liver"), region(labels, "liver", with_lesions=True)
    assert plain is not None
    assert whole is not None
    assert plain.voxels == 8 * 4 * 7
    assert whole.voxels == plain.voxels + 2
    assert resolve(labels, "liver", with_lesions=True).classes == ("liver", "liver_tumor", "liver_cyst")


def test_lesions_of_both_kidneys_go_to_the_nearer_one() -> None:
    labels = label_set("kidney_left kidney_right kidney_tumor kidney_cyst_left")
    left, right = region(labels, "kidney_tumor_left"), region(labels, "kidney_tumor_right")
    assert left is not None
    assert right is not None
    assert left.box == (slice(8, 10), slice(8, 9), slice(8, 9))
    assert right.box == (slice(34, 35), slice(13, 14), slice(8, 10))
    kidney = region(labels, "kidney_left", with_lesions=True)
    assert kidney is not None
    assert kidney.voxels == 6 * 7 * 10 + 2 + 1
    both = region(labels, "kidney", with_lesions=True)
    assert both is not None
    assert both.voxels == 6 * 7 * 10 + 7 * 7 * 10 + 4 + 1


def test_a_removed_kidney_leaves_all_lesions_to_the_other() -> None:
    labels = label_set("kidney_right kidney_tumor", "kidney_left")
    right = region(labels, "kidney_tumor_right")
    assert right is not None
    assert right.voxels == 4
    assert resolve(labels, "kidney_tumor_left").standing == Standing.ABSENT


def test_a_merged_class_answers_with_all_its_keys() -> None:
    layer = np.zeros(SHAPE, np.uint8)
    layer[0, 0, 0], layer[5, 5, 5] = 1, 2
    labels = LabelSet(Grid(SHAPE, AFFINE), (layer,), {"liver": ((0, 1), (0, 2))})
    found = region(labels, "liver")
    assert found is not None
    assert found.voxels == 2
