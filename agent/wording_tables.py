"""Sentences of decision tables: the verdict or why there is none, every input, what is missing, and the source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

from agent.sentence import Sentence, say_uncertainty, say_value, target_name
from tools.ontology import load_ontology
from tools.rules.model import verdict_key
from tools.rules.readings import BOTH, SMALL, reading
from tools.rules.table import TableRule
from tools.types import Evidence, State

T = TypeVar("T")
_COUNTED = "with lesions below the size limit counted as well"
_WHY_BORDERLINE = {SMALL: _COUNTED, BOTH: f"within the uncertainty of the measurement, and {_COUNTED}"}


def say_table_verdict(sentence: Sentence, one: Evidence, rule: TableRule) -> None:
    """Say what a table decides, with everything that it rests on."""
    sentence.say("By the ")
    sentence.bind(rule.source, one, "details.source")
    sentence.say(" rule, the ")
    text = one.details.get("text")
    if text is None:
        sentence.say(f"{rule.noun} of the ")
    _target(sentence, one)
    sentence.say(" " if text else " is ")
    sentence.bind(str(text or one.value), one, "value")
    # What is not known had no bearing on the verdict; it is in the evidence that the verdict cites.
    _inputs(sentence, one, rule, rule.inputs, None)
    _left_out(sentence, one, rule)
    say_borderline(sentence, one, rule.text)
    if one.details.get("validity"):
        sentence.say(" Whether the rule may be used here is itself borderline.")
    say_citation(sentence, one)


def say_table_open(sentence: Sentence, one: Evidence, rule: TableRule) -> None:
    """Say why a table decides nothing, and what it leaves possible."""
    if one.state is State.ABSENT or one.details.get("no_lesion"):
        _absent(sentence, one, rule)
    elif one.details.get("refused"):
        sentence.say("The ")
        sentence.bind(rule.source, one, "details.source")
        sentence.say(f" rule{'' if rule.noun is None else f' on the {rule.noun}'} cannot be used for the ")
        _target(sentence, one)
        sentence.say(": ")
        sentence.bind(one.reason or "no reason is recorded", one, "reason")
        _inputs(sentence, one, rule, {need.input for need in rule.needs}, "; not known: ", before="; ")
    else:
        _undecided(sentence, one, rule)
    say_citation(sentence, one)


def say_borderline(sentence: Sentence, one: Evidence, text: Mapping[str, str]) -> None:
    """Say every reading that the uncertainty of the measurements leaves."""
    readings = one.details.get("borderline")
    if not isinstance(readings, list) or not readings:
        return
    why = _WHY_BORDERLINE.get(str(one.details.get("borderline_by")), "within the uncertainty of the measurement")
    sentence.say(f" This is borderline: {why}, the reading may be ")
    sentence.bind(_either([_verdict(reading, text) for reading in readings]), one, "details.borderline")
    sentence.say(".")


def say_citation(sentence: Sentence, one: Evidence) -> None:
    """Say where the rule is published."""
    sentence.say(" Source: ")
    sentence.bind(one.method, one, "method")
    sentence.say(".")


def _left_out(sentence: Sentence, one: Evidence, rule: TableRule) -> None:
    """Say in which inputs components below the size limit do not count."""
    names = one.details.get("left_out")
    if not isinstance(names, list) or not names:
        return
    sentence.say(" Components below the size limit are there, and do not count in ")
    sentence.say(" and ".join(f"the {rule.inputs[str(name)].says}" for name in names))
    sentence.say(".")


def _target(sentence: Sentence, one: Evidence) -> None:
    sentence.bind(target_name(one.target), one, "target")
    assumed = one.details.get("assumes")
    if assumed is not None:
        sentence.say(", taken to be a case of ")
        sentence.bind(load_ontology().lesion_types[str(assumed)].name, one, "details.assumes")
        sentence.say(",")


def _absent(sentence: Sentence, one: Evidence, rule: TableRule) -> None:
    noun = rule.noun
    sentence.say("By the ")
    sentence.bind(rule.source, one, "details.source")
    lesion = sentence.evidence[one.inputs[-1]]
    if one.state is State.ABSENT or one.details.get("none_found"):
        sentence.say(
            " rule, there is nothing to decide: no " if noun is None else f" rule, there is no {noun} to give: no "
        )
        ending = " was found ("
    else:
        sentence.say(" rule, nothing can be decided" if noun is None else f" rule, no {noun} can be given")
        sentence.say(": it is not known whether there is any ")
        ending = " ("
    sentence.bind(target_name(lesion.target), lesion, "target")
    sentence.say(ending)
    sentence.bind(one.reason or "no reason is recorded", one, "reason")
    sentence.say(").")


def _undecided(sentence: Sentence, one: Evidence, rule: TableRule) -> None:
    sentence.say("By the ")
    sentence.bind(rule.source, one, "details.source")
    sentence.say(" rule, whether the " if rule.noun is None else f" rule, the {rule.noun} of the ")
    _target(sentence, one)
    if rule.noun is None:
        sentence.say(f" {rule.text['true']}")
    if rule.unknown is not None:
        sentence.say(" is ")
        sentence.bind(rule.unknown, one, "details.unknown")
        if one.details.get("at_least") is not None:
            sentence.say(", at least ")
            sentence.bind(str(one.details["at_least"]), one, "details.at_least")
        sentence.say(": ")
    else:
        sentence.say(" was not assessed: " if one.state is State.NOT_ASSESSED else " cannot be decided: ")
    sentence.bind(one.reason or "no reason is recorded", one, "reason")
    _inputs(sentence, one, rule, rule.inputs, "; not known: ", before="; ")
    possible = one.details.get("possible")
    if isinstance(possible, list) and len(possible) > 1:
        sentence.say(" Possible: ")
        sentence.bind(_either([_verdict(verdict, rule.text) for verdict in possible]), one, "details.possible")
        if one.details.get("unlisted"):
            sentence.say(", or nothing that the source lists")
        sentence.say(".")
    _left_out(sentence, one, rule)
    say_borderline(sentence, one, rule.text)


def _inputs(
    sentence: Sentence, one: Evidence, rule: TableRule, names: Iterable[str], gap: str | None, *, before: str = ": "
) -> None:
    """Say the inputs that are known, with their limits, then (after `gap`) those that are not, with why; and end."""
    wanted = set(names)
    given = [sentence.evidence[ident] for ident in one.inputs]
    rows = [(name, item) for name, item in zip(rule.inputs, given, strict=False) if name in wanted]
    known = [(name, item) for name, item in rows if _known(item)]
    limits = [item for item in given[len(rule.inputs) :] if item.quantity == "threshold"]

    def told(name: str, item: Evidence) -> None:
        sentence.say(f"the {rule.inputs[name].says} is ")
        _value(sentence, item, rule)
        if not _read(rule, name, item):
            sentence.say(", which is no value that the rule knows")
        own = [limit for limit in limits if limit.details.get("input") == name]
        if own:
            sentence.say(" (limit " if len(own) == 1 else " (limits ")
            _each(sentence, own, lambda limit: say_value(sentence, limit))
            sentence.say(")")

    def lacking(reason: str | None, group: list[tuple[str, Evidence]]) -> None:
        # Several things that are not known for one reason share it.
        sentence.say(", ".join(f"the {rule.inputs[name].says}" for name, _ in group))
        if reason:
            sentence.say(" (")
            sentence.bind(reason, group[0][1], "reason")
            sentence.say(")")

    if known:
        sentence.say(before)
        _each(sentence, known, lambda row: told(*row))
    phase = next((item for item in given[len(rule.inputs) :] if item.quantity == "phase"), None)
    if phase is not None and phase.value is not None:
        sentence.say(", and the contrast phase is ")
        say_value(sentence, phase)
    unknown = [row for row in rows if row not in known]
    if unknown and gap is not None:
        sentence.say(gap)
        groups = groupby(unknown, key=lambda row: row[1].reason)
        _each(sentence, [(reason, list(group)) for reason, group in groups], lambda row: lacking(*row))
    sentence.say(".")


def _known(item: Evidence) -> bool:
    return item.value is not None or item.lower_bound is not None or bool(item.details.get("possible"))


def _read(rule: TableRule, name: str, item: Evidence) -> bool:
    """Whether the rule can read what the user declared; anything else is read or refused where it is made."""
    return rule.inputs[name].declared is None or reading(rule, name, item, whole=False) is not None


def _value(sentence: Sentence, item: Evidence, rule: TableRule) -> None:
    possible = item.details.get("possible")
    if item.value is None and item.lower_bound is None and isinstance(possible, list):
        sentence.say("open (")
        sentence.bind(_either([_verdict(verdict, rule.text) for verdict in possible]), item, "details.possible")
        sentence.say(")")
        return
    say_value(sentence, item)
    say_uncertainty(sentence, item)
    if item.value is None and item.reason:
        sentence.say(" (")
        sentence.bind(item.reason, item, "reason")
        sentence.say(")")


def _each(sentence: Sentence, items: Sequence[T], say: Callable[[T], None]) -> None:
    for number, item in enumerate(items):
        if number:
            sentence.say(", ")
        say(item)


def _verdict(verdict: object, text: Mapping[str, str]) -> str:
    """A verdict in a list: its own word, or what it says for a yes or no."""
    key = verdict_key(verdict) if isinstance(verdict, bool | str) else str(verdict)
    # Rules of thresholds list a yes or no by its name.
    return f"“{text[key.lower()]}”" if key.lower() in {"true", "false"} and key.lower() in text else key


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
