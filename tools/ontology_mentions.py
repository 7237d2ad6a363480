"""Structures named in a text: sides, adjectives, prepositions and coordination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.ontology import Ontology

SIDES = ("left", "right")
# "from" is left out: "metastases from the colon" names an origin, not a place.
_LINK = frozenset({"in", "of", "within", "inside", "on", "involving", "affecting"})
_DETERMINER = frozenset({"the", "a", "an", "this", "that", "any", "his", "her", "their", "patient", "my", "your"})
_COORDINATION = frozenset({"and", "or", ",", "/", "&"})


@dataclass(frozen=True)
class Mention:
    """A structure found in a text: words `start` to `end` (exclusive) name `structure`."""

    start: int
    end: int
    structure: str
    plural: bool = False
    side_only: bool = False


@dataclass(frozen=True)
class Atom:
    """A phrase of the ontology, or a single word, at a place in the text."""

    kind: str  # "side", "both", "structure", "adjective", "lesion", "word"
    value: str
    start: int
    end: int
    plural: bool = False


def combine(ontology: Ontology, atoms: list[Atom]) -> Iterator[Mention]:
    """Mentions from atoms, left to right."""
    at = 0
    while at < len(atoms):
        here = atoms[at]
        if here.kind in {"side", "both", "structure", "adjective"}:
            found, after = _noun_phrase(ontology, atoms, at)
        elif here.kind == "lesion":
            found, after = _lesion_phrase(ontology, atoms, at)
        else:
            found, after = [], at + 1
        yield from found
        at = after


def _located(ontology: Ontology, atoms: list[Atom], at: int) -> tuple[list[tuple[str, Atom]], int]:
    """An organ with its sides: "left kidney", "kidney left", "left and right kidney", "both kidneys"."""
    sides: list[str] = []
    first = at
    while at < len(atoms) and (
        atoms[at].kind in {"side", "both"} or (sides and atoms[at].value in _COORDINATION | {"the"})
    ):
        if atoms[at].kind == "side":
            sides.append(atoms[at].value)
        elif atoms[at].kind == "both":
            sides = ["both"]
        at += 1
    if at >= len(atoms) or atoms[at].kind not in {"structure", "adjective"}:
        return [], first
    organ = atoms[at]
    at += 1
    if not sides and at < len(atoms) and atoms[at].kind == "side":
        sides = [atoms[at].value]
        at += 1
    sided = [s for s in sides if f"{organ.value}_{s}" in ontology.structures]
    own_side = ontology.get(organ.value).side
    if sides and not sided and sides != ["both"] and own_side not in sides:
        return [], first
    idents = [f"{organ.value}_{s}" for s in sided] if len(set(sided)) == 1 else [organ.value]
    return [(ident, organ) for ident in idents], at


def _noun_phrase(ontology: Ontology, atoms: list[Atom], at: int) -> tuple[list[Mention], int]:
    start = atoms[at].start
    organs, after = _located(ontology, atoms, at)
    if not organs:
        word = atoms[at]
        if word.kind in {"side", "both"}:
            return [Mention(word.start, word.end, word.value, side_only=True)], at + 1
        return [], at + 1
    spans = [(start, atoms[after - 1].end, ident, atom.plural) for ident, atom in organs]
    ahead = after
    while ahead + 1 < len(atoms) and atoms[ahead].value in _COORDINATION:
        more, then = _located(ontology, atoms, ahead + 1)
        if not more:
            break
        spans += [(atoms[ahead + 1].start, atoms[then - 1].end, ident, atom.plural) for ident, atom in more]
        ahead = then
    if ahead < len(atoms) and atoms[ahead].kind == "lesion":
        lesion = atoms[ahead]
        return [
            Mention(begin, lesion.end if n == len(spans) - 1 else end,
                    ontology.lesion_id(lesion.value, ident), lesion.plural)
            for n, (begin, end, ident, _) in enumerate(spans)
        ], ahead + 1  # fmt: skip
    first = [Mention(b, e, ident, many) for b, e, ident, many in spans[: len(organs)]]
    return first, after


def _lesion_phrase(ontology: Ontology, atoms: list[Atom], at: int) -> tuple[list[Mention], int]:
    lesion = atoms[at]
    own_organ = ontology.lesion_types[lesion.value].organ
    ahead = at + 1
    if ahead < len(atoms) and atoms[ahead].value in _LINK:
        ahead += 1
        while ahead < len(atoms) and atoms[ahead].value in _DETERMINER:
            ahead += 1
        organs, after = _located(ontology, atoms, ahead)
        if organs:
            idents = [ident for ident, _ in organs]
            end = atoms[after - 1].end
            while after + 1 < len(atoms) and atoms[after].value in _COORDINATION:
                skip = after + 1
                while skip < len(atoms) and atoms[skip].value in _DETERMINER | _LINK:
                    skip += 1
                more, then = _located(ontology, atoms, skip)
                if not more or (then < len(atoms) and atoms[then].kind == "lesion"):
                    break
                idents += [ident for ident, _ in more]
                after, end = then, atoms[then - 1].end
            return [
                Mention(lesion.start, end, ontology.lesion_id(lesion.value, ident), lesion.plural) for ident in idents
            ], after
    return [Mention(lesion.start, lesion.end, ontology.lesion_id(lesion.value, own_organ), lesion.plural)], at + 1
