"""Every rule at, just below and just above every threshold, against a table that stands apart from the rules' files."""

from __future__ import annotations

import itertools
import re

import pytest

from agent.errors import ToolError
from tests.evidence_make import measured, missing
from tests.rule_make import (
    ATTENUATION,
    NATIVE_ONLY,
    PAIRS,
    RANKS,
    RATIOS,
    VOLUMES,
    Verdict,
    apply,
    given_for,
    thresholds,
)
from tools.base import Facts
from tools.phase import PHASES
from tools.registry import load_tools
from tools.types import Evidence, State

EPS = 0.01
SINGLE = [(rule, *row) for table in (VOLUMES, ATTENUATION, RATIOS) for rule, rows in table.items() for row in rows]


@pytest.mark.parametrize(("rule", "value", "verdict"), SINGLE)
def test_every_threshold(rule: str, value: float, verdict: Verdict) -> None:
    made = apply(rule, given_for(rule, float(value)))
    assert (made.state, made.value) == (State.MEASURED, verdict)
    assert type(made.value) is type(verdict)


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_the_grade_is_the_worse_of_both(rule: str) -> None:
    for (hu, by_hu), (ratio, by_ratio) in itertools.product(*PAIRS[rule]):
        made = apply(rule, given_for(rule, float(hu), ratio))
        assert made.value == max(by_hu, by_ratio, key=lambda one: RANKS[rule].index(str(one)))
        assert made.details["by_criterion"] == [by_hu, by_ratio]
        assert made.details["disagree"] is (by_hu != by_ratio)


@pytest.mark.parametrize("rule", sorted(PAIRS))
@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE])
def test_the_worst_there_can_be_needs_no_second_criterion(rule: str, state: State) -> None:
    for at, worst in ((0, 10.0), (1, 0.1)):
        inputs = given_for(rule, 10.0, 0.1)
        missing_one = inputs[1 - at]
        inputs[1 - at] = missing(missing_one.quantity, missing_one.target, state, missing_one.unit)
        made = apply(rule, inputs)
        row = PAIRS[rule][at]
        lowest = next(verdict for value, verdict in row if value == min(v for v, _ in row))
        decides = lowest == RANKS[rule][-1]
        assert (made.value, made.state) == ((lowest, State.MEASURED) if decides else (None, state)), worst


def test_the_table_covers_every_rule_and_every_edge() -> None:
    assert set(thresholds()) == {*VOLUMES, *ATTENUATION, *RATIOS, *PAIRS}
    rows = {**VOLUMES, **ATTENUATION, **RATIOS}
    for ident, rule in thresholds().items():
        tables = PAIRS.get(ident) or (rows[ident],)
        for criterion, table in zip(rule.criteria, tables, strict=True):
            values = [value for value, _ in table]
            for edge in criterion.edges:
                assert edge in values, (ident, edge)
                assert any(0 < edge - value <= EPS + 1e-9 for value in values), (ident, edge)
                assert any(0 < value - edge <= EPS + 1e-9 for value in values), (ident, edge)
            assert {verdict for _, verdict in table} == set(criterion.verdicts)


def test_every_rule_says_where_it_comes_from() -> None:
    for ident, rule in thresholds().items():
        assert rule.id == ident
        assert re.search(r"doi:10\.\d{4,}/|arXiv:\d{4}\.\d{5}|version \d", rule.citation), ident
        assert (rule.phases == ("native",)) is (ident in NATIVE_ONLY)
        assert set(rule.phases) <= set(PHASES)
        for criterion in rule.criteria:
            unit = {"volume": "cm3", "hu_mean": "HU"}[criterion.measure.quantity]
            assert criterion.unit == ("1" if criterion.over else unit)


@pytest.mark.parametrize("rule", sorted(thresholds()))
def test_thresholds_are_evidence(rule: str) -> None:
    made = load_tools()["rule_thresholds"].call(Facts(), {"rule": rule})
    edges = [(c.unit, e) for c in thresholds()[rule].criteria for e in c.edges]
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
