"""Verdicts of several rules, or on several sides, brought together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.base import Facts, Maker, tool
from tools.intervals import Ids, cited, joined_targets
from tools.rules.model import get_rule
from tools.rules.table import TableRule, Verdict
from tools.types import Evidence, Scalar, State

_DECIDED = ("measured", "true", "false")
_OPEN = ("not_measurable", "not_assessed", "absent")
_WEIGHED = {
    **dict.fromkeys(_DECIDED, "{input_sentences}{disagreement}"),
    **dict.fromkeys(_OPEN, "{input_sentences}"),
}
_CARRIED = (
    "rule", "noun", "possible", "at_least", "missing", "unlisted", "unknown", "borderline", "borderline_by", "left_out",
    "assumes", "none_found", "no_lesion",
)  # fmt: skip
"""What of the chosen verdict's details holds for the answer as well."""


@tool(version="6", reads=("evidence", "settings"), says={"*": _WEIGHED})
def weigh_rules(case: Facts, make: Maker, *, verdicts: Ids) -> list[Evidence]:
    """The answer of several rules on one question: that of the preferred source; disagreement is named.

    What rules on another topic imply is told only where it differs: a grade that says the same adds nothing.

    Args:
        verdicts: evidence ids of verdicts, in order of the rules' priority; last what other rules imply.
    """
    given = [cited(case, ident) for ident in verdicts]
    speaking = [one for one in given if one.value is not None or not _aside(one)] or given

    def rank(one: Evidence) -> int:
        source = str(one.details.get("source"))
        prefer = case.settings.prefer
        return prefer.index(source) if source in prefer else len(prefer)

    chosen = sorted(speaking, key=rank)[0]
    decided = {str(one.value) for one in given if one.state is State.MEASURED}
    told = [one.id for one in given if not _aside(one) or one is chosen or one.value not in {None, chosen.value}]
    return [
        make(
            chosen.quantity, chosen.target, state=chosen.state, value=chosen.value, unit=chosen.unit,
            lower_bound=chosen.lower_bound, reason=chosen.reason, inputs=tuple(verdicts),
            method=f"verdict of the preferred source ({chosen.details.get('source')})",
            details={
                **{name: chosen.details[name] for name in _CARRIED if name in chosen.details},
                "source": chosen.details.get("source"), "disagree": len(decided) > 1, "chosen": chosen.id,
                "normal": all(one.details.get("normal", True) for one in given),
                **({} if len(told) == len(given) else {"told": told}),
            },
        )
    ]  # fmt: skip


def _aside(one: Evidence) -> bool:
    """Whether a verdict is only implied, by a rule on another topic."""
    return "implied_by" in one.details


@tool(version="2", reads=(), says={"*": {"not_assessed": "Nothing can be said of the {target}: {reason}."}})
def no_rule(case: Facts, make: Maker, *, topic: str, structure: str, quantity: str = "verdict") -> list[Evidence]:
    """Says that no rule is encoded for a topic and a structure.

    Args:
        topic: topic of the rules looked for.
        structure: canonical identifier.
        quantity: quantity of the verdict that such a rule would give.
    """
    reason = f"no rule on this ({topic.replace('_', ' ')}) is encoded for it"
    return [make(quantity, structure, state=State.NOT_ASSESSED, reason=reason, method="look-up of the rules")]


