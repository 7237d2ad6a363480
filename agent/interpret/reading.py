"""Reading a sentence: every word becomes a structure, a concept, a number, a unit, a filler, or is unknown."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.interpret.lexicon import Filler, Group, Lexicon, Phrase, load_lexicon
from agent.interpret.scan_words import Token, as_number
from tools.ontology import Mention, Ontology, load_ontology
from tools.text import words

Role = Literal["structure", "side", "concept", "number", "unit", "filler", "unknown"]
_MASKED = "\0"
_STAGING = re.compile(r"t[1-4]")


@dataclass(frozen=True)
class Item:
    """One or more words with one meaning.

    Attributes:
        role: what they are; "unknown" if nothing is known of them.
        start: first word, as an index into the words of the sentence.
        end: one past the last word.
        text: the words.
        structures: identifiers, of a mention or named by a concept phrase; "left", "right" or "both" for a side.
        group: concept phrase group.
        fillers: ways in which the words may say nothing.
        value: a number.
        unit: unit of the number, or a unit on its own.
        plural: several are named.
    """

    role: Role
    start: int
    end: int
    text: str
    structures: tuple[str, ...] = ()
    group: Group | None = None
    fillers: tuple[Filler, ...] = ()
    value: float | None = None
    unit: str | None = None
    plural: bool = False

    def is_filler(self, *roles: str) -> bool:
        """Whether these words can be a filler of one of these classes."""
        return any(filler.role in roles for filler in self.fillers)


def user_names(available: Collection[str]) -> dict[Phrase, str]:
    """Phrases of the structures that only this scan has, by the words of their identifiers.

    A name made of words that already have a meaning in questions ("size", "the") is left out: whoever uses it
    would be misread.
    """
    lexicon, ontology = load_lexicon(), load_ontology()
    found: dict[Phrase, str] = {}
    for ident in sorted(available):
        phrase = tuple(words(ident))
        if not phrase or ontology.get(ident).kind != "user" or ontology.normalise(ident) not in {None, ident}:
            continue
        told = tuple(word for word in phrase if (word,) not in lexicon.fillers_of)
        taken = phrase in lexicon.fillers_of or phrase in lexicon.unit_of or as_number(ident) is not None
        if not taken and told not in lexicon.groups_of:
            found[phrase] = ident
    return found


def read(tokens: Sequence[Token], names: Mapping[Phrase, str]) -> list[Item]:
    """The items of a sentence, in order; together they cover every word once."""
    lexicon, texts = load_lexicon(), _spelled_out([token.text for token in tokens])
    masked = _masked(texts, lexicon, names)
    mentions = _mentions(load_ontology(), texts, masked)
    around = _around(texts, lexicon)
    items: list[Item] = []
    at = 0
    while at < len(texts):
        item = (
            _named(texts, at, names)
            or mentions.get(at)
            or _number(texts, at, lexicon)
            or _phrase(texts, at, lexicon, mentions, around)
            or Item("unknown", at, at + 1, texts[at])
        )
        items.append(item)
        at = item.end
    return items


def _spelled_out(texts: list[str]) -> list[str]:
    """Sides as radiologists shorten them: "rt", "lt" anywhere, "R" and "L" only in front of what has sides."""
    ontology = load_ontology()
    for at, text in enumerate(texts):
        if text in {"rt", "lt"}:
            texts[at] = "right" if text == "rt" else "left"
        elif text in {"r", "l"} and at + 1 < len(texts) and (at == 0 or as_number(texts[at - 1]) is None):
            side = "right" if text == "r" else "left"
            found = ontology.mentions([side, *texts[at + 1 : at + 4]])
            if found and found[0].start == 0 and not found[0].side_only:
                texts[at] = side
    return texts


def _masked(texts: Sequence[str], lexicon: Lexicon, names: Mapping[Phrase, str]) -> set[int]:
    """Words that must not be read as names of structures."""
    masked: set[int] = set()
    at = 0
    while at < len(texts):
        length = next(
            (
                n
                for n in range(min(lexicon.longest, len(texts) - at), 0, -1)
                if (tuple(texts[at : at + n]) in names)
                or ((group := lexicon.groups_of.get(tuple(texts[at : at + n]))) is not None and group.mask)
            ),
            0,
        )
        masked.update(range(at, at + length))
        at += max(length, 1)
    return masked


def _mentions(ontology: Ontology, texts: Sequence[str], masked: set[int]) -> dict[int, Item]:
    visible = [_MASKED if n in masked else text for n, text in enumerate(texts)]
    items: dict[int, Item] = {}
    for mention in ontology.mentions(visible):
        text = " ".join(texts[mention.start : mention.end])
        before = items.get(mention.start)
        if mention.side_only:
            side = "both" if mention.structure == "bilateral" else mention.structure
            items[mention.start] = Item("side", mention.start, mention.end, text, (side,))
        elif _may_be_a_stage(ontology, mention, visible):
            items[mention.start] = Item("unknown", mention.start, mention.end, text)
        else:
            earlier = before.structures if before else ()
            items[mention.start] = Item(
                "structure",
                mention.start,
                mention.end,
                text,
                (*earlier, mention.structure),
                plural=mention.plural,
            )
    return items


def _may_be_a_stage(ontology: Ontology, mention: Mention, texts: Sequence[str]) -> bool:
    """Whether a lesion's place may be its stage: "T1 tumour" need not lie in the first thoracic vertebra."""
    inside = set(texts[mention.start : mention.end])
    return (
        ontology.get(mention.structure).kind == "lesion"
        and any(_STAGING.fullmatch(word) for word in inside)
        and not inside & {"in", "of", "within", "on", "vertebra", "vertebral"}
    )


