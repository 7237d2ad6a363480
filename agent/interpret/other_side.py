"""The other of two sides: "and the other one?", "is the contralateral kidney enlarged?"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.interpret.scan_words import Token
from agent.interpret.slots import on_side
from tools.ontology import is_pair, load_ontology

OTHER = frozenset({"other", "opposite", "contralateral"})
_NAMELESS = frozenset({"one", "side"})
_OPPOSITE = {"left": "right", "right": "left"}
_BEFORE = frozenset({"the", "and", "about"})


@dataclass(frozen=True)
class Other:
    """Where a question speaks of another side.

    Attributes:
        at: index of the word that says "other".
        end: one past the last word: behind "one", "side" or nothing.
        pair: the pair named behind it ("kidney"), None for "one" or "side".
    """

    at: int
    end: int
    pair: str | None


def other_of(tokens: Sequence[Token]) -> Other | None:
    """The words of a sentence that mean another side; none in "each other" and "any other lesion"."""
    texts = [token.text for token in tokens]
    at = next((n for n, text in enumerate(texts) if text in OTHER), None)
    if at is None or (at and texts[at - 1] not in _BEFORE):
        return None
    behind = texts[at + 1 : at + 2]
    if not behind or behind[0] in _NAMELESS | {"?", ".", "!"}:
        return Other(at, at + 1 + bool(behind and behind[0] in _NAMELESS), None)
    named = next((one for one in load_ontology().mentions(texts[at + 1 :]) if one.start == 0), None)
    if named is None or named.plural or on_side(named.structure, "left") is None:
        return None
    return Other(at, at + 1, named.structure)


def opposite(ident: str) -> str | None:
    """The same structure, or the same lesions, on the other side; None for what has no side."""
    ontology = load_ontology()
    one = ontology.get(ident)
    side = one.side or (ontology.get(one.organ).side if one.organ else None)
    return on_side(ident, _OPPOSITE[side]) if side else None


def sides_of(ident: str) -> tuple[str, ...]:
    """Both sides of a pair or of the lesions in one; the opposite side of what has a side; itself otherwise."""
    one = load_ontology().get(ident)
    if is_pair(one.organ or ident):
        return tuple(side for name in _OPPOSITE if (side := on_side(ident, name)))
    found = opposite(ident)
    return (found or ident,)


def with_side(tokens: Sequence[Token], before: Sequence[str]) -> list[Token]:
    """The words of a sentence, the side that is meant in place of "other", where only one can be.

    That is so where the question before was about one structure, on one side.
    """
    told = other_of(tokens)
    found = opposite(before[0]) if told is not None and len(before) == 1 else None
    if told is None or found is None:
        return list(tokens)
    ontology = load_ontology()
    if told.pair is not None and ontology.get(told.pair).base != ontology.get(found).base:
        return list(tokens)
    one = ontology.get(found)
    side = str(one.side or ontology.get(str(one.organ)).side)
    behind = [replace(token, text="one") for token in tokens[told.at + 1 : told.end]]
    return [*tokens[: told.at], replace(tokens[told.at], text=side), *behind, *tokens[told.end :]]
