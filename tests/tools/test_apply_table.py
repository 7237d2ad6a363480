"""Decision tables applied to evidence: what is known, what is not, what is refused, and what is borderline."""

from __future__ import annotations

from typing import Any

import pytest

from agent.errors import ToolError, UsageError
from tests.evidence_make import derive, measured, missing
from tests.table_make import (
    KIDNEY_RULE,
    NATIVE,
    STAGE_RULE,
    T_RULE,
    apply_table,
    given_inputs,
    only_rules,
)
from tools.rules.table import TableRule
from tools.types import Evidence, State


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    only_rules(monkeypatch, T_RULE, STAGE_RULE, KIDNEY_RULE)


def kidney(values: dict[str, Any], **more: Any) -> Evidence:
    return apply_table(KIDNEY_RULE, "kidney_left", {"contrast": False, **values}, **more)


def test_a_verdict_carries_what_it_rests_on() -> None:
    made = kidney({"size": 4.1, "share": 1.0})
    assert (made.quantity, made.target, made.state, made.value) == ("verdict", "kidney_left", State.MEASURED, "large")
    assert made.method == KIDNEY_RULE.citation
    assert made.details["source"] == "Example kidney"
    assert (made.details["rule"], made.details["rule_version"]) == ("kidney-mass-example", "1")
    assert (made.details["normal"], made.details["borderline"]) == (False, [])
    assert len(made.inputs) == len(KIDNEY_RULE.inputs) + 2 + 1  # two limits and the phase


@pytest.mark.parametrize(("size", "value"), [(3.999, "small"), (4.0, "small"), (4.001, "large")])
@pytest.mark.parametrize(("factor", "unit"), [(1.0, "cm"), (10.0, "mm")])
def test_limits_hold_in_any_unit(size: float, value: str, factor: float, unit: str) -> None:
    assert kidney({"size": {"value": size * factor, "unit": unit}, "share": 1.0}).value == value


def test_a_value_in_another_dimension_is_refused() -> None:
    with pytest.raises(ToolError, match="in cm, not in HU"):
        kidney({"size": {"value": 3.0, "unit": "HU"}, "share": 1.0})


def test_a_missing_input_that_could_change_the_verdict_leaves_it_open() -> None:
    made = kidney({"size": 3.0, "contrast": State.NOT_ASSESSED, "share": 4.0})
    assert (made.state, made.value) == (State.NOT_ASSESSED, None)
    assert made.details["possible"] == ["large", "small"]
    assert made.details["missing"] == ["contrast"]
    assert made.details["at_least"] is None
    assert made.reason == "it depends on the contrast medium"


def test_a_missing_input_that_changes_nothing_is_not_missing() -> None:
    assert kidney({"size": 5.0, "contrast": State.NOT_ASSESSED}).value == "large"
    assert kidney({"size": 3.0, "contrast": State.NOT_ASSESSED, "share": 2.0}).value == "small"
    assert kidney({"size": 3.0, "contrast": False}).value == "small"


def test_the_state_says_whether_anybody_looked() -> None:
    made = kidney({"size": State.NOT_MEASURABLE})
    assert (made.state, made.details["missing"]) == (State.NOT_MEASURABLE, ["size"])
    assert kidney({"size": State.NOT_ASSESSED}).state is State.NOT_ASSESSED
    # What nobody looked at but does not decide does not count.
    both = kidney({"size": (3.0,), "contrast": False, "share": State.NOT_ASSESSED})
    assert both.state is State.NOT_MEASURABLE


def test_a_bound_that_decides_decides() -> None:
    assert kidney({"size": (4.5,)}).value == "large"
    made = kidney({"size": (3.5,)})
    assert (made.state, made.value, made.details["missing"]) == (State.NOT_MEASURABLE, None, ["size"])
    assert kidney({"size": (4.0,)}).value is None


