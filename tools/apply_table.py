"""Apply clinical rules that are decision tables to evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Ids, cited
from tools.ontology import is_pair, load_ontology
from tools.rules.decide import Outcome, Reading, evaluate, holds
from tools.rules.model import quantity_of, table_rule, verdict_key
from tools.rules.phases import phase_problem
from tools.rules.readings import BOTH, SMALL, reading
from tools.rules.subject import Subject, input_calls, subject_of
from tools.rules.table import ANY_ORGAN, Call, TableRule, Verdict
from tools.types import Evidence, State

_VERDICT = {
    **dict.fromkeys(("measured", "true", "false"), "{rule_verdict}"),
    **dict.fromkeys(("not_measurable", "not_assessed", "absent"), "{rule_open}"),
}
_Limits = Annotated[list[EvidenceId], Field(max_length=256)]


@tool(version="4", reads=("evidence",), says={"*": _VERDICT})
def apply_table(
    case: Facts,
    make: Maker,
    *,
    rule: str,
    structure: str,
    inputs: Ids,
    thresholds: _Limits | None = None,
    phase: EvidenceId | None = None,
    lesion: EvidenceId | None = None,
) -> list[Evidence]:
    """Verdict of one decision table on the evidence that it needs; what is not known stays open.

    Args:
        rule: identifier of the rule.
        structure: the organ or lesion that it is applied to.
        inputs: evidence ids, one per input, in the rule's order.
        thresholds: evidence ids of the rule's limits.
        phase: evidence id of the contrast phase; needed by rules that are valid in some phases only.
        lesion: evidence id of the presence of the lesion; where none was found, there is nothing to judge, nor a
            category to give on a side of a pair on which none is known.
    """
    found = table_rule(rule)
    subject = subject_of(structure, frozenset({found.structure}))
    given = dict(zip(found.inputs, (cited(case, ident) for ident in inputs), strict=False))
    present = cited(case, lesion) if lesion else None
    _check_fit(found, subject, given, len(inputs), present)
    details: dict[str, Any] = {
        "rule": found.id, "rule_version": found.version, "source": found.source, "noun": found.noun,
        "unknown": found.unknown,
    }  # fmt: skip
    if (assumed := subject.assumes(found)) is not None:
        details["assumes"] = assumed
    other = _other_types(present, assumed)
    if present is not None and present.details.get("none_found"):
        details["none_found"] = True
    more = (*(thresholds or ()), *((phase,) if phase else ()), *((lesion,) if lesion else ()))
    common: dict[str, Any] = {"inputs": (*inputs, *more), "method": found.citation, "details": details}

    def undecided(state: State, reason: str | None) -> list[Evidence]:
        return [make(found.quantity, structure, state=state, reason=reason, **common)]

    if other:
        return undecided(State.NOT_ASSESSED, f"the labels show lesions of another kind among them ({other})")

    if present is not None and _nothing_there(found, subject, present):
        details["no_lesion"] = True
        return undecided(present.state, present.reason)
    if problem := phase_problem(found, cited(case, phase) if phase else None):
        details["refused"] = True
        return undecided(State.NOT_MEASURABLE, problem)
    points = {name: reading(found, name, one, whole=False) for name, one in given.items()}
    spans = {name: reading(found, name, one, whole=True) for name, one in given.items()}
    refusal = _refusal(found, given, points)
    if refusal is not None:
        details["refused"] = True
        return undecided(*refusal)
    unsure = [need.input for need in found.needs if holds(found, need, spans[need.input]) is None]
    if unsure:
        details["validity"] = unsure
    outcome, measured = evaluate(found, points), evaluate(found, spans)
    whole = measured
    if skipped := _left_out(given):
        details["left_out"] = skipped
        every = {name: reading(found, name, one, whole=True, small=True) for name, one in given.items()}
        whole = evaluate(found, every)
    details["borderline"] = list(whole.verdicts) if whole.verdicts != outcome.verdicts else []
    if whole.verdicts != measured.verdicts:
        details["borderline_by"] = SMALL if measured.verdicts == outcome.verdicts else BOTH
    value = outcome.verdict
    if value is None:
        details |= _open(found, outcome)
        return undecided(*_why(found, outcome, given))
    details |= {"normal": value in found.normal, "text": found.text.get(verdict_key(value))}
    return [make(found.quantity, structure, state=State.MEASURED, value=value, **common)]


def _open(rule: TableRule, outcome: Outcome) -> dict[str, Any]:
    """Details of a verdict that is not decided."""
    ranks = [rule.ordered.index(one) for one in outcome.verdicts if one in rule.ordered]
    whole = len(ranks) == len(outcome.verdicts) and not outcome.no_row
    at_least: Verdict | None = rule.ordered[min(ranks)] if whole and ranks and min(ranks) > 0 else None
    return {
        "possible": list(outcome.verdicts), "unlisted": outcome.no_row, "at_least": at_least,
        "missing": list(outcome.open), "normal": False,
    }  # fmt: skip


def _why(rule: TableRule, outcome: Outcome, given: Mapping[str, Evidence]) -> tuple[State, str]:
    if not outcome.open:
        return State.NOT_MEASURABLE, "the source gives no verdict for what was found"
    names = ", ".join(f"the {rule.inputs[name].says}" for name in outcome.open)
    unseen = any(given[name].state is State.NOT_ASSESSED for name in outcome.open)
    return (State.NOT_ASSESSED if unseen else State.NOT_MEASURABLE), f"it depends on {names}"


def _refusal(rule: TableRule, given: Mapping[str, Evidence], points: Mapping[str, Reading]) -> tuple[State, str] | None:
    """State and reason if something that the rule needs does not hold, or is not known to hold."""
    for need in rule.needs:
        held = holds(rule, need, points[need.input])
        if held is False:
            return State.NOT_MEASURABLE, need.refusal
        if held is None and not need.or_unknown:
            unseen = given[need.input].state is State.NOT_ASSESSED
            reason = f"{need.refusal}, and the {rule.inputs[need.input].says} is not known"
            return (State.NOT_ASSESSED if unseen else State.NOT_MEASURABLE), reason
    return None


def _check_fit(
    rule: TableRule, subject: Subject, given: Mapping[str, Evidence], count: int, present: Evidence | None
) -> None:
    """Refuse a rule for another structure or a pair, and inputs that are not what it rests on."""
    single = not is_pair(subject.organ) or "#" in subject.asked
    if rule.structure != ANY_ORGAN and not (subject.base == rule.structure and single):
        raise ToolError(f"rule {rule.id} is for one {rule.structure}, not for {subject.asked}")
    if count != len(rule.inputs):
        raise ToolError(f"rule {rule.id} needs {len(rule.inputs)} inputs")
    calls: dict[str, list[Call]] = {}
    for name, call in input_calls(rule, subject):
        calls.setdefault(name, []).append(call)
    for name, one in given.items():
        if not _fits(rule, name, one, calls.get(name, []), subject):
            raise ToolError(
                f"rule {rule.id} needs the {rule.inputs[name].says}, not the {one.quantity} of {one.target}"
            )
    if present is not None and (present.quantity, present.target) != ("exists", subject.lesion_class(rule)):
        raise ToolError(f"rule {rule.id} needs the presence of the lesion, not the {present.quantity}")


def _fits(rule: TableRule, name: str, one: Evidence, calls: Sequence[Call], subject: Subject) -> bool:
    wanted = rule.inputs[name]
    if wanted.rule is not None:
        return (one.quantity, one.target) == (quantity_of(wanted.rule), subject.asked)
    if wanted.declared is not None:
        return (one.quantity, one.target) == ("fact", wanted.declared.strip().lower())
    if wanted.unseen is not None:
        return one.quantity == "seen" and one.state is State.NOT_ASSESSED
    call = calls[0]
    if len(calls) > 1:
        return one.tool == "ratio" and one.quantity == f"{call.quantity}_ratio"
    return (one.tool, one.quantity) == (call.tool, call.quantity) and all(
        one.arguments.get(key) == value for key, value in call.args.items()
    )


def _left_out(given: Mapping[str, Evidence]) -> list[str]:
    """Names of the inputs in which lesions below the size limit do not count, or rest on something where they don't."""

    def skips(one: Evidence) -> bool:
        below = one.details.get("below_limit")
        return bool(one.details.get("left_out")) or (isinstance(below, int) and below > 0)

    return [name for name, one in given.items() if skips(one)]


def _nothing_there(rule: TableRule, subject: Subject, present: Evidence) -> bool:
    """Whether there is no lesion to judge: none was found, or no tumor to stage is known on this side of a pair.

    What is declared of the patient, or seen elsewhere, is said of the lesion that there is, not of the other side.
    """
    if present.state is State.ABSENT or present.details.get("none_found"):
        return True
    staged = rule.quantity != "verdict" and load_ontology().get(subject.organ).side is not None
    return staged and present.value is not True


def _other_types(present: Evidence | None, assumed: str | None) -> str:
    """Names of labelled types that are not what a rule takes the lesions to be: a metastasis is no primary cancer."""
    types = present.details.get("types") if present is not None else None
    if assumed is None or not isinstance(types, list):
        return ""
    ontology = load_ontology()
    told = [str(one) for one in types if str(one) in ontology.lesion_types]
    other = [one for one in told if one not in ontology.ancestors(assumed) and assumed not in ontology.ancestors(one)]
    return ", ".join(ontology.lesion_types[one].name for one in other)