def _named(texts: Sequence[str], at: int, names: Mapping[Phrase, str]) -> Item | None:
    for phrase in sorted(names, key=len, reverse=True):
        if tuple(texts[at : at + len(phrase)]) == phrase:
            return Item("structure", at, at + len(phrase), " ".join(phrase), (names[phrase],))
    return None


def _unit(texts: Sequence[str], at: int, lexicon: Lexicon) -> tuple[str, int] | None:
    for length in range(min(4, len(texts) - at), 0, -1):
        unit = lexicon.unit_of.get(tuple(texts[at : at + length]))
        if unit:
            return unit, at + length
    return None


def _number(texts: Sequence[str], at: int, lexicon: Lexicon) -> Item | None:
    value = as_number(texts[at])
    unit = _unit(texts, at + 1, lexicon)
    if value is None:
        if unit is None or texts[at] not in lexicon.numbers:
            return None
        value = lexicon.numbers[texts[at]]
    if not math.isfinite(value):
        return None
    end = unit[1] if unit else at + 1
    return Item("number", at, end, " ".join(texts[at:end]), value=value, unit=unit[0] if unit else None)


def _around(texts: Sequence[str], lexicon: Lexicon) -> set[str]:
    """Every concept that any words of the sentence may stand for."""
    found: set[str] = set()
    for at in range(len(texts)):
        for end in range(at + 1, min(at + lexicon.longest, len(texts)) + 1):
            phrase = tuple(texts[at:end])
            if group := lexicon.groups_of.get(phrase):
                found.update(group.concepts)
            if (dimension := lexicon.dimension(lexicon.unit_of.get(phrase))) in lexicon.implied:
                found.add(lexicon.implied[str(dimension)])
    return found


def _phrase(
    texts: Sequence[str], at: int, lexicon: Lexicon, mentions: Mapping[int, Item], around: set[str]
) -> Item | None:
    """The longest concept phrase, filler or unit that begins here and runs into no structure."""
    limit = next((n for n in range(at + 1, len(texts)) if n in mentions), len(texts))
    for length in range(min(lexicon.longest, limit - at), 0, -1):
        phrase = tuple(texts[at : at + length])
        group = lexicon.groups_of.get(phrase)
        fillers = tuple(one for one in lexicon.fillers_of.get(phrase, ()) if not one.beside or around & set(one.beside))
        text, end = " ".join(phrase), at + length
        if group:
            return Item("concept", at, end, text, group.structures, group, fillers)
        if fillers:
            return Item("filler", at, end, text, fillers=fillers)
        if unit := lexicon.unit_of.get(phrase):
            return Item("unit", at, end, text, unit=unit)
    return None
