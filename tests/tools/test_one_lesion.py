"""One lesion by its number, two side by side, and all by size: the same numbers and values as the lesion table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.case_make import affine_of, boxes_case, case_of, orders, reorder
from tests.said import say_all
from tools.base import Case, CaseSettings
from tools.registry import load_tools
from tools.types import Evidence, State

SIZE = (48, 40, 30)
LIVER = np.s_[4:44, 4:36, 3:27]
LARGE, SMALL, TINY = np.s_[8:20, 8:14, 6:10], np.s_[30:36, 20:26, 14:18], np.s_[10:12, 20:22, 14:16]


def call(tool: str, case: Case, **arguments: Any) -> list[Evidence]:
    return load_tools()[tool].call(case, arguments)


def one(case: Case, structure: str, **more: Any) -> dict[str, Evidence]:
    return {made.quantity: made for made in call("one_lesion", case, structure=structure, **more)}


def two(*boxes: Any, **more: Any) -> Case:
    return boxes_case(SIZE, {"liver": LIVER, "liver_lesion": list(boxes or (LARGE, SMALL))}, **more)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 1.3, 4)])
def test_a_number_is_that_of_the_table(number: int, spacing: Any) -> None:
    case = two(spacing=spacing, settings=CaseSettings(min_lesion_mm3=1))
    row = call("lesion_table", case, structure="liver_lesion")[number]
    found = one(case, f"liver_lesion#{number}")
    assert {made.target for made in found.values()} == {row.target} == {f"liver_lesion#{number}"}
    assert found["lesion"].value == found["volume"].value == row.value
    assert found["long_axis"].value == pytest.approx(row.details["long_axis_mm"], abs=1e-3)
    assert found["hu_mean"].value == pytest.approx(row.details["hu_mean"], abs=1e-3)
    assert found["lesion_slice"].value == found["lesion_place"].slice == row.slice
    assert found["lesion_place"].value == row.details["place"] == "liver"


def test_nought_is_the_smallest_and_the_other_of_two_is_the_other() -> None:
    case = two()
    assert one(case, "liver_lesion#0")["volume"].target == "liver_lesion#2"
    assert one(case, "liver_lesion#1", other=True)["volume"].target == "liver_lesion#2"
    assert one(case, "liver_lesion#2", other=True)["volume"].target == "liver_lesion#1"


@pytest.mark.parametrize(
    ("boxes", "structure", "other", "state", "says"),
    [
        ((LARGE, SMALL), "liver_lesion#3", False, State.ABSENT, "There is no liver lesion 3: fewer than that"),
        ((LARGE,), "liver_lesion#1", True, State.ABSENT, "There is no liver lesion 2: only one was found"),
        ((LARGE, SMALL, TINY), "liver_lesion#1", True, State.NOT_MEASURABLE, "there are several others"),
        ((LARGE, SMALL), "liver_lesion#7", True, State.NOT_MEASURABLE, "there are several others"),
        ((), "spleen_lesion#1", False, State.NOT_ASSESSED, "spleen lesion was not assessed"),
        ((np.s_[8:20, 8:14, 0:9],), "liver_lesion#2", False, State.NOT_MEASURABLE, "no lesion of that number is seen"),
    ],
)
def test_a_number_that_is_not_there_gets_a_plain_sentence(
    boxes: Any, structure: str, other: bool, state: State, says: str
) -> None:
    case = two(*boxes, settings=CaseSettings(min_lesion_mm3=1))
    made = call("one_lesion", case, structure=structure, other=other)
    assert {each.state for each in made} == {state}
    assert all(each.value is None for each in made)
    assert any(says in text for text in say_all(made))


def test_what_is_cut_off_is_a_lower_bound_and_has_no_slice() -> None:
    found = one(two(np.s_[8:20, 8:14, 0:9]), "liver_lesion#1")
    for quantity in ("lesion", "volume", "long_axis"):
        assert (found[quantity].state, found[quantity].value) == (State.NOT_MEASURABLE, None)
        assert found[quantity].lower_bound
    assert found["lesion_slice"].state is State.NOT_MEASURABLE
    assert "only what is seen of it counts" in str(found["hu_mean"].reason)


@pytest.mark.parametrize("oblique", [False, True])
def test_the_order_of_the_file_changes_nothing_but_slices(oblique: bool) -> None:
    size = (14, 12, 10)
    affine = affine_of((1.5, 2, 3), size, turn=(14, -9, 21) if oblique else (0, 0, 0))
    labels = np.zeros(size, np.uint8)
    labels[1:13, 1:11, 1:9] = 1
    labels[2:7, 2:6, 2:5] = labels[9:12, 7:10, 5:8] = 2
    hu = (60 - 20 * (labels == 2) + np.random.default_rng(5).integers(-5, 6, size)).astype(np.int16)
    seen = set()
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, {"liver": 1, "liver_lesion": 2},
                       settings=CaseSettings(min_lesion_mm3=1))  # fmt: skip
        found = one(case, "liver_lesion#2")
        seen.add(tuple(str(found[q].value) for q in ("volume", "long_axis", "hu_mean", "lesion_place")))
    assert len(seen) == 1


def test_two_lesions_side_by_side() -> None:
    pair, *rows = call("lesion_pair", two(), structure="liver_lesion")
    assert (pair.state, pair.value, pair.target) == (State.MEASURED, "liver lesion 1", "liver_lesion#1+liver_lesion#2")
    assert [row.target for row in rows] == ["liver_lesion#1", "liver_lesion#2"]
    assert pair.details["larger_cm3"] == rows[0].value and pair.details["smaller_cm3"] == rows[1].value
    turned = call("lesion_pair", two(), structure="liver_lesion#2", second="liver_lesion#1")[0]
    assert (turned.value, turned.details["first"]) == ("liver lesion 1", "liver lesion 2")


@pytest.mark.parametrize(
    ("boxes", "second", "says"),
    [
        ((LARGE,), None, "there is only one"),
        ((LARGE, SMALL, np.s_[30:34, 8:12, 6:10]), None, "there are more than two"),
        ((LARGE, SMALL), "liver_lesion#3", "there is no liver lesion 3"),
        ((LARGE, SMALL), "liver_lesion#1", "they are the same"),
        ((np.s_[8:20, 8:14, 0:9], SMALL), None, "is cut off by the field of view"),
    ],
)
def test_lesions_that_cannot_be_compared(boxes: Any, second: str | None, says: str) -> None:
    first = "liver_lesion" if second is None else "liver_lesion#1"
    made = call("lesion_pair", two(*boxes), structure=first, second=second)
    assert made[0].state is State.NOT_MEASURABLE
    assert says in say_all(made)[0]


def test_lesions_as_large_as_each_other_are_borderline() -> None:
    same = np.s_[30:42, 20:26, 14:18]
    assert call("lesion_pair", two(LARGE, same), structure="liver_lesion")[0].details["borderline"]
    listed = {made.quantity: made for made in call("lesions_by_size", two(LARGE, same))}
    assert listed["largest_of_all"].details["borderline"] == ["liver lesion 1", "liver lesion 2"]


def test_all_lesions_by_size_over_all_organs_each_once() -> None:
    boxes = {
        "liver": np.s_[4:24, 4:36, 3:27], "spleen": np.s_[28:44, 4:36, 3:27],
        "liver_lesion": [np.s_[6:12, 8:14, 6:10], np.s_[12:17, 20:25, 14:19]],
        "spleen_cyst": [np.s_[30:36, 8:18, 6:16]],
    }  # fmt: skip
    case = boxes_case(SIZE, boxes)
    assert case.labels is not None
    case.labels.entries["liver_metastasis"] = case.labels.entries["liver_lesion"]
    head, largest, *rows = call("lesions_by_size", case)
    assert head.value == 3
    assert [row.target for row in rows] == ["spleen_cyst#1", "liver_metastasis#1", "liver_metastasis#2"]
    assert (largest.target, largest.value, largest.details["structure"]) == ("spleen_cyst#1", "spleen", "spleen")
    assert say_all([head, largest, *rows])


@pytest.mark.parametrize("labels", [{"liver": LIVER}, {"liver": LIVER, "liver_lesion": []}], ids=["no class", "empty"])
def test_no_lesion_is_not_absent_in_the_body(labels: dict[str, Any]) -> None:
    for made in call("lesions_by_size", boxes_case(SIZE, labels)):
        assert made.state is State.NOT_ASSESSED


KINDS = {"liver": LIVER, "liver_metastasis": [LARGE, TINY], "liver_cyst": [SMALL]}


def test_a_general_number_is_told_with_that_of_the_label() -> None:
    case = boxes_case(SIZE, KINDS, settings=CaseSettings(min_lesion_mm3=1))
    said = [one(case, f"liver_lesion#{number}")["volume"].reason for number in (1, 2, 3)]
    assert said == [f"by its label it is liver {name}" for name in ("metastasis 1", "cyst 1", "metastasis 2")]
    assert one(case, "liver_metastasis#1")["volume"].reason is None


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("liver_cyst", "the larger of liver metastasis 1 and liver cyst 1 is liver metastasis 1"),
        ("liver_metastasis", "there are several liver metastases; please name one by its number"),
    ],
)
def test_a_class_beside_a_number_is_its_only_lesion(second: str, says: str) -> None:
    case = boxes_case(SIZE, KINDS, settings=CaseSettings(min_lesion_mm3=1))
    made = call("lesion_pair", case, structure="liver_metastasis#1", second=second)
    assert says in say_all(made)[0]


def test_what_was_not_seen_or_is_too_small_is_told_beside_the_list() -> None:
    boxes = {"liver": np.s_[4:44, 4:36, 0:27], "liver_lesion": [LARGE, TINY]}
    head, largest, *_ = call("lesions_by_size", boxes_case(SIZE, boxes, settings=CaseSettings(min_lesion_mm3=50)))
    for made in (head, largest):
        assert "not all of these was seen, so there may be more or larger ones: liver" in str(made.reason)
        assert "components below the size limit are left out" in str(made.reason)
