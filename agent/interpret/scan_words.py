"""Words of a question with their places, losing no character that could carry meaning.

Plain words come out as `tools.text.words` gives them (so that phrases of the ontology and the lexicon match);
on top of that signs, decimal commas and exponents of units are kept, and letters of any script are words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.interpret.abbreviations import without_abbreviation_stops

_TOKEN = re.compile(
    r"""
    (?P<nt>\b(?:is|are|was|were|does|do|did|has|have|can|could)n['’]t\b)
  | (?P<contraction>(?<=\bwhat)['’]s\b|(?<=\bhow)['’]s\b|(?<=\bthat)['’]s\b|(?<=\bit)['’]s\b|(?<=\bthere)['’]s\b
        |(?<=\bwhere)['’]s\b|(?<=\bwho)['’]s\b|(?<=\bhere)['’]s\b)
  | (?P<possessive>['’]s\b|['’](?=\s|$))
  | (?P<number>(?:(?<![\w)])[-−](?=\.?\d))?(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:[.,]\d+)?|(?<!\d)\.\d+))
  | (?P<power>[a-z]+(?:[²³]|\^\d))
  | (?P<word>[^\W\d_]+\d*)
  | (?P<mark>[/%&+<>=≥≤]|[?;.,:!])
  | (?P<line>[\r\n]+)
  | (?P<silent>[\s\-–—_'’‘"“”`()\[\]*\xad\u200b])
  | (?P<other>.)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_POWERS = {"²": "2", "³": "3"}


@dataclass(frozen=True)
class Token:
    """One word or mark: its lower-case text and the characters `start` to `end` (exclusive) that it stands for."""

    text: str
    start: int
    end: int


def tokenise(text: str) -> list[Token]:
    """Words, numbers and marks of a text in order; a line break counts as the end of a sentence."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(without_abbreviation_stops(text)):
        kind, raw = found.lastgroup, found.group(0).lower()
        start, end = found.span()
        if kind in {"silent", "possessive"}:
            continue
        if kind == "nt":
            tokens += [Token(raw[:-3], start, end - 3), Token("nt", end - 3, end)]
        elif kind == "contraction":
            tokens.append(Token("is", start, end))
        elif kind == "number":
            tokens.append(Token(_plain_number(raw), start, end))
        elif kind == "power":
            tokens.append(Token(raw.rstrip("²³").replace("^", "") + _POWERS.get(raw[-1], ""), start, end))
        elif kind == "line":
            tokens.append(Token(".", start, end))
        else:
            tokens.append(Token(raw, start, end))
    return tokens


def as_number(token: str) -> float | None:
    """The number that a token stands for, or None."""
    return float(token) if re.fullmatch(r"-?(?:\d+(?:\.\d+)?|\.\d+)", token) else None


def _plain_number(raw: str) -> str:
    raw = raw.replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", raw):
        return raw.replace(",", "")
    return raw.replace(",", ".")
