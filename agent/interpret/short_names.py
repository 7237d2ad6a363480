"""Regions of an organ by the words that tell them apart: "the head" where the pancreas is spoken of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from agent.interpret.lexicon import Phrase
from tools.ontology import load_ontology
from tools.text import words

_SMALL = frozenset({"of", "the", "region"})
_SIDES = frozenset({"left", "right"})
_JOINTS = frozenset({"and", "or", "vs", "versus", ",", "/", "to", "with"})
_LIVER_LOBE = re.compile(r"(left|right) (?:(?:hepatic|liver) lobes?|lobes? of the liver)\b")
_FOURTH = ("segment 4", "segments 4", "segment iv", "s4", "siv")
_ANYWHERE = frozenset({"any", "there", "evidence"})
_ONE_OF = frozenset({"which", "where", "more", "most", "than", "largest", "biggest", "main", "dominant", "each", "all"})
_ROMAN = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii")


def short_names(idents: Iterable[str]) -> dict[Phrase, str]:
    """Phrases of the regions of some organs (or of the organs of some lesions or regions), by what tells them apart."""
    ontology = load_ontology()
    found: dict[Phrase, str] = {}
    for ident in idents:
        one = ontology.get(ident)
        first = ontology.get(one.parts[0]).part_of if one.parts and not one.regions else None
        organ = one.organ if one.kind == "lesion" else one.part_of or first or ident
        if organ is not None:
            found |= _of(organ)
    return found


def listed_segments(texts: Sequence[str]) -> dict[int, tuple[int, str]]:
    """Segments of the liver in a list ("segments 4 and 8"): first word of each, one past its last word, and its id."""
    found: dict[int, tuple[int, str]] = {}
    for at, text in enumerate(texts[:-1]):
        if text not in {"segments", "segment"} or _segment(texts[at + 1]) is None:
            continue
        begin, end = at, at + 1
        while end < len(texts) and (ident := _segment(texts[end])) is not None:
            found[begin] = (end + 1, ident)
            begin = end + 1
            while begin < len(texts) and texts[begin] in {",", "and", "or", "vs", "versus", "the", "than", "in"}:
                begin += 1
            end = begin
        if len([begin for begin in found if begin >= at]) < 2:
            found.pop(at, None)
    return found


def listed_lobes(texts: Sequence[str]) -> dict[int, tuple[int, str]]:
    """Both lobes of the liver in a list that names the liver once ("left and right hepatic lobe")."""
    for at, text in enumerate(texts):
        joint = at + 1
        if text not in _SIDES or joint >= len(texts) or texts[joint] not in _JOINTS:
            continue
        second = joint + 2 if texts[joint + 1 : joint + 2] == ["the"] else joint + 1
        told = " ".join(texts[second:])
        named = _LIVER_LOBE.match(told)
        if named and named.group(1) != text:
            end = second + len(named.group(0).split())
            return {at: (joint, f"liver_{text}_lobe"), second: (end, f"liver_{named.group(1)}_lobe")}
    return {}


def whole_pancreas(texts: Sequence[str]) -> tuple[int, int] | None:
    """Where a question whether there is something anywhere lists all parts of the pancreas ("head, body or tail").

    "Which of head, body and tail …" asks for one of them.
    """
    if not _ANYWHERE & set(texts) or _ONE_OF & set(texts):
        return None
    plain = [(n, text) for n, text in enumerate(texts) if text not in _JOINTS | {"of", "the", "in", "pancreatic"}]
    for (first, a), (_, b), (last, c) in zip(plain, plain[1:], plain[2:], strict=False):
        if {a, b, c} == {"head", "body", "tail"}:
            begin = first - 1 if first and texts[first - 1] == "pancreatic" else first
            behind = next((n for n in range(last + 1, min(last + 4, len(texts))) if texts[n] == "pancreas"), None)
            if behind is not None:
                return begin, behind + 1
            return (begin, last + 1) if begin < first else None
    return None


def halved_segments(texts: list[str], touching: Callable[[int], bool]) -> list[str]:
    """Words in which the "a" of "segment 4a" is no article: nothing tells the halves of segment 4 apart."""
    for at in range(1, len(texts)):
        four = " ".join(texts[max(at - 2, 0) : at]).endswith(_FOURTH)
        if four and texts[at] in {"a", "b"} and touching(at - 1):
            texts[at] = f"iv{texts[at]}"
    return texts


def _segment(text: str) -> str | None:
    number = _ROMAN.index(text) if text in _ROMAN[1:] else int(text) if text.isdecimal() and len(text) == 1 else 0
    ident = f"liver_segment_{number}"
    return ident if ident in load_ontology().structures else None


@cache
def _of(organ: str) -> dict[Phrase, str]:
    ontology = load_ontology()
    whole = ontology.get(organ)
    if whole.part_of is not None and not whole.regions:
        return _of(whole.part_of)
    own = {*words(whole.name), *words(whole.names), *words(whole.base)}
    found: dict[Phrase, str] = {}
    lobes = [i for i in ontology.structures if i.startswith(f"{whole.base}_") and i.endswith("_lobe")]
    regions = [*whole.regions, *(i for part in whole.parts for i in ontology.get(part).regions), *lobes]
    for region in dict.fromkeys(regions):
        one = ontology.get(region)
        told = tuple(word for word in words(region) if word not in own | _SMALL and word != one.side)
        if not told or (len(told) == 1 and told[0].isdigit()):
            continue
        if one.side is None:
            found[told] = region
            if told[0] == "segment" and told[-1].isdigit():
                found[("segment", _ROMAN[int(told[-1])])] = region
                found[("s" + told[-1],)] = region
        else:
            found[(one.side, *told)] = found[(*told, one.side)] = region
            found[told] = region if whole.side else one.base
    return found
