"""Comparisons: what is compared with what, in which direction, and with which number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from agent.interpret.lexicon import load_lexicon
from agent.interpret.meaning import Meaning, Slot
from agent.interpret.slots import Assignment
from agent.query import Comparator, Kind
from tools.ontology import load_ontology


@dataclass(frozen=True)
class Comparison:
    """Direction, and the structures in the order in which they are compared."""

    comparator: Comparator | None
    structures: Assignment


def number_fits(kind: Kind, meaning: Meaning, slots: Sequence[Slot]) -> bool:
    """Whether number and unit of the question suit the kind: both present or absent, and of its dimension."""
    lexicon = load_lexicon()
    if kind.number != "required":
        if meaning.numbers:
            return False
        asked = lexicon.dimension(meaning.unit)
        if asked == "attenuation" and kind.answer.unit == "1" and {"RATIO", "HU"} <= meaning.concepts():
            return True  # "the quotient of the two densities in HU" has no unit itself
        return asked is None or asked == lexicon.dimension(kind.answer.unit)
    if meaning.numbers != 1 or meaning.value is None or (meaning.unit and meaning.given is None):
        return False
    dimension = lexicon.dimensions[measured(kind)]
    if kind.measures is not None and meaning.value_unit is not None:
        return lexicon.dimension(meaning.value_unit) in {"length", "volume"}
    if dimension != "attenuation" and meaning.value < 0:
        return False
    if dimension == "number":
        return meaning.value_unit is None
    if meaning.value_unit is not None:
        return lexicon.dimension(meaning.value_unit) == dimension
    # "larger than 2" says of an organ that millilitres are meant, of a lesion nothing.
    lesion = any(load_ontology().get(i).kind == "lesion" for slot in slots for i in slot.ids)
    if dimension == "angle":
        return not lexicon.implied.keys().isdisjoint({dimension}) and "ANGLE" in meaning.concepts()
    said = lexicon.implied[dimension] in meaning.concepts()
    return dimension != "length" and (said or not lesion)


def measured(kind: Kind) -> str:
    """The quantity that a kind compares with a number: the last part of its ``@step.quantity`` reference."""
    if kind.measures is not None:
        return kind.measures
    item = next(step.args["item"] for step in kind.chain if "item" in step.args)
    return str(item).rpartition(".")[2]


def compared(kind: Kind, meaning: Meaning, slots: Sequence[Slot], found: Assignment) -> Comparison | None:
    """Direction and order of a comparison, or None where the words don't say them for certain."""
    if meaning.given is not None:
        fits = not _directed(kind) or meaning.direction is not None
        return Comparison(meaning.direction, found) if fits else None
    form = kind.answer.form
    spoken = {g.comparator for g in meaning.groups if g.comparator and (form == "name" or not g.superlative)}
    direction = next(iter(spoken)) if len(spoken) == 1 else None
    markers = [i for i in meaning.items if i.group and i.group.marker]
    if kind.structures.share or kind.structures.vessel:
        if direction is None and _directed(kind):
            return None
        beside = kind.number != "required" or _number_beside_comparator(meaning)
        return Comparison(direction if _directed(kind) else None, found) if beside else None
    if not _directed(kind):
        if not spoken:
            return Comparison(None, found)
        return _ordered_difference(kind, direction, markers, slots, found, meaning.concepts())
    if direction is None:
        return Comparison(kind.comparator, found) if kind.comparator and not spoken else None
    if kind.number == "required":
        return Comparison(direction, found) if _number_beside_comparator(meaning) else None
    if form == "name":
        return Comparison(direction, found)
    pair = _pair(markers, slots)
    return Comparison(direction, (pair,)) if pair else None


def _directed(kind: Kind) -> bool:
    return "$comparator" in json.dumps([step.args for step in kind.chain])


def _pair(markers: Sequence[object], slots: Sequence[Slot]) -> tuple[str, str] | None:
    """First and second of "X is larger than Y" and of "compared with Y, X is larger"."""
    if not markers or len(slots) != 2 or any(len(slot.ids) != 1 for slot in slots):
        return None
    at = max(getattr(marker, "start", 0) for marker in markers)
    second = next((slot for slot in slots if slot.at > at), None)
    if second is None:
        return None
    first = next(slot for slot in slots if slot is not second)
    return first.ids[0], second.ids[0]


def _ordered_difference(
    kind: Kind,
    direction: Comparator | None,
    markers: Sequence[object],
    slots: Sequence[Slot],
    found: Assignment,
    concepts: frozenset[str],
) -> Comparison | None:
    """Minuend first: "how much smaller is A than B?" is "how much larger is B than A?"."""
    if kind.structures.min != 2 or kind.answer.form != "number":
        return Comparison(None, found)
    pair = _pair(markers, slots)
    both = {"DENSER", "LESS_DENSE"} <= concepts or {"HIGHER", "LOWER"} <= concepts
    if pair is not None and direction is None and both:
        return Comparison(None, (pair,))  # "how much darker or brighter than X is Y?"
    if pair is None or direction is None:
        return None
    return Comparison(None, (pair if direction in {"gt", "ge"} else pair[::-1],))


def _number_beside_comparator(meaning: Meaning) -> bool:
    """The number belongs to the comparator only if nothing that could be compared stands between them."""
    items = meaning.items
    at = next(n for n, item in enumerate(items) if item.role == "number")
    after = items[at + 1] if at + 1 < len(items) else None
    if after is not None and after.group and after.group.post:
        return True
    for item in reversed(items[:at]):
        if item.group and (item.group.marker or (item.group.comparator and not item.group.superlative)):
            return not item.group.post
        if item.role in {"structure", "side", "number"} or item.is_filler("joint", "pronoun"):
            return False
    return False
