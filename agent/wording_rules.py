"""How the verdict of a clinical rule is put into words."""

from __future__ import annotations

from agent.sentence import Sentence, quantity_name, say_uncertainty, say_value, target_name
from agent.wording_tables import say_borderline, say_citation, say_table_open, say_table_verdict
from tools.rules.model import Rule, get_rule
from tools.rules.table import TableRule
from tools.types import Evidence, State


def say_rule_verdict(sentence: Sentence, one: Evidence) -> None:
    """Say what a rule decides, with every value and threshold that it rests on."""
    rule = get_rule(str(one.details["rule"]))
    if isinstance(rule, TableRule):
        say_table_verdict(sentence, one, rule)
        return
    sentence.say("By the ")
    sentence.bind(str(one.details["source"]), one, "details.source")
    sentence.say(" rule, the ")
    sentence.bind(target_name(one.target), one, "target")
    sentence.say(" ")
    sentence.bind(str(one.details["text"]), one, "value")
    sentence.say(": ")
    _criteria(sentence, one, rule)
    sentence.say(".")
    if one.details.get("disagree"):
        sentence.say(" Its criteria disagree; the more severe one counts.")
    say_borderline(sentence, one, rule.text)
    say_citation(sentence, one)


def say_rule_open(sentence: Sentence, one: Evidence) -> None:
    """Say why a rule decides nothing."""
    rule = get_rule(str(one.details["rule"]))
    if isinstance(rule, TableRule):
        say_table_open(sentence, one, rule)
        return
    sentence.say("By the ")
    sentence.bind(rule.source, one, "details.source")
    sentence.say(" rule, whether the " if rule.noun is None else f" rule, the {rule.noun} of the ")
    sentence.bind(target_name(one.target), one, "target")
    if rule.noun is None:
        sentence.say(f" {rule.text['true']}")
    sentence.say(" was not assessed: " if one.state is State.NOT_ASSESSED else " cannot be decided: ")
    sentence.bind(one.reason or "no reason is recorded", one, "reason")
    sentence.say("; ")
    _criteria(sentence, one, rule)
    sentence.say(".")
    say_citation(sentence, one)


def say_primaries(sentence: Sentence, one: Evidence) -> None:
    """Say of tumors on both sides of a pair that neither is a part of the other."""
    if not one.details.get("primaries"):
        return
    sentence.say(" There is a tumor on each side: each is staged as a primary of its own")
    given = [sentence.evidence[ident] for ident in one.inputs]
    if one.value is not None and len({item.value for item in given}) > 1:
        sentence.say(", and the gravest of them, ")
        sentence.bind(str(one.value), one, "value")
        sentence.say(", stands for both where one answer is asked for")
    sentence.say(".")


def _criteria(sentence: Sentence, one: Evidence, rule: Rule) -> None:
    inputs = [sentence.evidence[ident] for ident in one.inputs]
    edges = [item for item in inputs if item.quantity == "threshold"]
    for number, criterion in enumerate(rule.criteria):
        measured = inputs[number]
        own = [edge for edge in edges if edge.details.get("criterion") == number]
        if number:
            sentence.say(", and ")
        if criterion.over is not None:
            sentence.say(
                f"the ratio of its {quantity_name(criterion.measure.quantity)} to the {criterion.over.structure}'s is "
            )
        else:
            sentence.say(f"its {quantity_name(criterion.measure.quantity)} is ")
        say_value(sentence, measured)
        if measured.value is not None:
            say_uncertainty(sentence, measured)
        sentence.say(" (threshold " if len(own) == 1 else " (thresholds ")
        for at, edge in enumerate(own):
            if at:
                sentence.say(", ")
            say_value(sentence, edge)
        sentence.say(")")
    phase = next((item for item in inputs if item.quantity == "phase"), None)
    if phase is not None and phase.value is not None:
        sentence.say(", and the contrast phase is ")
        say_value(sentence, phase)
