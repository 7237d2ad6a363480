"""Staging in a paired organ: only a side with a tumor has a category, and two tumors are two primaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.state import RunState
from agent.wording import describe
from tests.agent.loop_make import ask, run
from tests.case_make import boxes_case
from tests.evidence_make import derive
from tools.base import Case, CaseSettings
from tools.types import Evidence, State

pytestmark = pytest.mark.slow

SIZE = (70, 40, 30)
# Left is −x: the first half of the array.
ORGANS = {"kidney": (np.s_[4:30, 4:36, 3:27], np.s_[40:66, 4:36, 3:27])}
ORGANS["lung"] = ORGANS["kidney"]
LEFT, RIGHT = np.s_[8:24, 8:24, 8:20], np.s_[44:52, 8:16, 8:16]
FACTS = (("cm", "1"), ("cn", "0"), ("renal_extension", "none"))
STAGING = ("category_t", "category_n", "category_m", "stage")


def paired(organ: str, left: Any, right: Any, lesion: str = "tumor", **more: Any) -> Case:
    whole = dict(zip((f"{organ}_left", f"{organ}_right"), ORGANS[organ], strict=True))
    both = {f"{organ}_{lesion}_left": left, f"{organ}_{lesion}_right": right}
    empty = [name for name, box in both.items() if box == []]
    boxes = whole | {name: box for name, box in both.items() if box is not None and box != []}
    return boxes_case(SIZE, boxes, empty=empty, settings=CaseSettings(patient=FACTS), spacing=(2, 2, 2), **more)


def answered(case: Case, kind: str, structure: str, folder: Path) -> tuple[Evidence, str, RunState]:
    made = run(case, [ask(kind, structure)], folder)
    assert made.report.status == "consistent"
    one = made.state.lookup(made.state.targets[0].decisive)
    assert one is not None
    return one, describe(one, made.state.evidence).text, made.state


def of_side(state: RunState, quantity: str, side: str) -> Evidence:
    made = [one for one in state.evidence.values() if one.tool == "weigh_rules" and one.quantity == quantity]
    (one,) = [one for one in made if one.target.endswith(side)]
    return one


@pytest.mark.parametrize("none", [[], None])
@pytest.mark.parametrize(("organ", "lesion"), [("kidney", "tumor"), ("kidney", "rcc"), ("lung", "tumor")])
@pytest.mark.parametrize("kind", ["category_m", "category_t"])
def test_only_the_side_with_a_tumor_has_a_category(
    kind: str, organ: str, lesion: str, none: Any, tmp_path: Path
) -> None:
    one, text, state = answered(paired(organ, LEFT, none, lesion), kind, f"{organ}_tumor", tmp_path)
    right, left = of_side(state, kind, "right"), of_side(state, kind, "left")
    assert right.value is None
    assert not right.details.get("possible")
    assert (one.state, one.value) == (left.state, left.value)
    possible = [set(each.details.get("possible") or ()) for each in (one, left)]  # type: ignore[arg-type]
    assert possible[0] == possible[1]
    assert f"of the right {organ} tumor is" not in text
    assert f"category of the left {organ} tumor is" in text
    assert "primary" not in text
    if none == []:
        assert f"no right {organ} tumor was found" in text
    else:
        assert f"it is not known whether there is any right {organ} tumor" in text
    if kind == "category_m":
        assert one.value == "M1"


def test_a_side_without_a_tumor_has_no_category_even_if_asked_alone(tmp_path: Path) -> None:
    case = paired("kidney", LEFT, [])
    for kind, word in zip(STAGING, ("T category", "N category", "M category", "stage group"), strict=True):
        one, text, _ = answered(case, kind, "kidney_tumor_right", tmp_path / kind)
        assert (one.state, one.value) == (State.ABSENT, None)
        assert f"there is no {word} to give: no right kidney tumor was found" in text


def test_the_conclusion_is_on_the_one_tumor(tmp_path: Path) -> None:
    made = run(paired("kidney", LEFT, [], "rcc"), [ask("stage", "kidney_tumor")], tmp_path)
    found = made.report.pathology
    assert found is not None
    assert (found.ct, found.cn, found.cm, found.stage) == ("T1b", "N0", "M1", "IV")


def test_tumors_on_both_sides_are_two_primaries(tmp_path: Path) -> None:
    one, text, state = answered(paired("kidney", LEFT, RIGHT), "category_t", "kidney_tumor", tmp_path)
    assert (of_side(state, "category_t", "left").value, of_side(state, "category_t", "right").value) == ("T1b", "T1a")
    assert one.value == "T1b"
    assert "T category of the left kidney tumor is T1b" in text
    assert "T category of the right kidney tumor is T1a" in text
    assert "each is staged as a primary of its own, and the gravest of them, T1b, stands for both" in text


def test_no_tumor_on_either_side_is_absence(tmp_path: Path) -> None:
    for kind in STAGING:
        one, text, _ = answered(paired("kidney", [], []), kind, "kidney_tumor", tmp_path / kind)
        assert (one.state, one.value) == (State.ABSENT, None)
        assert "primary" not in text


def test_a_side_that_is_cut_off_has_no_category_without_a_tumor(tmp_path: Path) -> None:
    case = boxes_case(
        SIZE, {"kidney_left": ORGANS["kidney"][0], "kidney_right": np.s_[40:66, 4:36, 0:20], "kidney_tumor_left": LEFT},
        empty=["kidney_tumor_right"], settings=CaseSettings(patient=FACTS), spacing=(2, 2, 2),
    )  # fmt: skip
    one, text, state = answered(case, "category_m", "kidney_tumor", tmp_path)
    assert (one.value, of_side(state, "category_m", "right").state) == ("M1", State.NOT_MEASURABLE)
    assert "it is not known whether there is any right kidney tumor" in text


def test_equal_primaries_need_no_gravest() -> None:
    def side(name: str) -> Evidence:
        return Evidence.make(
            tool="weigh_rules", version="1", quantity="category_m", target=f"kidney_tumor_{name}", value="M1",
            state=State.MEASURED, method="made for a test",
        )  # fmt: skip

    one = derive("gravest", verdicts=[side("left"), side("right")])
    assert (one.value, one.details["primaries"]) == ("M1", True)
    verdicts = [side("left").model_copy(update={"quantity": "verdict"}), side("right")]
    assert "primaries" not in derive("gravest", verdicts=verdicts).details
