"""Stage categories in a text: "T2", "cT1a", "N1", "stage IIB"; and when "T1" is no vertebra."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.interpret.lexicon import Group
from agent.interpret.scan_words import Token

_TNM = re.compile(r"(c?)(t(?:[0-4]|is|x)|n[0-3x]|m[01x])")
_LETTER = re.compile(r"[a-d]")
_GROUP = re.compile(r"(0|i{1,3}|iv|[1-4])([abc])?")
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_STAGING = frozenset({
    "stage", "staging", "staged", "category", "tnm", "ct", "cn", "cm", "ajcc", "classified", "classify",
    "classification",     "uicc",
})  # fmt: skip
_PLACING = frozenset({"in", "at", "of", "vertebra", "vertebrae", "vertebral", "level", "body", "fracture", "rib"})

Found = Mapping[int, tuple[int, Group]]


def stages(tokens: Sequence[Token], lesion: int | None) -> Found:
    """Stage categories by the word at which they begin: one past their last word, and their concept.

    Args:
        tokens: the words of a sentence.
        lesion: the word at which it names a lesion first: "is … T1?" can then ask for its stage. Without that or
            a word of staging, T1 to T4 are vertebrae.
    """
    texts = [token.text for token in tokens]
    staging = bool(_STAGING & set(texts)) or ("t" in texts and "stage" in texts)
    listed = sum(_TNM.fullmatch(text) is not None for text in texts) > 1
    asks = bool(texts) and (texts[0] in {"is", "are"} or listed) and lesion is not None
    found: dict[int, tuple[int, Group]] = {}
    for at, text in enumerate(texts):
        if at and texts[at - 1] == "stage" and (group := _GROUP.fullmatch(text)):
            end = at + 1
            letter = group.group(2) or ""
            if not letter and end < len(texts) and _touching(tokens, at) and re.fullmatch(r"[abc]", texts[end]):
                letter, end = texts[end], end + 1
            name = _ROMAN.get(group.group(1), group.group(1).upper()) + letter.upper()
            found[at] = (end, Group(concepts=("STAGE_IS",), category=name))
        elif told := _TNM.fullmatch(text):
            end = at + 1
            letter = texts[end] if end < len(texts) and _touching(tokens, at) and _LETTER.fullmatch(texts[end]) else ""
            if letter:
                end += 1
            name = told.group(2)
            sure = bool(told.group(1) or letter or staging or name[0] != "t" or name in {"tis", "tx", "t0"})
            placed = (at > 0 and texts[at - 1] in _PLACING) or (end < len(texts) and texts[end] in _PLACING)
            if sure or (asks and not placed and lesion is not None and lesion < at):
                category = name[0].upper() + name[1:] + letter
                found[at] = (end, Group(concepts=(f"{name[0].upper()}_IS",), category=category))
    return found


def _touching(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and tokens[at].end == tokens[at + 1].start
