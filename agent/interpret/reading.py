"""Reading a sentence: every word becomes a structure, a concept, a number, a unit, a filler, or is unknown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from agent.interpret.beside import both_sides, plain_words, remark
from agent.interpret.frames import frames
from agent.interpret.items import Item
from agent.interpret.lexicon import Lexicon, Phrase, load_lexicon
from agent.interpret.numbers import number_at, range_at
from agent.interpret.places import is_lesion
from agent.interpret.rephrase import which_one
from agent.interpret.scan_words import Token, as_number
from agent.interpret.short_names import halved_segments, listed_lobes, listed_segments, short_names, whole_pancreas
from agent.interpret.stages import Found, stages
from tools.ontology import Mention, Ontology, load_ontology
from tools.text import words

_MASKED = "\0"
_SHORTENED = {"panc": "pancreatic", "pancr": "pancreatic", "seg": "segment", "segm": "segment", "segs": "segments"}
_STAGING = re.compile(r"t[1-4]")


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
    lexicon, texts = load_lexicon(), which_one(plain_words(_spelled_out([token.text for token in tokens])))
    texts = halved_segments(texts, lambda at: tokens[at].end == tokens[at + 1].start)
    framing = {**both_sides(texts), **remark(texts), **frames(texts)}
    if (parts := whole_pancreas(texts)) is not None:
        texts[parts[0]] = "pancreas"
        framing[parts[0] + 1] = parts[1]
    patterned = {
        at: (end, group) for at, (end, group) in lexicon.patterned(texts).items()
        if not any(begin < end and at < stop for begin, stop in framing.items())
    }  # fmt: skip
    spans = [*framing.items(), *((at, end) for at, (end, group) in patterned.items() if group.mask)]
    masked = _masked(texts, lexicon, names) | {n for at, end in spans for n in range(at, end)}
    first = _mentions(load_ontology(), texts, masked)
    lesion = min((at for at, item in first.items() if any(map(is_lesion, item.structures))), default=None)
    staged = stages(tokens, lesion)
    answers = _answers(texts, lexicon, lesion)
    masked |= answers | {n for at, (end, _) in staged.items() for n in range(at, end)}
    mentions = _mentions(load_ontology(), texts, masked) if staged or answers else first
    for begin, (end, ident) in (listed_segments(texts) | listed_lobes(texts)).items():
        mentions = {at: item for at, item in mentions.items() if item.end <= begin or at >= end}
        mentions[begin] = Item("structure", begin, end, " ".join(texts[begin:end]), (ident,))
    names = {**_regions(texts, mentions), **names}
    around = _around(texts, lexicon) | {c for _, group in patterned.values() for c in group.concepts}
    items: list[Item] = []
    at = 0
    while at < len(texts):
        found = (
            _framing(texts, at, framing, lexicon)
            or _staged(texts, at, staged)
            or _named(texts, at, names, mentions)
            or mentions.get(at)
            or (_staged(texts, at, patterned) if _phrase_end(texts, at, lexicon) < patterned.get(at, (0,))[0] else None)
            or _counting(texts, at, lexicon)
            or range_at(texts, at, lexicon)
            or number_at(texts, at, lexicon)
            or _phrase(texts, at, lexicon, mentions, around)
            or Item("unknown", at, at + 1, texts[at])
        )
        items += found if isinstance(found, list) else [found]
        at = items[-1].end
    return items


def _answers(texts: Sequence[str], lexicon: Lexicon, lesion: int | None) -> set[int]:
    """Words that name a possible answer, of several or after a lesion was named, and no further lesion."""
    if lesion is None:
        return set()
    found = [
        (at, end, group.category)
        for at in range(len(texts)) for end in range(at + 1, min(at + lexicon.longest, len(texts)) + 1)
        if (group := lexicon.groups_of.get(tuple(texts[at:end]))) is not None and group.answer
    ]  # fmt: skip
    several = len({category for _, _, category in found}) > 1
    return {n for at, end, _ in found if several or at > lesion for n in range(at, end)}


def _framing(texts: Sequence[str], at: int, framing: Mapping[int, int], lexicon: Lexicon) -> Item | None:
    if at not in framing:
        return None
    text = " ".join(texts[at : framing[at]])
    return Item("filler", at, framing[at], text, fillers=lexicon.fillers_of[("please",)])


def _staged(texts: Sequence[str], at: int, staged: Found) -> Item | None:
    if at not in staged:
        return None
    end, group = staged[at]
    return Item("concept", at, end, " ".join(texts[at:end]), group=group)


def _regions(texts: Sequence[str], mentions: Mapping[int, Item]) -> dict[Phrase, str]:
    """Short names of the regions of the organs that the sentence names, where their words are not names already."""
    spans = [(item.start, item.end) for item in mentions.values() if item.role == "structure"]
    organs = [i for item in mentions.values() if item.role == "structure" for i in item.structures]
    found = short_names(organs)
    return {
        phrase: ident for phrase, ident in found.items()
        if any(
            tuple(texts[at : at + len(phrase)]) == phrase
            and not any(start < at + len(phrase) and end > at and end - start > len(phrase) for start, end in spans)
            for at in range(len(texts))
        )
    }  # fmt: skip


def _counting(texts: Sequence[str], at: int, lexicon: Lexicon) -> Item | None:
    """A phrase of a concept that begins with a number ("3 times as large as the second largest", "3 d")."""
    if as_number(texts[at]) is None:
        return None
    for length in range(min(lexicon.longest, len(texts) - at), 1, -1):
        phrase = tuple(texts[at : at + length])
        if group := lexicon.groups_of.get(phrase):
            return Item("concept", at, at + length, " ".join(phrase), group.structures, group)
    return None


def _spelled_out(texts: list[str]) -> list[str]:
    """Sides as radiologists shorten them: "rt", "lt" anywhere, "R" and "L" only in front of what has sides."""
    ontology = load_ontology()
    for at, text in enumerate(texts):
        if text in _SHORTENED and at + 1 < len(texts):
            texts[at] = _SHORTENED[text]
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
        if texts[at] == "focal" and at + 1 < len(texts) and texts[at + 1] in {"abnormality", "abnormalities"}:
            at += 2  # a lesion, unlike "abnormalities" by themselves
            continue
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
                plural=mention.plural or visible[mention.end - 1] == "mets",
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


def _named(texts: Sequence[str], at: int, names: Mapping[Phrase, str], mentions: Mapping[int, Item]) -> Item | None:
    for phrase in sorted(names, key=len, reverse=True):
        end = at + len(phrase)
        if tuple(texts[at:end]) == phrase and not (at in mentions and mentions[at].end > end):
            return Item("structure", at, end, " ".join(phrase), (names[phrase],))
    return None


def _phrase_end(texts: Sequence[str], at: int, lexicon: Lexicon) -> int:
    """One past the longest concept phrase that begins here."""
    sizes = range(min(lexicon.longest, len(texts) - at), 0, -1)
    return at + next((size for size in sizes if tuple(texts[at : at + size]) in lexicon.groups_of), 0)


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
    silent = lexicon.patterned_filler(texts[at:limit], around)
    for length in range(min(lexicon.longest, limit - at), 0, -1):
        if silent is not None and silent[0] >= length:
            break
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
    if silent is None:
        return None
    return Item("filler", at, at + silent[0], " ".join(texts[at : at + silent[0]]), fillers=(silent[1],))
