"""Rules on inputs that are missing, cut off or not the right ones, and rules that conflict."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ToolError
from tests.evidence_make import at_least, derive, measured, missing
from tests.rule_make import (
    KODAMA,
    VOLUMES,
    Verdict,
    apply,
    given_for,
    subject,
    thresholds,
)
from tools.base import Facts
from tools.intervals import Interval
from tools.registry import load_tools
from tools.rules.model import decide, possible_verdicts, rules_for
from tools.types import Evidence, State


@pytest.mark.parametrize("rule", sorted(thresholds()))
@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE])
def test_a_missing_input_decides_nothing(rule: str, state: State) -> None:
    for at, one in enumerate(full := given_for(rule, 45.0, 0.6)):
        inputs: list[Evidence] = [*full]
        inputs[at] = missing(one.quantity, one.target, state, one.unit)
        made = apply(rule, inputs)
        assert (made.state, made.value, made.lower_bound) == (state, None, None)
        assert made.reason == f"reason for {one.target}"


def test_of_two_missing_inputs_the_graver_state_counts() -> None:
    inputs = [
        missing("hu_mean", "liver", State.NOT_MEASURABLE, "HU"),
        missing("hu_mean_ratio", "liver+spleen", State.NOT_ASSESSED, "1"),
    ]
    assert apply(KODAMA, inputs).state is State.NOT_ASSESSED


@pytest.mark.parametrize(
    ("rule", "bound", "verdict"),
    [
        ("liver-enlarged-knowledge-base", 1900.0, True),
        ("liver-enlarged-knowledge-base", 1800.0, None),
        ("liver-enlarged-radgpt", 1900.0, None),
        ("liver-normal-knowledge-base", 1900.0, False),
        ("liver-normal-knowledge-base", 900.0, None),
        ("liver-normal-knowledge-base", 1500.0, None),
        ("liver-small-knowledge-base", 1000.0, False),
        ("liver-small-knowledge-base", 999.9, None),
        ("spleen-enlarged-bezerra", 261.0, None),
        ("spleen-enlarged-bezerra", 314.5, None),
        ("spleen-enlarged-bezerra", 320.0, True),
        ("spleen-grade-bezerra", 320.0, None),
        ("spleen-grade-bezerra", 801.0, "severe"),
        ("spleen-normal-bezerra", 320.0, False),
        ("kidney-small-knowledge-base", 130.0, False),
    ],
)
def test_a_bound_that_decides_decides(rule: str, bound: float, verdict: Verdict | None) -> None:
    made = apply(rule, [at_least("volume", subject(rule), bound)])
    assert made.value == verdict
    assert made.state is (State.NOT_MEASURABLE if verdict is None else State.MEASURED)
    if verdict is None:
        assert made.lower_bound == bound
        assert "it is cut off" in str(made.reason)


@given(rule=st.sampled_from(sorted(VOLUMES)), bound=st.floats(0, 4000), more=st.floats(0, 4000))
@settings(max_examples=300, deadline=None)
def test_a_verdict_from_a_bound_holds_for_every_true_value(rule: str, bound: float, more: float) -> None:
    criterion = thresholds()[rule].criteria[0]
    verdict = decide(criterion, Interval(None, bound, float("inf")))
    truth = decide(criterion, Interval(bound + more, bound + more, bound + more))
    assert truth is not None
    assert verdict is None or verdict == truth


@given(value=st.floats(-10, 4000), margin=st.floats(0, 300), rule=st.sampled_from(sorted(thresholds())))
@settings(max_examples=200, deadline=None)
def test_the_verdict_is_among_the_possible_ones(value: float, margin: float, rule: str) -> None:
    for criterion in thresholds()[rule].criteria:
        known = Interval(value, value - margin, value + margin)
        assert decide(criterion, known) in possible_verdicts(criterion, known)


def test_borderline_names_the_other_verdict() -> None:
    close = measured("volume", "spleen", 310.0, margin=10.0)
    made = apply("spleen-enlarged-bezerra", [close])
    assert (made.value, made.details["borderline"]) == (False, ["False", "True"])
    clear = measured("volume", "spleen", 200.0, margin=10.0)
    assert apply("spleen-enlarged-bezerra", [clear]).details["borderline"] == []


def test_other_units_are_converted() -> None:
    rule = "spleen-enlarged-bezerra"
    assert apply(rule, [measured("volume", "spleen", 0.3146, "l")]).value is True
    assert apply(rule, [measured("volume", "spleen", 314500.0, "mm3")]).value is False


@pytest.mark.parametrize(
    ("rule", "structure", "inputs"),
    [
        ("spleen-enlarged-bezerra", "spleen", [measured("volume", "liver", 1500.0)]),
        ("spleen-enlarged-bezerra", "spleen", [measured("volume_without_lesions", "spleen", 200.0)]),
        ("spleen-enlarged-bezerra", "liver", [measured("volume", "liver", 1500.0)]),
        ("kidney-enlarged-radgpt", "kidney_left", [measured("volume", "kidney_right", 300.0)]),
        ("liver-fatty-ratio", "liver", [measured("hu_mean_ratio", "spleen+liver", 0.9, "1")]),
        (KODAMA, "liver", given_for(KODAMA, 45.0, 0.6)[:1]),
        (KODAMA, "liver", given_for(KODAMA, 45.0, 0.6)[::-1]),
    ],
)
def test_inputs_of_another_thing_are_refused(rule: str, structure: str, inputs: list[Evidence]) -> None:
    with pytest.raises(ToolError, match="rule"):
        apply(rule, inputs, structure=structure)


@pytest.mark.parametrize("rule", [name for name in VOLUMES if name.startswith("kidney")])
def test_kidney_rules_are_for_one_kidney(rule: str) -> None:
    with pytest.raises(ToolError, match="one kidney"):
        apply(rule, [measured("volume", "kidney", 320.0)], structure="kidney")
    for side in ("left", "right"):
        made = apply(rule, [measured("volume", f"kidney_{side}", 150.0)], structure=f"kidney_{side}")
        assert (made.target, made.state) == (f"kidney_{side}", State.MEASURED)


# -- rules that conflict ----------------------------------------------------------------------------------------------


def both(volume: Evidence) -> list[Evidence]:
    return [apply(rule.id, [volume]) for rule in rules_for("enlarged", "liver")]


def test_conflicting_rules_are_both_named_and_the_first_source_answers() -> None:
    verdicts = both(measured("volume", "liver", 2200.0))
    made = derive("weigh_rules", verdicts=verdicts)
    assert (made.value, made.details["source"], made.details["disagree"]) == (True, "knowledge-base", True)
    assert set(made.inputs) == {one.id for one in verdicts}
    preferred = derive("weigh_rules", verdicts=verdicts, prefer=("RadGPT",))
    assert (preferred.value, preferred.details["source"], preferred.details["disagree"]) == (False, "RadGPT", True)
    assert derive("weigh_rules", verdicts=verdicts, prefer=("nobody",)).details["source"] == "knowledge-base"


def test_rules_that_agree_do_not_disagree() -> None:
    for volume, verdict in ((1500.0, False), (3500.0, True)):
        made = derive("weigh_rules", verdicts=both(measured("volume", "liver", volume)))
        assert (made.value, made.details["disagree"]) == (verdict, False)


def test_an_undecided_rule_does_not_disagree() -> None:
    made = derive("weigh_rules", verdicts=both(at_least("volume", "liver", 1900.0)))
    assert (made.value, made.details["disagree"]) == (True, False)
    other = derive("weigh_rules", verdicts=both(at_least("volume", "liver", 1900.0)), prefer=("RadGPT",))
    assert (other.state, other.value, other.lower_bound) == (State.NOT_MEASURABLE, None, 1900.0)


def test_documented_conflicts_have_two_sources_and_an_order() -> None:
    for topic, organ in (
        ("enlarged", "liver"),
        ("enlarged", "pancreas"),
        ("enlarged", "kidney"),
        ("fatty", "pancreas"),
    ):
        rules = rules_for(topic, organ)
        assert len({rule.source for rule in rules}) == 2
        assert [rule.priority for rule in rules] == [1, 2]
    assert rules_for("enlarged", "prostate") == []
    made = load_tools()["no_rule"].call(Facts(), {"topic": "enlarged", "structure": "prostate"})[0]
    assert (made.state, made.value) == (State.NOT_ASSESSED, None)
