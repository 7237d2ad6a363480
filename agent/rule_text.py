"""A clinical rule in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from agent.sentence import quantity_name
from tools.ontology import load_ontology
from tools.rules.model import AnyRule, Criterion, Rule, verdict_key
from tools.rules.table import ANY_ORGAN, Condition, Input, Row, TableRule, Verdict
from tools.units import symbol

_COMPARED = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def where(rule: AnyRule) -> str:
    """The organ that a rule applies to, as a word."""
    return "any organ" if rule.structure == ANY_ORGAN else load_ontology().get(rule.structure).name


def rule_lines(rule: AnyRule) -> Iterator[str]:
    """The rule, line by line: what it decides, on what, where the limits lie, and where it is published."""
    yield f"{rule.id}, version {rule.version}"
    yield f"Decides: {rule.topic.replace('_', ' ')}{f' ({rule.noun})' if rule.noun else ''}"
    yield f"Applies to: {_subject(rule)}"
    yield f"Valid in: {' or '.join(rule.phases) + ' scans only' if rule.phases else 'every contrast phase'}"
    if isinstance(rule, TableRule):
        yield from _table_lines(rule)
    else:
        yield from _threshold_lines(rule)
    for one in rule.implies:
        means = ", ".join(f"{verdict}: {_plain(meant)}" for verdict, meant in one.verdicts.items())
        yield f"Heard where rules decide on {one.topic.replace('_', ' ')}, and told where it differs: {means}"
    yield f"Source: {rule.source}; choice {rule.priority} where several rules answer (--prefer changes it)"
    yield f"Citation: {rule.citation}"
    if rule.note:
        yield f"Note: {rule.note}"


def _plain(verdict: Verdict) -> str:
    return verdict if isinstance(verdict, str) else "yes" if verdict else "no"


def _subject(rule: AnyRule) -> str:
    if isinstance(rule, TableRule) and rule.lesion:
        return f"{where(rule)}, lesions of type {load_ontology().lesion_types[rule.lesion].name}"
    return where(rule)


def _number(value: float, unit: str | None) -> str:
    return f"{value:g} {symbol(unit)}".rstrip()


# -- rules of thresholds ---------------------------------------------------------------------------------------------


def _threshold_lines(rule: Rule) -> Iterator[str]:
    for criterion in rule.criteria:
        yield f"By the {_measure(criterion)}:"
        for number, verdict in enumerate(criterion.verdicts):
            yield f"  {_band(criterion, number)}: {rule.text[verdict_key(verdict)]}"
    if len(rule.criteria) > 1:
        yield "The more severe verdict counts."


def _measure(criterion: Criterion) -> str:
    name = quantity_name(criterion.measure.quantity)
    if criterion.over is None:
        return name
    return f"ratio of its {name} to the {load_ontology().get(criterion.over.structure).name}'s"


def _band(criterion: Criterion, number: int) -> str:
    sides = criterion.at_edge if isinstance(criterion.at_edge, tuple) else (criterion.at_edge,) * len(criterion.edges)
    parts = []
    if number:
        word = "more than" if sides[number - 1] == "lower" else "at least"
        parts.append(f"{word} {_number(criterion.edges[number - 1], criterion.unit)}")
    if number < len(criterion.edges):
        word = "at most" if sides[number] == "lower" else "less than"
        parts.append(f"{word} {_number(criterion.edges[number], criterion.unit)}")
    return " and ".join(parts)


# -- decision tables -------------------------------------------------------------------------------------------------


def _table_lines(rule: TableRule) -> Iterator[str]:
    yield "Inputs:"
    for name in rule.inputs:
        yield f"  {_input(rule, name)}"
    if rule.needs:
        yield "Used only if:"
        for need in rule.needs:
            unknown = " or this is not known" if need.or_unknown else ""
            yield f"  {_condition(rule, need)}{unknown} (else: {need.refusal})"
    yield "The first line that holds decides:"
    for row in rule.rows:
        yield f"  {_row(rule, row)}: {_verdict(rule, row)}"
    if rule.unknown:
        yield f"Not decided: {rule.unknown}"


def _input(rule: TableRule, name: str) -> str:
    one = rule.inputs[name]
    limits = rule.limits(name)
    shown = f"; limits {', '.join(_number(limit, one.unit) for limit in limits)}" if limits else ""
    return f"{one.says} ({_origin(one)}{shown})"


def _origin(one: Input) -> str:
    if one.declared is not None:
        which = f"; one of {', '.join(one.values)}" if one.values else ""
        return f"declared by the user: --patient {one.declared}=…{which}"
    if one.unseen is not None:
        return f"never known: {one.unseen}"
    if one.rule is not None:
        return f"verdict of the rules on {one.rule.replace('_', ' ')}"
    over = f" over {quantity_name(one.over.quantity)} by {one.over.tool}" if one.over is not None else ""
    return f"{quantity_name(one.call.quantity)} by {one.call.tool}{over}"


def _row(rule: TableRule, row: Row) -> str:
    # A row that asks for what is known of an input, and for its value, says both in one.
    known = {one.input for one in row.all if one.known}
    compared = {one.input for one in row.all if one.known is None}
    parts = [
        _condition(rule, one, known=one.input in known) for one in row.all if not (one.known and one.input in compared)
    ]
    if row.any:
        either = " or ".join(_condition(rule, one) for one in row.any)
        parts.append(f"({either})" if parts and len(row.any) > 1 else either)
    return "if " + " and ".join(parts) if parts else "else"


def _verdict(rule: TableRule, row: Row) -> str:
    key = verdict_key(row.verdict)
    text = rule.text.get(key)
    if isinstance(row.verdict, bool):
        return str(text)
    return f"{row.verdict} ({text})" if text else row.verdict


def _condition(rule: TableRule, one: Condition, *, known: bool = False) -> str:
    wanted = rule.inputs[one.input]
    if one.known is not None:
        return f"the {wanted.says} is {'' if one.known else 'not '}known"
    words = []
    for value in one.operands:
        if isinstance(value, bool):
            words.append("yes" if value else "no")
        else:
            words.append(value if isinstance(value, str) else _number(value, wanted.unit))
    compared = _COMPARED.get(one.operator)
    is_ = "is known to be" if known else "is"
    return f"the {wanted.says} {is_} {compared + ' ' if compared else ''}{' or '.join(words)}"
