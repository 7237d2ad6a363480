"""Every rule at, just below and just above every threshold, against a table that stands apart from the rules' files."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ToolError, UsageError
from tests.evidence_make import at_least, derive, measured, missing
from tools.intervals import Interval
from tools.phase import PHASES
from tools.registry import load_tools
from tools.rules.model import Criterion, Rule, decide, get_rule, load_rules, possible_verdicts, rules_for
from tools.types import Evidence, State

Verdict = bool | str
Rows = list[tuple[float, Verdict]]
EPS = 0.01

# rule, criterion → the verdict at each value. Values are the thresholds and their nearest neighbours.
VOLUMES: dict[str, Rows] = {
    "spleen-enlarged-bezerra": [(314.49, False), (314.5, False), (314.51, True)],
    "spleen-normal-bezerra": [(5, True), (314.49, True), (314.5, True), (314.51, False)],
    "spleen-grade-bezerra": [
        (100, "normal"), (314.49, "normal"), (314.5, "normal"), (314.51, "mild"), (499.99, "mild"), (500, "mild"),
        (500.01, "moderate"), (799.99, "moderate"), (800, "moderate"), (800.01, "severe"), (3000, "severe"),
    ],
    "liver-enlarged-knowledge-base": [(1799.99, False), (1800, False), (1800.01, True)],
    "liver-enlarged-radgpt": [(2999.99, False), (3000, False), (3000.01, True)],
    "liver-small-knowledge-base": [(999.99, True), (1000, False), (1000.01, False)],
    "liver-normal-knowledge-base": [
        (999.99, False), (1000, True), (1000.01, True), (1799.99, True), (1800, True), (1800.01, False),
    ],
    "pancreas-enlarged-knowledge-base": [(99.99, False), (100, False), (100.01, True)],
    "pancreas-enlarged-radgpt": [(82.99, False), (83, False), (83.01, True)],
    "pancreas-small-knowledge-base": [(39.99, True), (40, False), (40.01, False)],
    "pancreas-normal-knowledge-base": [
        (39.99, False), (40, True), (40.01, True), (99.99, True), (100, True), (100.01, False),
    ],
    "kidney-enlarged-knowledge-base": [(259.99, False), (260, False), (260.01, True)],
    "kidney-enlarged-radgpt": [(207.59, False), (207.6, False), (207.61, True)],
    "kidney-small-knowledge-base": [(129.99, True), (130, False), (130.01, False)],
    "kidney-normal-knowledge-base": [
        (129.99, False), (130, True), (130.01, True), (259.99, True), (260, True), (260.01, False),
    ],
}  # fmt: skip
ATTENUATION: dict[str, Rows] = {"liver-fatty-radgpt": [(39.99, True), (40, True), (40.01, False)]}
RATIOS: dict[str, Rows] = {
    "liver-fatty-ratio": [(0.99, True), (1.0, False), (1.01, False)],
    "pancreas-fatty-knowledge-base": [(0.69, True), (0.7, False), (0.71, False)],
    "pancreas-fatty-radgpt": [(0.69, True), (0.7, True), (0.71, False)],
}
KODAMA_HU: Rows = [
    (38.99, "G3"), (39, "G2"), (39.01, "G2"), (50, "G2"), (50.99, "G2"), (51, "G1"), (51.01, "G1"), (57, "G1"),
    (57.99, "G1"), (58, "G0"), (58.01, "G0"),
]  # fmt: skip
KODAMA_RATIO: Rows = [
    (0.49, "G3"), (0.5, "G2"), (0.51, "G2"), (0.79, "G2"), (0.8, "G1"), (0.81, "G1"), (0.99, "G1"), (1.0, "G0"),
    (1.01, "G0"),
]  # fmt: skip
KODAMA = "liver-steatosis-grade-kodama"
NATIVE_ONLY = {*ATTENUATION, *RATIOS, KODAMA}
NATIVE = measured("phase", "scan", "native", None)


def subject(rule: str) -> str:
    organ = rule.partition("-")[0]
    return "kidney_left" if organ == "kidney" else organ


def given_for(rule: str, value: float, other: float | None = None) -> list[Evidence]:
    organ = subject(rule)
    if rule in VOLUMES:
        return [measured("volume", organ, value)]
    if rule in ATTENUATION:
        return [measured("hu_mean", organ, value, "HU")]
    ratio = measured("hu_mean_ratio", f"{organ}+spleen", value if other is None else other, "1")
    return [ratio] if rule in RATIOS else [measured("hu_mean", organ, value, "HU"), ratio]


def apply(rule: str, inputs: list[Evidence], *, structure: str | None = None, phase: Evidence | None = NATIVE) -> Evidence:
    limits = load_tools()["rule_thresholds"].call(_no_facts(), {"rule": rule})
    more: dict[str, Any] = {"phase": phase} if phase is not None else {}
    return derive("apply_rule", rule=rule, structure=structure or subject(rule), inputs=inputs, thresholds=limits, **more)


def _no_facts() -> Any:
    from tools.base import Facts

    return Facts()


SINGLE = [(rule, *row) for table in (VOLUMES, ATTENUATION, RATIOS) for rule, rows in table.items() for row in rows]


@pytest.mark.parametrize(("rule", "value", "verdict"), SINGLE)
def test_every_threshold(rule: str, value: float, verdict: Verdict) -> None:
    made = apply(rule, given_for(rule, float(value)))
    assert (made.state, made.value) == (State.MEASURED, verdict)
    assert type(made.value) is type(verdict)


@pytest.mark.parametrize(("hu", "by_hu"), KODAMA_HU)
@pytest.mark.parametrize(("ratio", "by_ratio"), KODAMA_RATIO)
def test_the_grade_of_steatosis_is_the_worse_of_both(hu: float, by_hu: str, ratio: float, by_ratio: str) -> None:
    made = apply(KODAMA, given_for(KODAMA, float(hu), ratio))
    assert made.value == max(by_hu, by_ratio)
    assert made.details["by_criterion"] == [by_hu, by_ratio]
    assert made.details["disagree"] is (by_hu != by_ratio)


def test_the_table_covers_every_rule_and_every_edge() -> None:
    assert set(load_rules()) == {*VOLUMES, *ATTENUATION, *RATIOS, KODAMA}
    rows = {**VOLUMES, **ATTENUATION, **RATIOS}
    for ident, rule in load_rules().items():
        tables = [KODAMA_HU, KODAMA_RATIO] if ident == KODAMA else [rows[ident]]
        for criterion, table in zip(rule.criteria, tables, strict=True):
            values = [value for value, _ in table]
            for edge in criterion.edges:
                assert edge in values, (ident, edge)
                assert any(0 < edge - value <= EPS + 1e-9 for value in values), (ident, edge)
                assert any(0 < value - edge <= EPS + 1e-9 for value in values), (ident, edge)
            assert {verdict for _, verdict in table} == set(criterion.verdicts)


def test_every_rule_says_where_it_comes_from() -> None:
    for ident, rule in load_rules().items():
        assert rule.id == ident
        assert re.search(r"doi:10\.\d{4,}/|arXiv:\d{4}\.\d{5}|version \d", rule.citation), ident
        assert (rule.phases == ("native",)) is (ident in NATIVE_ONLY)
        assert set(rule.phases) <= set(PHASES)
        for criterion in rule.criteria:
            assert criterion.unit == {"volume": "cm3", "hu_mean": "1" if criterion.over else "HU"}[criterion.measure.quantity]  # fmt: skip


@pytest.mark.parametrize("rule", sorted(load_rules()))
def test_thresholds_are_evidence(rule: str) -> None:
    made = load_tools()["rule_thresholds"].call(_no_facts(), {"rule": rule})
    edges = [(c.unit, e) for c in load_rules()[rule].criteria for e in c.edges]
    assert [(one.unit, one.value) for one in made] == edges
    assert len({one.id for one in made}) == len(made)


# -- phases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(NATIVE_ONLY))
@pytest.mark.parametrize("phase", ["arterial", "portal", "delayed"])
def test_plain_scan_rules_are_refused_with_contrast(rule: str, phase: str) -> None:
    named = Evidence.make(
        tool="test", version="1", quantity="phase", target="scan", value=phase, state=State.MEASURED, method="test",
        reason="declared by the user",
    )  # fmt: skip
    made = apply(rule, given_for(rule, 45.0, 0.6), phase=named)
    assert (made.state, made.value) == (State.NOT_MEASURABLE, None)
    assert phase in str(made.reason)
    assert "native scans only" in str(made.reason)


@pytest.mark.parametrize("rule", sorted(NATIVE_ONLY))
@pytest.mark.parametrize("phase", [None, State.NOT_ASSESSED, State.NOT_MEASURABLE])
def test_plain_scan_rules_are_refused_where_the_phase_is_not_known(rule: str, phase: State | None) -> None:
    unknown = missing("phase", "scan", phase, None) if phase else None
    made = apply(rule, given_for(rule, 45.0, 0.6), phase=unknown)
    assert (made.state, made.value) == (State.NOT_MEASURABLE, None)
    assert "not known" in str(made.reason)


@pytest.mark.parametrize("rule", sorted(VOLUMES))
def test_size_rules_hold_in_every_phase(rule: str) -> None:
    for phase in (None, *(measured("phase", "scan", name, None) for name in PHASES)):
        assert apply(rule, given_for(rule, 45.0), phase=phase).state is State.MEASURED


def test_something_else_is_no_phase() -> None:
    with pytest.raises(ToolError, match="contrast phase is needed"):
        apply("liver-fatty-ratio", given_for("liver-fatty-ratio", 0.9), phase=measured("side", "scan", "native", None))


# -- inputs that are missing, cut off, or not the right ones ----------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(load_rules()))
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
    criterion = load_rules()[rule].criteria[0]
    verdict = decide(criterion, Interval(None, bound, float("inf")))
    truth = decide(criterion, Interval(bound + more, bound + more, bound + more))
    assert truth is not None
    assert verdict is None or verdict == truth


@given(value=st.floats(-10, 4000), margin=st.floats(0, 300), rule=st.sampled_from(sorted(load_rules())))
@settings(max_examples=200, deadline=None)
def test_the_verdict_is_among_the_possible_ones(value: float, margin: float, rule: str) -> None:
    for criterion in load_rules()[rule].criteria:
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
    for topic, organ in (("enlarged", "liver"), ("enlarged", "pancreas"), ("enlarged", "kidney"), ("fatty", "pancreas")):
        rules = rules_for(topic, organ)
        assert len({rule.source for rule in rules}) == 2
        assert [rule.priority for rule in rules] == [1, 2]
    assert rules_for("enlarged", "prostate") == []
    made = load_tools()["no_rule"].call(_no_facts(), {"topic": "enlarged", "structure": "prostate"})[0]
    assert (made.state, made.value) == (State.NOT_ASSESSED, None)


# -- the files' own checks --------------------------------------------------------------------------------------------


def test_an_unknown_rule_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="There is no rule 'nonsense'"):
        get_rule("nonsense")


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [2.0, 1.0], "verdicts": [False, True, False]},
        {"edges": [1.0, 1.0], "verdicts": [False, True, False]},
        {"verdicts": [False]},
        {"verdicts": [False, True, False]},
        {"at_edge": ["lower", "upper"]},
        {"at_edge": "middle"},
        {"edges": []},
        {"colour": "red"},
    ],
)
def test_a_malformed_criterion_is_refused(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "measure": {"structure": "$structure", "quantity": "volume"}, "unit": "cm3", "edges": [1.0],
        "verdicts": [False, True], "at_edge": "lower",
    }  # fmt: skip
    assert Criterion.model_validate(good).band(1.0) == 0
    with pytest.raises(ValidationError):
        Criterion.model_validate({**good, **change})


def test_a_rule_needs_words_for_every_verdict() -> None:
    whole = load_rules()["spleen-grade-bezerra"].model_dump()
    assert Rule.model_validate(whole)
    for broken in ({"text": {"normal": "is fine"}}, {"noun": None}):
        with pytest.raises(ValidationError):
            Rule.model_validate({**whole, **broken})
    grade = load_rules()[KODAMA].model_dump()
    with pytest.raises(ValidationError):
        Rule.model_validate({**grade, "severity": ("G0", "G1", "G2")})
