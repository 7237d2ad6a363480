"""The earlier scan, measured by the same tools."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.errors import ToolError
from tests.case_make import boxes_case, run
from tests.said import say_all
from tools.base import Case, CaseSettings
from tools.registry import load_tools
from tools.types import Evidence, State

SIZE = (16, 16, 16)
LIVER = np.s_[2:14, 2:14, 2:14]


def _prior(case: Case, tool: str, structure: str) -> dict[str, Evidence]:
    made = load_tools()["prior"].call(case, {"tool": tool, "structure": structure})
    return {one.quantity: one for one in made}


def _both() -> Case:
    now = boxes_case(SIZE, {"liver": LIVER, "liver_lesion": np.s_[4:9, 4:9, 4:9]})
    before = boxes_case(SIZE, {"liver": LIVER, "liver_lesion": np.s_[4:8, 4:8, 4:8]}, empty=("spleen",))
    return replace(now, prior=before)


def test_it_is_what_the_tool_finds_there() -> None:
    case = _both()
    made = _prior(case, "measure_structure", "liver_lesion")
    assert case.prior is not None
    direct = run(case.prior, "measure_structure", structure="liver_lesion")
    assert set(made) == {f"prior_{name}" for name in direct}
    for name, one in direct.items():
        moved = made[f"prior_{name}"]
        assert (moved.value, moved.unit, moved.state, moved.uncertainty, moved.lower_bound, moved.reason) == (
            one.value, one.unit, one.state, one.uncertainty, one.lower_bound, one.reason,
        )  # fmt: skip
        assert moved.id == moved.expected_id()
        assert (moved.tool, moved.target) == ("prior", one.target)
    assert made["prior_volume"].value == pytest.approx(0.064)
    texts = say_all(made.values())
    assert any("In the earlier scan, the volume of the liver lesion was 0.06" in text for text in texts)


def test_a_slice_of_the_earlier_scan_is_never_one_of_this_scan() -> None:
    made = _prior(_both(), "lesion_components", "liver_lesion")
    assert all(one.slice is None for one in made.values())
    assert isinstance(made["prior_largest_lesion_long_axis"].details["prior_slice"], int)


def test_absence_there_is_told_as_such() -> None:
    case = replace(_both(), prior=boxes_case(SIZE, {"liver": LIVER}, empty=("liver_lesion",)))
    made = _prior(case, "presence", "liver_lesion")["prior_exists"]
    assert (made.state, made.value) == (State.ABSENT, False)
    assert say_all([made])[0].startswith("In the earlier scan, no liver lesion was found")


def test_without_an_earlier_scan_it_fails() -> None:
    with pytest.raises(ToolError, match="no earlier scan"):
        _prior(replace(_both(), prior=None), "measure_structure", "liver")


@pytest.mark.parametrize(
    "tool", ["prior", "recist_response", "total", "apply_rule", "compare", "structure_list", "scan_checks", "no_such"]
)
def test_only_tools_that_measure_one_structure_are_run(tool: str) -> None:
    with pytest.raises(ToolError):
        _prior(_both(), tool, "liver")


def test_its_address_follows_the_earlier_scan() -> None:
    case, tool = _both(), load_tools()["prior"]
    arguments = {"tool": "measure_structure", "structure": "liver"}
    key = tool.key(case, arguments)
    assert case.prior is not None
    other = boxes_case(SIZE, {"liver": LIVER})
    assert tool.key(replace(case, prior=other), arguments) != key
    assert tool.key(replace(case, prior=None), arguments) != key
    small = replace(case.prior, settings=CaseSettings(min_lesion_mm3=1.0))
    assert tool.key(replace(case, prior=small), arguments) != key
    assert tool.key(case, {**arguments, "tool": "presence"}) != key
    assert tool.key(replace(_both(), settings=CaseSettings(phase="arterial")), arguments) == key
