"""Words that number a lesion: "second largest", "number 2", "2nd", "the next", "the other one"."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from agent.interpret.items import Item
from agent.interpret.scan_words import Token
from tools.ontology import load_ontology

_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINALS = {word: number for number, word in enumerate(_NTH, start=1)}
CARDINALS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_SUFFIXES = frozenset({"st", "nd", "rd", "th"})
_NUMBER = frozenset({"number", "no", "nr", "num", "#", "numero"})
_WRITTEN = _NUMBER - {"no"}
_LARGE = frozenset({"largest", "biggest"})
MOST = 200
"""The largest number that a lesion may have."""


def counted(tokens: Sequence[Token]) -> list[Token]:
    """The words of a sentence with one mark for "second largest", "number 2", "2nd", "the next", "the other one"."""
    found: list[Token] = []
    at = 0
    while at < len(tokens):
        mark = _mark(tokens, at)
        if mark is None:
            found.append(tokens[at])
            at += 1
        else:
            text, end = mark
            found.append(Token(text, tokens[at].start, tokens[end - 1].end))
            at = end
    return found


def ranked(tokens: Sequence[Token]) -> bool:
    """Whether a sentence has "third largest" or the like, which no other reading may take apart."""
    texts = [token.text for token in tokens]
    return any(
        (_ORDINALS.get(texts[n], 0) > 2 or texts[n] in _SUFFIXES) and texts[n + 1] in _LARGE
        for n in range(len(texts) - 1)
    )  # fmt: skip


def orders_lesions(items: Sequence[Item]) -> bool:
    """Whether "third" counts lesions ("is there a third liver metastasis?") and is no part of an organ."""
    return any(
        here.text == "third" and after.role == "structure" and load_ontology().get(after.structures[0]).kind == "lesion"
        for here, after in pairwise(items)
    )


def _mark(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """The mark that stands for the words from here on, and one past the last of them."""
    texts = [token.text for token in tokens[at : at + 4]] + [""] * 4
    end, number = at + 1, _ORDINALS.get(texts[0])
    if texts[0].isdecimal() and texts[1] in _SUFFIXES:
        number, end = int(texts[0]), at + 2
    if number is not None:
        if tokens[end : end + 1] and tokens[end].text in _LARGE:
            end += 1
        return f"#{number}", end
    # "No one" is nobody.
    written = texts[0] in _WRITTEN or (texts[0] == "no" and texts[1].isdecimal())
    if written and (number := _cardinal(texts[1])) is not None:
        return f"#{number}", at + 2
    if texts[0] == "next" and texts[1] != "to":
        return "#next", at + 1 + (texts[1] in _LARGE)
    if texts[0] in {"other", "remaining"} and texts[1] in {"one", ""} and not texts[2].startswith("beside"):
        return "#other", at + 1
    if texts[0] in {"smaller", "smallest", "last"} and texts[1] in {"one", ""}:
        return "#small", at + 1
    if texts[0] in {"larger", "bigger", *_LARGE} and texts[1] in {"one", ""}:
        return "#large", at + 1
    return None


def _cardinal(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) <= MOST else CARDINALS.get(text)
