"""Sentences from evidence. Every number and name in a sentence is bound to the evidence that carries it.

A sentence is never free text: it is a template of the tool that made the evidence, filled from typed values. The
critic fills it again and expects the same sentence, so a changed number, side, organ, unit or negation is caught.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from string import Formatter

from agent.sentence import Sentence, target_name
from agent.state import FAILURE
from agent.wording_details import DETAIL_SLOTS
from agent.wording_slots import OF_INPUTS, SLOTS
from tools.registry import load_tools
from tools.types import Evidence, State

__all__ = ["Sentence", "describe", "target_name"]

_GENERIC = {
    State.MEASURED: "The {quantity} of the {target} is {value}{pm}.",
    State.ABSENT: "No {target} was found: {reason}.",
    State.NOT_MEASURABLE: "The {quantity} of the {target} cannot be measured: {reason}.{at_least}",
    State.NOT_ASSESSED: "The {quantity} of the {target} was not assessed: {reason}.",
}


_FAILED = {True: "This was not assessed: {reason}.", False: "For the {target} this was not assessed: {reason}."}


def describe(one: Evidence, evidence: Mapping[str, Evidence]) -> Sentence:
    """The sentence for one piece of evidence.

    Args:
        one: the evidence.
        evidence: everything known, for its inputs.
    """
    sentence = Sentence(evidence)
    _fill(sentence, one, _template(one, evidence))
    return sentence


def _template(one: Evidence, evidence: Mapping[str, Evidence]) -> str:
    if one.quantity == FAILURE:
        return _FAILED[one.target == "scan"]
    # A converted value is told in the words of the tool that measured it.
    maker = _worked_out(one, evidence)
    tool = load_tools().get(maker.tool)
    table = tool.says if tool else {}
    for pattern, by_state in table.items():
        if not fnmatch.fnmatchcase(one.quantity, pattern):
            continue
        if isinstance(one.value, bool) and one.state is State.MEASURED and str(one.value).lower() in by_state:
            return by_state[str(one.value).lower()]
        if one.state.value in by_state:
            return by_state[one.state.value]
    return _GENERIC[one.state]


def _fill(sentence: Sentence, one: Evidence, template: str) -> None:
    for words, slot, _, _ in Formatter().parse(template):
        # What bears a number takes no article: "in liver segment 6".
        numbered = slot is not None and words.endswith(" the ") and _named(one, slot)[-1:].isdigit()
        sentence.say(words.removesuffix("the ") if numbered else words)
        if slot:
            _slot(sentence, one, slot)


def _named(one: Evidence, slot: str) -> str:
    """The name that a slot puts behind its article; empty for slots that name nothing."""
    if slot == "target":
        return target_name(one.target)
    return one.value if slot == "value" and isinstance(one.value, str) else ""


def _slot(sentence: Sentence, one: Evidence, slot: str) -> None:
    if slot.startswith("in") and slot[2].isdigit():
        index, _, name = slot[2:].partition(".")
        source = sentence.evidence[_worked_out(one, sentence.evidence).inputs[int(index)]]
        SLOTS[name](sentence, source)
    elif slot in OF_INPUTS:
        SLOTS[slot](sentence, _worked_out(one, sentence.evidence))
    elif slot == "input_sentences":
        _input_sentences(sentence, one)
    elif slot.partition(".")[0] in DETAIL_SLOTS:
        kind, _, key = slot.partition(".")
        DETAIL_SLOTS[kind](sentence, one, key)
    elif slot.startswith("detail."):
        key = slot.removeprefix("detail.")
        sentence.bind(str(one.details[key]), one, f"details.{key}")
    else:
        SLOTS[slot](sentence, one)


def _worked_out(one: Evidence, evidence: Mapping[str, Evidence]) -> Evidence:
    """The evidence whose inputs a sentence speaks of: a converted value has those of the value before."""
    return evidence[one.inputs[0]] if one.tool == "convert" else one


def _input_sentences(sentence: Sentence, one: Evidence) -> None:
    # Of several rules, those that only say the same again are not told.
    told = one.details.get("told")
    inputs = [ident for ident in one.inputs if ident in told] if isinstance(told, list) else one.inputs
    for number, ident in enumerate(inputs):
        if number:
            sentence.say(" ")
        source = sentence.evidence[ident]
        _fill(sentence, source, _template(source, sentence.evidence))