@tool(version="3", reads=("evidence",), says={"*": dict.fromkeys((*_DECIDED, *_OPEN), "{input_sentences}{primaries}")})
def gravest(case: Facts, make: Maker, *, verdicts: Ids) -> list[Evidence]:
    """The gravest of the verdicts on several sides: what the answer on a pair is.

    Sides on which there is nothing to judge don't count, unless there is nothing on any; no more does one on which
    no lesion was found among those looked for, where another side has one: that is the lesion spoken of. A category
    of a tumor is only given where there is a tumor, so that sides on which nothing shows one don't count beside one.

    Args:
        verdicts: evidence ids of weighed verdicts, one per side.
    """
    given = [cited(case, ident) for ident in verdicts]
    common: dict[str, Any] = {"inputs": tuple(verdicts), "method": "the gravest verdict of the sides"}
    quantity, target = given[0].quantity, joined_targets(given)
    there = [one for one in given if one.state is not State.ABSENT]
    own = quantity != "verdict"
    there = [one for one in there if not one.details.get("none_found")] or there
    if own:
        there = [one for one in there if not one.details.get("no_lesion")] or there
        # Tumors of both sides are two, each with a category of its own; the gravest only stands for the question.
        primaries = len(there) > 1 and not any(one.details.get("no_lesion") for one in there)
        common["details"] = {"primaries": True} if primaries else {}
    if not there:
        return [make(quantity, target, state=State.ABSENT, reason=given[0].reason, **common)]
    open_ = [one for one in there if one.value is None]
    best = _worst([one.value for one in there if one.value is not None], there)
    if not open_ and best is not None:
        return [make(quantity, target, state=State.MEASURED, value=best, **_with(common, _details(there, best)))]
    order = _order(there)
    if best is not None and order and best == order[-1]:
        return [make(quantity, target, state=State.MEASURED, value=best, **_with(common, _details(there, best)))]
    state = State.NOT_ASSESSED if any(one.state is State.NOT_ASSESSED for one in open_) else State.NOT_MEASURABLE
    reason = open_[0].reason if open_ else "the sides differ, and the source does not rank its verdicts"
    judged = [one for one in there if not one.details.get("no_lesion")]
    possible = {"possible": _possible(there, order)} if order and judged else {}
    return [make(quantity, target, state=state, reason=reason, **_with(common, possible))]


def _with(common: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    return {**common, "details": {**common.get("details", {}), **details}}


def _order(given: Sequence[Evidence]) -> tuple[Verdict, ...]:
    """Verdicts from lowest to highest, as the rule behind the sides ranks them; empty where it doesn't."""
    names = {str(one.details["rule"]) for one in given if "rule" in one.details}
    if len(names) != 1:
        return ()
    rule = get_rule(names.pop())
    verdicts = rule.verdicts if isinstance(rule, TableRule) else rule.criteria[0].verdicts
    if any(isinstance(verdict, bool) for verdict in verdicts):
        return tuple(sorted((False, True), key=lambda verdict: verdict not in rule.normal))
    return rule.ordered if isinstance(rule, TableRule) else rule.severity or rule.criteria[0].verdicts


def _worst(values: Sequence[Scalar], given: Sequence[Evidence]) -> Verdict | None:
    """The highest of several verdicts; where none is higher, that which calls for attention if the others don't."""
    distinct = [value for value in dict.fromkeys(values) if isinstance(value, bool | str)]
    if len(distinct) <= 1:
        return distinct[0] if distinct else None
    order = _order(given)
    if set(distinct) <= set(order):
        return max(distinct, key=order.index)
    telling = {one.value for one in given if one.value is not None and not one.details.get("normal")}
    found = [value for value in distinct if value in telling]
    return found[0] if len(found) == 1 else None


def _possible(given: Sequence[Evidence], order: tuple[Verdict, ...]) -> list[Verdict]:
    """Every verdict that the gravest may turn out to be."""
    lists = []
    for one in given:
        listed = one.details.get("possible")
        values = [one.value] if one.value is not None else listed if isinstance(listed, list) else list(order)
        lists.append([value for value in values if value in order])
    lowest = max((min((order.index(v) for v in values), default=0) for values in lists), default=0)
    reachable = {v for values in lists for v in values}
    return [value for value in order[lowest:] if value in reachable]


def _details(given: Sequence[Evidence], value: Verdict) -> dict[str, Any]:
    chosen = next(one for one in given if one.value == value)
    carried = {name: chosen.details[name] for name in (*_CARRIED, "source") if name in chosen.details}
    return {**carried, "normal": all(one.details.get("normal", True) for one in given)}
