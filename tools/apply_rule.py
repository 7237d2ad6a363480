"""Apply clinical rules to evidence, and weigh rules that conflict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Ids, Interval, cited, interval, unmet
from tools.ontology import load_ontology
from tools.rules.model import Rule, decide, get_rule, possible_verdicts, verdict_key
from tools.types import Evidence, State
from tools.units import convert

_DECIDED = ("measured", "true", "false")
_OPEN = ("not_measurable", "not_assessed", "absent")
_VERDICT = {**dict.fromkeys(_DECIDED, "{rule_verdict}"), **dict.fromkeys(_OPEN, "{rule_open}")}
_WEIGHED = {
    **dict.fromkeys(_DECIDED, "{input_sentences}{disagreement}"),
    **dict.fromkeys(_OPEN, "{input_sentences}"),
}


@tool(version="1", reads=(), says={"threshold": {"measured": "A threshold of the {detail.source} rule is {value}."}})
def rule_thresholds(case: Facts, make: Maker, *, rule: str) -> list[Evidence]:
    """The thresholds of a rule, as evidence that a sentence can cite.

    Args:
        rule: identifier of the rule.
    """
    found = get_rule(rule)
    made = []
    for number, criterion in enumerate(found.criteria):
        for edge in criterion.edges:
            made.append(
                make(
                    "threshold", found.id, state=State.MEASURED, value=edge, unit=criterion.unit,
                    method=found.citation,
                    details={"rule_version": found.version, "criterion": number, "source": found.source},
                )
            )  # fmt: skip
    return made


@tool(version="3", reads=("evidence",), says={"verdict": _VERDICT})
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
    found = get_rule(rule)
    given = [cited(case, ident) for ident in inputs]
    _check_fit(found, structure, given)
    sources = (*inputs, *thresholds, *((phase,) if phase else ()))
    details: dict[str, Any] = {"rule": found.id, "rule_version": found.version, "source": found.source}
    common: dict[str, Any] = {"inputs": sources, "method": found.citation, "details": details}

    def undecided(state: State, reason: str, **more: Any) -> list[Evidence]:
        return [make("verdict", structure, state=state, reason=reason, **common, **more)]

    if found.phases and (problem := _phase_problem(found, cited(case, phase) if phase else None)):
        return undecided(State.NOT_MEASURABLE, problem)
    known = [interval(one) for one in given]
    if any(span is None for span in known):
        state, reason = unmet(given) or (State.NOT_MEASURABLE, "an input is no number")
        return undecided(state, reason)
    verdicts, ranges = [], []
    for criterion, one, span in zip(found.criteria, given, known, strict=True):
        assert span is not None
        fitting = _in_unit(span, one.unit, criterion.unit)
        verdicts.append(decide(criterion, fitting))
        ranges.append(possible_verdicts(criterion, fitting))
    if any(verdict is None for verdict in verdicts):
        open_ = given[verdicts.index(None)]
        return undecided(
            State.NOT_MEASURABLE, f"{open_.reason}, and what is seen does not decide it",
            lower_bound=open_.lower_bound, unit=open_.unit,
        )  # fmt: skip
    decided = [verdict for verdict in verdicts if verdict is not None]
    value = found.worse(decided)
    details |= {
        "text": found.text[verdict_key(value)],
        "normal": value in found.normal,
        "by_criterion": list(decided),
        "disagree": len(set(decided)) > 1,
        "borderline": sorted({str(v) for r in ranges for v in r if len(r) > 1}),
    }
    return [make("verdict", structure, state=State.MEASURED, value=value, **common)]


@tool(version="2", reads=("evidence", "settings"), says={"verdict": _WEIGHED})
def weigh_rules(case: Facts, make: Maker, *, verdicts: Ids) -> list[Evidence]:
    """The answer of several rules on one question: that of the preferred source; disagreement is named.

    Args:
        verdicts: evidence ids of verdicts, in order of the rules' priority.
    """
    given = [cited(case, ident) for ident in verdicts]

    def rank(one: Evidence) -> int:
        source = str(one.details.get("source"))
        prefer = case.settings.prefer
        return prefer.index(source) if source in prefer else len(prefer)

    chosen = sorted(given, key=rank)[0]
    decided = {str(one.value) for one in given if one.state is State.MEASURED}
    return [
        make(
            "verdict", chosen.target, state=chosen.state, value=chosen.value, unit=chosen.unit,
            lower_bound=chosen.lower_bound, reason=chosen.reason, inputs=tuple(verdicts),
            method=f"verdict of the preferred source ({chosen.details.get('source')})",
            details={
                "source": chosen.details.get("source"), "disagree": len(decided) > 1, "chosen": chosen.id,
                "normal": all(one.details.get("normal", True) for one in given),
            },
        )
    ]  # fmt: skip


@tool(version="1", reads=(), says={"verdict": {"not_assessed": "Nothing can be said of the {target}: {reason}."}})
def no_rule(case: Facts, make: Maker, *, topic: str, structure: str) -> list[Evidence]:
    """Says that no rule is encoded for a topic and a structure.

    Args:
        topic: topic of the rules looked for.
        structure: canonical identifier.
    """
    reason = f"no rule on this ({topic.replace('_', ' ')}) is encoded for it"
    return [make("verdict", structure, state=State.NOT_ASSESSED, reason=reason, method="look-up of the rules")]


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


def _phase_problem(rule: Rule, phase: Evidence | None) -> str | None:
    allowed = " or ".join(rule.phases)
    if phase is not None and (phase.quantity, phase.target) != ("phase", "scan"):
        raise ToolError(f"the contrast phase is needed, not the {phase.quantity} of {phase.target}")
    if phase is None or phase.state is not State.MEASURED:
        why = phase.reason if phase else "it was not determined"
        return f"the rule holds for {allowed} scans only, and the contrast phase is not known ({why})"
    if phase.value not in rule.phases:
        return (
            f"the rule holds for {allowed} scans only, and this scan's contrast phase is {phase.value} ({phase.reason})"
        )
    return None


def _in_unit(span: Interval, unit: str | None, to: str) -> Interval:
    if unit is None or unit == to:
        return span
    value = None if span.value is None else convert(span.value, unit, to)
    return Interval(value, convert(span.low, unit, to), convert(span.high, unit, to))