def test_borderline_names_every_reading() -> None:
    made = kidney({"size": 3.9}, size=0.2)
    assert (made.value, made.details["borderline"]) == ("small", ["large", "small"])
    assert kidney({"size": 3.7}, size=0.2).details["borderline"] == []
    edge = kidney({"size": 4.0}, size=0.0)
    assert (edge.value, edge.details["borderline"]) == ("small", [])
    open_ = kidney({"size": 3.9, "contrast": State.NOT_ASSESSED, "share": 2.0}, size=0.2, share=0.5)
    assert (open_.value, open_.details["borderline"]) == ("small", ["large", "small"])


def test_a_number_of_none_is_nought() -> None:
    none = {"state": State.ABSENT, "value": 0}
    assert kidney({"size": none}).value == "small"
    assert kidney({"size": {"state": State.ABSENT, "value": None, "reason": "none"}}).value is None


def test_where_there_is_no_lesion_there_is_no_verdict() -> None:
    made = kidney({"size": 5.0}, present=False)
    assert (made.state, made.value, made.reason) == (State.ABSENT, None, "its class is empty")
    assert kidney({"size": 5.0}, present=True).value == "large"


# -- categories that rest on what nothing can see, and on other rules ------------------------------------------------


def tumour(values: dict[str, Any], structure: str = "pancreas_pdac", **more: Any) -> Evidence:
    return apply_table(T_RULE, structure, values, **more)


def test_what_nothing_can_see_stays_possible() -> None:
    made = tumour({"size": 3.0, "artery": 0.0})
    assert (made.quantity, made.state, made.value) == ("example_t", State.NOT_ASSESSED, None)
    assert made.details["possible"] == ["T4", "T2"]
    assert (made.details["at_least"], made.details["unknown"]) == ("T2", "TX")
    assert made.details["missing"] == ["spread"]
    assert tumour({"size": 1.0, "artery": 0.0}).details["at_least"] is None  # the lowest says nothing
    assert tumour({"size": State.NOT_ASSESSED, "artery": 190.0}).value == "T4"
    assert tumour({"size": 5.0, "artery": 180.0}).value is None


def stage(values: dict[str, Any]) -> Evidence:
    return apply_table(STAGE_RULE, "pancreas_pdac", {"age": 50, "spread": False, **values})


def test_a_verdict_that_is_open_keeps_what_it_leaves_possible() -> None:
    assert stage({"t": "T4"}).value == "III"
    made = stage({"t": ["T3", "T4"]})
    assert (made.value, made.details["possible"], made.details["at_least"]) == (None, ["III", "II"], "II")
    assert stage({"t": ["T1", "T2"]}).value == "I"
    assert stage({"t": ["T3", "T4"], "spread": True}).value == "IV"
    unknown = stage({"t": State.NOT_ASSESSED})
    assert unknown.details["possible"] == ["III", "II", "I"]


def test_a_borderline_verdict_makes_what_rests_on_it_borderline() -> None:
    made = stage({"t": {"value": "T3", "details": {"borderline": ["T3", "T4"]}}})
    assert (made.value, made.details["borderline"]) == ("II", ["III", "II"])


@pytest.mark.parametrize(
    ("age", "state", "reason"),
    [
        (17, State.NOT_MEASURABLE, "the rule is for adults"),
        (17.99, State.NOT_MEASURABLE, "the rule is for adults"),
        (State.NOT_ASSESSED, State.NOT_ASSESSED, "the rule is for adults, and the age is not known"),
        (State.NOT_MEASURABLE, State.NOT_MEASURABLE, "the rule is for adults, and the age is not known"),
        ("unclear", State.NOT_MEASURABLE, "the rule is for adults, and the age is not known"),
    ],
)
def test_a_rule_is_refused_where_it_does_not_hold(age: Any, state: State, reason: str) -> None:
    made = stage({"age": age, "t": "T4", "spread": True})
    assert (made.state, made.value, made.reason) == (state, None, reason)
    assert made.details["refused"] is True
    assert "possible" not in made.details


@pytest.mark.parametrize("age", [18, 18.0, "18", 90])
def test_a_rule_is_used_where_it_holds(age: Any) -> None:
    assert stage({"age": age, "t": "T4"}).value == "III"


