"""Apply clinical rules of thresholds to evidence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Ids, Interval, cited, interval, unmet
from tools.ontology import load_ontology
from tools.rules.model import Rule, decide, get_rule, possible_verdicts, threshold_rule, verdict_key
from tools.rules.phases import phase_problem
from tools.rules.table import TableRule
from tools.types import Evidence, State
from tools.units import convert

_DECIDED = ("measured", "true", "false")
_OPEN = ("not_measurable", "not_assessed", "absent")
_VERDICT = {**dict.fromkeys(_DECIDED, "{rule_verdict}"), **dict.fromkeys(_OPEN, "{rule_open}")}


@tool(version="1", reads=(), says={"threshold": {"measured": "A threshold of the {detail.source} rule is {value}."}})
def rule_thresholds(case: Facts, make: Maker, *, rule: str) -> list[Evidence]:
    """The thresholds of a rule, as evidence that a sentence can cite.

    Args:
        rule: identifier of the rule.
    """
    found = get_rule(rule)
    rows: list[tuple[float, str | None, dict[str, Any]]]
    if isinstance(found, TableRule):
        rows = [
            (limit, one.unit, {"input": name}) for name, one in found.inputs.items() for limit in found.limits(name)
        ]
    else:
        rows = [
            (edge, criterion.unit, {"criterion": number})
            for number, criterion in enumerate(found.criteria)
            for edge in criterion.edges
        ]
    return [
        make(
            "threshold", found.id, state=State.MEASURED, value=value, unit=unit, method=found.citation,
            details={"rule_version": found.version, "source": found.source, **of},
        )
        for value, unit, of in rows
    ]  # fmt: skip


@tool(version="4", reads=("evidence",), says={"verdict": _VERDICT})
def apply_rule(
    case: Facts,
    make: Maker,
    *,
    rule: str,
    structure: str,
    inputs: Ids,
    thresholds: Ids,
    phase: EvidenceId | None = None,
) -> list[Evidence]:
    """Verdict of one rule on the evidence that it needs.

    Args:
        rule: identifier of the rule.
        structure: the structure that it is applied to.
        inputs: evidence ids, one per criterion, in the rule's order.
        thresholds: evidence ids of the rule's thresholds.
        phase: evidence id of the contrast phase; needed by rules that are valid in some phases only.
    """
    found = threshold_rule(rule)
    given = [cited(case, ident) for ident in inputs]
    _check_fit(found, structure, given)
    sources = (*inputs, *thresholds, *((phase,) if phase else ()))
    details: dict[str, Any] = {"rule": found.id, "rule_version": found.version, "source": found.source}
    common: dict[str, Any] = {"inputs": sources, "method": found.citation, "details": details}

    def undecided(state: State, reason: str, **more: Any) -> list[Evidence]:
        return [make("verdict", structure, state=state, reason=reason, **common, **more)]

    if problem := phase_problem(found, cited(case, phase) if phase else None):
        return undecided(State.NOT_MEASURABLE, problem)
    verdicts: list[bool | str | None] = []
    points, ranges = [], []
    for criterion, one in zip(found.criteria, given, strict=True):
        span = interval(one)
        known = None if span is None else _in_unit(span, one.unit, criterion.unit)
        verdicts.append(None if known is None else decide(criterion, known))
        ranges.append(
            tuple(dict.fromkeys(criterion.verdicts)) if known is None else possible_verdicts(criterion, known)
        )
        points.append(ranges[-1] if verdicts[-1] is None else (verdicts[-1],))
    worst = _worst(found, points)
    if len(worst) > 1:
        missing = unmet(given)
        if missing is not None or not any(interval(one) for one in given):
            return undecided(*(missing or (State.NOT_MEASURABLE, "an input is no number")))
        open_ = given[verdicts.index(None)]
        return undecided(
            State.NOT_MEASURABLE, f"{open_.reason}, and what is seen does not decide it",
            lower_bound=open_.lower_bound, unit=open_.unit,
        )  # fmt: skip
    value = worst[0]
    readings = _worst(found, ranges) if all(interval(one) for one in given) else worst
    details |= {
        "text": found.text[verdict_key(value)],
        "normal": value in found.normal,
        "by_criterion": verdicts,
        "disagree": len({verdict for verdict in verdicts if verdict is not None}) > 1,
        "borderline": sorted(str(one) for one in readings) if len(readings) > 1 else [],
    }
    return [make("verdict", structure, state=State.MEASURED, value=value, **common)]


def _check_fit(rule: Rule, structure: str, given: Sequence[Evidence]) -> None:
    """Refuse a rule for another structure or a pair, and inputs that are not what its criteria measure."""
    asked = load_ontology().get(structure)
    if asked.base != rule.structure or any(load_ontology().get(part).base == asked.base for part in asked.parts):
        raise ToolError(f"rule {rule.id} is for one {rule.structure}, not for the {asked.name}")
    if len(given) != len(rule.criteria):
        raise ToolError(f"rule {rule.id} needs {len(rule.criteria)} inputs")
    for criterion, one in zip(rule.criteria, given, strict=True):
        sources = [criterion.measure, *([criterion.over] if criterion.over else [])]
        quantity = criterion.measure.quantity + ("_ratio" if criterion.over else "")
        target = "+".join(source.structure.replace("$structure", structure) for source in sources)
        if (one.quantity, one.target) != (quantity, target):
            raise ToolError(f"rule {rule.id} needs the {quantity} of {target}, not the {one.quantity} of {one.target}")


def _in_unit(span: Interval, unit: str | None, to: str) -> Interval:
    if unit is None or unit == to:
        return span
    value = None if span.value is None else convert(span.value, unit, to)
    return Interval(value, convert(span.low, unit, to), convert(span.high, unit, to))


def _worst(rule: Rule, possible: Sequence[Sequence[bool | str]]) -> list[bool | str]:
    """Every verdict that the worst of the criteria may be, given the verdicts that each may have."""
    return list(dict.fromkeys(rule.worse(way) for way in itertools.product(*possible)))
