"""Why a clause is not answered: what makes it unanswerable whatever its kind, or in the kind that it fits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.interpret.lexicon import load_lexicon
from agent.interpret.meaning import Meaning, Slot
from agent.interpret.slots import Assignment
from tools.ontology import load_ontology

_RATIO_OF = {"liver": "liver", "l": "liver", "pancreas": "pancreas", "p": "pancreas"}
_WHERE = frozenset({"SLICE", "DEPTH"})
_SUPPOSING = frozenset({"would", "could", "may", "might", "must", "should"})
_COURSE = frozenset({"GROWN", "SHRUNK", "GROWTH"})
_EXTENTS = frozenset({"DIAMETER", "LONG_AXIS", "SHORT_AXIS", "SIZE", "VOLUME"})

_MALIGNANT = re.compile(
    r"^(?:so |and |but |or )*(?:is|are|could|can|might|may|would|does|do|what if)\b.*"
    r"\b(?:cancer|cancerous|cancers|malignant|malignancy|malignancies|benign)(?: or (?:malignant|benign|not))?$"
)


def no_diagnosis(text: str) -> str | None:
    """Why a question whether something is malignant is not answered; None for any other question."""
    plain = " ".join(re.findall(r"[a-z]+", text.lower()))
    if _MALIGNANT.match(plain) is None:
        return None
    return "Whether something is malignant cannot be told from what is measured here, and is not guessed"


def problem_of(meaning: Meaning) -> str | None:
    """What makes a clause unanswerable whatever its kind."""
    halves = [word for word in meaning.unknown if word in {"iva", "ivb", "4 a", "4 b"}]
    if halves and len(halves) == len(meaning.unknown):
        return f'Segment 4 of the liver is known as a whole only, not its part "{halves[0]}"'
    if _another_ratio(meaning):
        return "It is to rest on the attenuation of another organ"
    if supposed := [i.text for i in meaning.items if i.text in _SUPPOSING and _COURSE & meaning.concepts()]:
        return f'I don\'t know what "{supposed[0]}" means here'
    if meaning.unknown:
        quoted = ", ".join(f'"{word}"' for word in meaning.unknown)
        return f"I don't know what {quoted} means here"
    if meaning.numbers > 1:
        return "It has more than one number"
    if meaning.units > 1:
        return "It asks for more than one unit"
    if meaning.denials > 1:
        return "It is unclear what is negated"
    if _two_asked(meaning):
        return "It asks for two things at once"
    if (
        meaning.asks is None
        and not meaning.numbers
        and "RATIO" not in meaning.concepts()
        and any(i.role == "concept" and i.text == "over" for i in meaning.items)
    ):
        return '"over" may stand for a ratio or for "more than"'
    return None


def _another_ratio(meaning: Meaning) -> bool:
    """Whether "by the liver/spleen ratio" stands beside another organ than the one that the ratio is of."""
    asked = {i for slot in meaning.slots for i in slot.ids}
    grounds = [item for item in meaning.items if item.group and item.group.concepts == ("HU_BASED",)]
    told = {organ for item in grounds for word in item.text.split() if (organ := _RATIO_OF.get(word))}
    return bool(told) and bool(asked & {"liver", "pancreas"}) and not told & asked


def _two_asked(meaning: Meaning) -> bool:
    """Whether "and" joins a slice with a size ("slice and diameter of the lesion"), which one kind takes as one."""
    return any(
        a.group and b.group and joint.text in {"and", ","} and {*a.group.concepts, *b.group.concepts} & _WHERE
        and {*a.group.concepts, *b.group.concepts} & _EXTENTS
        for a, joint, b in zip(meaning.items, meaning.items[1:], meaning.items[2:], strict=False)
    )  # fmt: skip


def means_another_thing(found: Assignment, concepts: frozenset[str]) -> str | None:
    """Why words mean another thing beside these structures (the diameter of a vessel), or None."""
    ontology = load_ontology()
    asked = {i for one in found for i in one}
    kinds = {ontology.get(i).kind for i in asked}
    for rule in load_lexicon().elsewhere:
        if (
            (rule.kind in kinds or asked & set(rule.structures))
            and concepts & set(rule.concepts)
            and not concepts & set(rule.unless)
        ):
            return rule.reason
    return None


def nothing_fits(meaning: Meaning, slots: Sequence[Slot]) -> str:
    """Why no kind of question takes a clause whose words are all known."""
    if not meaning.concepts() and not meaning.soft():
        return "It names a structure but not what to tell about it" if slots else "It doesn't say what is asked"
    if "NEW" in meaning.concepts() and any(load_ontology().get(i).organ for slot in slots for i in slot.ids):
        return "New lesions are counted in the whole scan, not in one organ"
    if not slots and not meaning.scan:
        return "It doesn't say which structure is meant"
    return "I know these words, but no question that I can answer is made of all of them"