@pytest.mark.parametrize(
    ("said", "value"), [(True, "IV"), ("yes", "IV"), ("Yes", "IV"), (False, "I"), ("no", "I"), ("perhaps", None)]
)
def test_a_declared_yes_or_no_may_be_a_word(said: Any, value: str | None) -> None:
    assert stage({"spread": said, "t": "T1"}).value == value


def test_whether_a_rule_may_be_used_can_be_borderline() -> None:
    made = apply_table(STAGE_RULE, "pancreas", {"age": 18.2, "t": "T1", "spread": False}, age=0.5)
    assert (made.value, made.details["validity"]) == ("I", ["age"])
    assert "validity" not in stage({"t": "T1"}).details


def test_what_is_not_known_to_be_the_lesion_of_the_rule_is_taken_for_it_openly() -> None:
    assert tumour({"artery": 200.0}, "pancreas_tumor").details["assumes"] == "pdac"
    assert "assumes" not in tumour({"artery": 200.0}).details
    assert "assumes" not in tumour({"artery": 200.0}, "pancreas").details
    assert tumour({"artery": 200.0}, "pancreas_head_pdac").value == "T4"
    assert tumour({"artery": 200.0}, "pancreas_pdac#2").target == "pancreas_pdac#2"


# -- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "structure"),
    [
        (T_RULE, "liver"), (T_RULE, "liver_lesion"), (KIDNEY_RULE, "kidney"), (KIDNEY_RULE, "kidney_cyst"),
        (KIDNEY_RULE, "scan"),
    ],
)  # fmt: skip
def test_another_structure_and_pairs_are_refused(rule: TableRule, structure: str) -> None:
    with pytest.raises(ToolError, match="rule"):
        apply_table(rule, structure, {"size": 3.0})


def test_inputs_of_another_thing_are_refused() -> None:
    right = given_inputs(KIDNEY_RULE, "kidney_left", {"size": 3.0, "contrast": False, "share": 1.0})
    other = given_inputs(KIDNEY_RULE, "kidney_right", {"size": 3.0, "contrast": False, "share": 1.0})

    def applied(inputs: list[Evidence]) -> Evidence:
        return derive("apply_table", rule=KIDNEY_RULE.id, structure="kidney_left", inputs=inputs, phase=NATIVE)

    assert applied(right).value == "small"
    for wrong in ([*right[:2], right[0]], right[:2], right[::-1], [other[0], *right[1:]],
                  [measured("longest_lesion_axis", "kidney_lesion_left", 3.0, "cm"), *right[1:]]):  # fmt: skip
        with pytest.raises(ToolError, match=r"rule kidney-mass-example"):
            applied(wrong)


def test_a_number_is_not_taken_for_a_yes() -> None:
    with pytest.raises(ToolError, match="needs a number"):
        kidney({"size": True})
    with pytest.raises(ToolError, match="needs a number"):
        kidney({"size": "large"})


def test_the_presence_is_that_of_the_lesion() -> None:
    for other in (measured("exists", "kidney_lesion_right", True, None), missing("volume", "kidney_lesion_left",
                                                                                 State.ABSENT)):  # fmt: skip
        inputs = given_inputs(KIDNEY_RULE, "kidney_left", {"size": 3.0})
        with pytest.raises(ToolError, match="presence of the lesion"):
            derive("apply_table", rule=KIDNEY_RULE.id, structure="kidney_left", inputs=inputs, lesion=other)


def test_a_rule_of_thresholds_is_no_table_and_the_reverse() -> None:
    one = measured("volume", "spleen", 200.0)
    with pytest.raises(UsageError, match="not a table"):
        derive("apply_table", rule="spleen-enlarged-bezerra", structure="spleen", inputs=[one])
    with pytest.raises(UsageError, match="not one of thresholds"):
        derive("apply_rule", rule=T_RULE.id, structure="pancreas", inputs=[one], thresholds=[one])


# -- phases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [None, measured("phase", "scan", "portal", None)])
def test_a_table_for_one_phase_is_refused_in_others(monkeypatch: pytest.MonkeyPatch, phase: Evidence | None) -> None:
    native = KIDNEY_RULE.model_copy(update={"phases": ("native",)})
    only_rules(monkeypatch, native)
    made = apply_table(native, "kidney_left", {"size": 5.0}, phase=phase)
    assert (made.state, made.value, made.details["refused"]) == (State.NOT_MEASURABLE, None, True)
    assert "native scans only" in str(made.reason)
    assert apply_table(native, "kidney_left", {"size": 5.0}).value == "large"


