"""What labels prove of a structure's or a lesion's existence: one row per situation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.case_make import boxes_case, run
from tools.base import Case
from tools.types import State

SIZE = (40, 24, 22)
SPOTS: dict[str, Any] = {
    "liver": np.s_[24:36, 12:20, 4:16],
    "liver!": np.s_[24:36, 12:20, 10:22],  # cut off at the top
    "spleen": np.s_[3:8, 12:20, 6:14],
    "spleen!": np.s_[0:8, 12:20, 6:14],
    "stomach": np.s_[12:18, 12:20, 6:14],
    "stomach!": np.s_[12:18, 20:24, 6:14],
    "kidney_left": np.s_[4:9, 2:8, 4:12],
    "kidney_left!": np.s_[4:9, 0:8, 4:12],
    "kidney_right": np.s_[28:34, 2:8, 4:12],
    "gallbladder": np.s_[24:27, 10:12, 4:7],
    "femur_left": np.s_[2:6, 2:6, 2:4],
    "liver_lesion": np.s_[28:31, 14:17, 8:11],
    "liver_cyst": np.s_[28:31, 14:17, 8:11],
    "liver_metastasis": np.s_[32:34, 14:17, 11:13],
    "kidney_tumor": np.s_[9:11, 4:6, 6:8],
    "kidney_cyst_left": np.s_[9:11, 4:6, 6:8],
    "tumor": np.s_[20:22, 10:12, 6:8],
}
M, A, X, N = State.MEASURED, State.ABSENT, State.NOT_MEASURABLE, State.NOT_ASSESSED
TABLE = [
    # classes with voxels ("!": cut off), classes without, asked, state
    ("liver", "", "liver", M),
    ("liver!", "", "liver", M),
    ("", "", "liver", N),
    ("spleen", "", "liver", N),
    ("spleen stomach kidney_left", "liver", "spleen", M),
    # an organ is absent only where its neighbours are wholly in the scan
    ("kidney_left stomach", "spleen", "spleen", A),
    ("kidney_left! stomach", "spleen", "spleen", X),
    ("femur_left", "spleen", "spleen", N),
    ("liver", "gallbladder", "gallbladder", A),
    ("liver!", "gallbladder", "gallbladder", X),
    ("", "gallbladder", "gallbladder", N),
    ("liver spleen", "kidney_left kidney_right", "kidney", A),
    ("liver! spleen", "kidney_left kidney_right", "kidney", X),
    ("liver spleen", "kidney_left", "kidney", N),
    ("kidney_left", "", "kidney", M),
    ("kidney_left", "", "kidney_right", N),
    ("liver stomach", "pancreas", "pancreas", A),
    # lesions: the same type, a more general one, a more special one
    ("liver", "", "liver_lesion", N),
    ("liver", "", "liver_metastasis", N),
    ("liver liver_lesion", "", "liver_lesion", M),
    ("liver", "liver_lesion", "liver_lesion", A),
    ("liver!", "liver_lesion", "liver_lesion", X),
    ("liver! liver_lesion", "", "liver_lesion", M),
    ("spleen", "liver_lesion", "liver_lesion", N),
    ("spleen", "liver liver_lesion", "liver_lesion", N),
    ("liver", "liver_cyst", "liver_lesion", N),
    ("liver", "liver_cyst", "liver_cyst", A),
    ("liver", "liver_cyst", "liver_metastasis", N),
    ("liver liver_cyst", "", "liver_lesion", M),
    ("liver liver_cyst", "", "liver_metastasis", N),
    ("liver liver_lesion", "", "liver_metastasis", N),
    ("liver", "liver_lesion", "liver_metastasis", A),
    ("liver!", "liver_lesion", "liver_metastasis", X),
    ("liver liver_metastasis", "", "liver_lesion", M),
    ("liver liver_metastasis", "", "liver_cyst", N),
    ("liver spleen", "spleen_lesion", "liver_lesion", N),
    # sides
    ("kidney_left kidney_right kidney_tumor", "", "kidney_tumor", M),
    ("kidney_left kidney_right kidney_tumor", "", "kidney_tumor_left", M),
    ("kidney_left kidney_right kidney_tumor", "", "kidney_tumor_right", A),
    ("kidney_left kidney_right", "kidney_tumor", "kidney_tumor_right", A),
    ("kidney_left! kidney_right", "kidney_tumor", "kidney_tumor_left", X),
    ("kidney_left! kidney_right", "kidney_tumor", "kidney_tumor_right", A),
    ("kidney_left! kidney_right", "kidney_tumor", "kidney_tumor", X),
    ("kidney_left", "kidney_cyst_left", "kidney_cyst", N),
    ("kidney_left kidney_cyst_left", "", "kidney_cyst", M),
    ("kidney_left kidney_cyst_left", "", "kidney_cyst_right", N),
    # anywhere
    ("liver", "liver_lesion", "lesion", N),
    ("liver liver_lesion", "", "lesion", M),
    ("tumor", "", "lesion", M),
    ("tumor", "", "metastasis", N),
    ("liver tumor", "", "liver_tumor", N),
    ("", "tumor", "tumor", N),
    # findings that no label map shows
    ("liver", "", "ascites", N),
    ("liver", "", "distant_metastasis", N),
]


def labelled(filled: str, empty: str) -> Case:
    boxes = {name.rstrip("!"): SPOTS[name] for name in filled.split()}
    return boxes_case(SIZE, boxes, empty=empty.split())


@pytest.mark.parametrize(("filled", "empty", "asked", "state"), TABLE, ids=lambda value: str(value) or "-")
def test_truth_table(filled: str, empty: str, asked: str, state: State) -> None:
    made = run(labelled(filled, empty), "presence", structure=asked)["exists"]
    assert made.state is state, made.reason
    assert made.value is {M: True, A: False, X: None, N: None}[state]
    assert (made.slice is not None) == (state is M)
    if state is not M:
        assert made.reason


def test_without_labels_nothing_is_assessed() -> None:
    case = replace(labelled("liver", "liver_lesion"), labels=None)
    for asked in ("liver", "liver_lesion", "ascites", "lesion"):
        assert run(case, "presence", structure=asked)["exists"].state is N
    assert run(case, "structure_list")["structures"].state is N


def test_the_slice_is_the_one_with_the_most_voxels() -> None:
    case = boxes_case(SIZE, {"liver": [np.s_[20:22, 10:12, 5:9], np.s_[20:25, 10:15, 7]]})
    made = run(case, "presence", structure="liver")["exists"]
    assert made.slice == 7
    assert made.details["voxels"] == 12 + 25


def test_the_list_holds_what_has_voxels() -> None:
    made = run(labelled("kidney_left liver", "spleen"), "structure_list")["structures"]
    assert made.value == "left kidney, liver"
    assert made.details["ids"] == ["kidney_left", "liver"]
