"""Slots of sentence templates: what may stand between braces, and what it says of a piece of evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.sentence import Sentence, quantity_name, say_number, say_uncertainty, say_value, target_name
from agent.wording_rules import say_primaries, say_rule_open, say_rule_verdict
from tools.intervals import upper_bound
from tools.ontology import load_ontology
from tools.types import Evidence, State

_COMPARATORS = {"gt": "greater than", "lt": "less than", "ge": "at least", "le": "at most"}
_SUPERLATIVES = {"gt": "greatest", "lt": "least"}


def _target(sentence: Sentence, one: Evidence) -> None:
    sentence.bind(target_name(one.target), one, "target")


def _targets(sentence: Sentence, one: Evidence) -> None:
    sentence.bind(target_name(one.target, many=True), one, "target")


def _a_target(sentence: Sentence, one: Evidence) -> None:
    """With the article that fits: a lesion, the organ, and findings without any ("ascites")."""
    name, kind = target_name(one.target), load_ontology().get(one.target).kind
    if kind == "lesion":
        sentence.say("an " if name[0] in "aeiou" else "a ")
    elif kind != "finding":
        sentence.say("the ")
    sentence.bind(name, one, "target")


def _any_target(sentence: Sentence, one: Evidence) -> None:
    sentence.say("any " if load_ontology().get(one.target).kind in {"lesion", "finding"} else "the ")
    _target(sentence, one)


def _reason(sentence: Sentence, one: Evidence) -> None:
    sentence.bind(one.reason or "no reason is recorded", one, "reason")


def _reason_sentence(sentence: Sentence, one: Evidence) -> None:
    sentence.say(
        {
            State.ABSENT: "There is nothing to compare: ",
            State.NOT_MEASURABLE: "This cannot be decided: ",
            State.NOT_ASSESSED: "This was not assessed: ",
        }.get(one.state, "")
    )
    _reason(sentence, one)
    sentence.say(".")


def _note(sentence: Sentence, one: Evidence) -> None:
    if one.reason:
        sentence.say(" Note: ")
        sentence.bind(one.reason, one, "reason")
        sentence.say(".")


def _at_least(sentence: Sentence, one: Evidence) -> None:
    if one.lower_bound is not None:
        sentence.say(" It is at least ")
        say_number(sentence, one, one.lower_bound, "lower_bound")
        sentence.say(".")


def _at_most(sentence: Sentence, one: Evidence) -> None:
    most = upper_bound(one)
    if most is not None:
        sentence.say(" It is at most ")
        say_number(sentence, one, most, "details.upper_bound")
        sentence.say(".")


def _on_slice(sentence: Sentence, one: Evidence) -> None:
    if one.slice is not None:
        sentence.say(", on slice ")
        sentence.bind(str(one.slice), one, "slice")


def _quantity(sentence: Sentence, one: Evidence) -> None:
    sentence.say(quantity_name(one.quantity))


def _quantity_of_input(sentence: Sentence, one: Evidence) -> None:
    source = sentence.evidence[one.inputs[0]]
    _quantity(sentence, source)
    derived = source.quantity.rpartition("_")[2]
    if derived in {"ratio", "share"}:
        sentence.say(f" {derived}")


def _bound(sentence: Sentence, one: Evidence) -> None:
    if one.value is None and one.lower_bound is not None and one.reason:
        sentence.say("; ")
        sentence.bind(one.reason, one, "reason")


def _comparator(sentence: Sentence, one: Evidence) -> None:
    sentence.bind(_COMPARATORS[str(one.details["comparator"])], one, "details.comparator")


def _superlative(sentence: Sentence, one: Evidence) -> None:
    sentence.bind(_SUPERLATIVES[str(one.details["comparator"])], one, "details.comparator")


def _borderline(sentence: Sentence, one: Evidence) -> None:
    readings = one.details.get("borderline")
    if isinstance(readings, list) and len(readings) > 1:
        sentence.say(" This is borderline: within the uncertainty of the measurement it may be ")
        sentence.bind(" or ".join(str(reading) for reading in readings), one, "details.borderline")
        sentence.say(".")
    elif readings:
        sentence.say(" This is borderline: within the uncertainty of the measurement it may be the other way.")


def _input_targets(sentence: Sentence, one: Evidence) -> None:
    _join(sentence, [sentence.evidence[ident] for ident in one.inputs], _target)


def _input_list(sentence: Sentence, one: Evidence) -> None:
    def item(inner: Sentence, source: Evidence) -> None:
        _target(inner, source)
        inner.say(" (")
        say_value(inner, source)
        inner.say(")")

    _join(sentence, [sentence.evidence[ident] for ident in one.inputs], item)


def _join(sentence: Sentence, items: Sequence[Evidence], say: Callable[[Sentence, Evidence], None]) -> None:
    for number, item in enumerate(items):
        if number:
            sentence.say(" and " if number == len(items) - 1 else ", ")
        sentence.say("the ")
        say(sentence, item)


def _disagreement(sentence: Sentence, one: Evidence) -> None:
    if one.details.get("disagree"):
        sentence.say(" These rules disagree; the answer follows the ")
        sentence.bind(str(one.details["source"]), one, "details.source")
        sentence.say(" rule.")


SLOTS: dict[str, Callable[[Sentence, Evidence], None]] = {
    "target": _target,
    "targets": _targets,
    "a_target": _a_target,
    "any_target": _any_target,
    "value": say_value,
    "pm": say_uncertainty,
    "reason": _reason,
    "reason_sentence": _reason_sentence,
    "note": _note,
    "at_least": _at_least,
    "at_most": _at_most,
    "on_slice": _on_slice,
    "quantity": _quantity,
    "quantity_of_input": _quantity_of_input,
    "bound": _bound,
    "comparator": _comparator,
    "superlative": _superlative,
    "borderline": _borderline,
    "input_targets": _input_targets,
    "input_list": _input_list,
    "rule_verdict": say_rule_verdict,
    "rule_open": say_rule_open,
    "disagreement": _disagreement,
    "primaries": say_primaries,
}

OF_INPUTS = frozenset({"quantity_of_input", "input_targets", "input_list"})
"""Slots that speak of the inputs of the evidence."""