# -- verdicts of both sides ------------------------------------------------------------------------------------------


def sides(*values: dict[str, Any] | None) -> Evidence:
    verdicts = []
    for side, one in zip(("left", "right"), values, strict=True):
        made = apply_table(KIDNEY_RULE, f"kidney_{side}", {"contrast": False, **(one or {})}, present=one is not None)
        verdicts.append(derive("weigh_rules", made, verdicts=[made]))
    return derive("gravest", verdicts=verdicts)


def test_the_gravest_side_counts() -> None:
    small, large, cut = {"size": 1.0}, {"size": 5.0}, {"size": (2.0,)}
    assert (sides(small, large).value, sides(large, small).value, sides(small, small).value) == (
        "large", "large", "small",
    )  # fmt: skip
    assert sides(large, cut).value == "large"  # nothing is higher
    made = sides(small, cut)
    assert (made.state, made.value, made.details["possible"]) == (State.NOT_MEASURABLE, None, ["small", "large"])
    assert sides(small, None).value == "small"
    none = sides(None, None)
    assert (none.state, none.value, none.target) == (State.ABSENT, None, "kidney_left+kidney_right")


def test_a_side_on_which_no_lesion_was_found_leaves_the_other_ones_verdict() -> None:
    def verdict(side: str, value: str | None, **details: Any) -> Evidence:
        state = State.MEASURED if value else State.NOT_ASSESSED
        name = f"kidney_lesion_{side}"
        return Evidence.make(
            tool="test", version="1", quantity="verdict", target=name, state=state, value=value, details=details,
            reason=None if value else "nothing was found", method="made for a test",
        )  # fmt: skip

    right, bare = verdict("right", None, none_found=True), verdict("right", None)
    left = verdict("left", "cyst")
    assert (derive("gravest", verdicts=[right, left]).value, derive("gravest", verdicts=[left, right]).value) == (
        "cyst", "cyst",
    )  # fmt: skip
    assert derive("gravest", verdicts=[bare, left]).value is None
    none = derive("gravest", verdicts=[right, verdict("left", None, none_found=True)])
    assert (none.state, none.value) == (State.NOT_ASSESSED, None)


@pytest.mark.parametrize(
    ("rule", "volumes", "value"),
    [
        ("kidney-small-knowledge-base", (100.0, 200.0), True),
        ("kidney-small-knowledge-base", (200.0, 200.0), False),
        ("kidney-small-knowledge-base", (200.0, None), None),
        ("kidney-small-knowledge-base", (100.0, None), True),
        ("kidney-normal-knowledge-base", (150.0, 300.0), False),
        ("kidney-normal-knowledge-base", (150.0, None), None),
    ],
)
def test_yes_and_no_of_both_sides(rule: str, volumes: tuple[float | None, ...], value: bool | None) -> None:
    verdicts = []
    limits = derive("rule_thresholds", rule=rule)
    for side, volume in zip(("left", "right"), volumes, strict=True):
        name = f"kidney_{side}"
        one = measured("volume", name, volume) if volume else missing("volume", name, State.NOT_ASSESSED)
        made = derive("apply_rule", rule=rule, structure=name, inputs=[one], thresholds=[limits])
        verdicts.append(derive("weigh_rules", made, verdicts=[made]))
    assert derive("gravest", verdicts=verdicts).value is value


def test_weighing_keeps_the_quantity_and_what_is_open() -> None:
    made = tumour({"size": 3.0, "artery": 0.0})
    weighed = derive("weigh_rules", verdicts=[made])
    assert (weighed.quantity, weighed.state, weighed.value) == ("example_t", State.NOT_ASSESSED, None)
    assert weighed.details["possible"] == ["T4", "T2"]
    assert (weighed.details["at_least"], weighed.details["rule"]) == ("T2", T_RULE.id)
