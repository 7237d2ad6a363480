"""Categories: other words for the same verdict, finer and coarser stages, and whether it is the one asked about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from agent.interpret.lexicon import load_lexicon
from tools.ontology import load_ontology
from tools.text import words
from tools.types import Scalar, State

_STAGE = re.compile(r"(?:stage )?c?([tnm])[ -]?(\d|is|x)([a-d]?)(?: tumou?r| stage| category)?")
_GROUP = re.compile(r"(?:stage )?(0|i{1,3}|iv|[1-4])\s?([a-c]?)(\d?)")
_DIGITS = {"1": "i", "2": "ii", "3": "iii", "4": "iv"}
_SILENT = frozenset({".", ",", "?", "!", ":", "the", "a", "an"})


def category(text: str) -> str:
    """A category in plain words: "Grade 0" is "g0", "portal venous" is "portal", "Stage 2B" is "stage iib"."""
    # "T1a" is no T1 with an article.
    if told := _STAGE.fullmatch(text.strip(" .").lower()):
        return f"{told.group(1)}{told.group(2)}{told.group(3)}"
    plain = " ".join(word for word in words(text) if word not in _SILENT)
    synonyms = load_lexicon().categories
    if plain in synonyms:
        return synonyms[plain]
    if (told := _GROUP.fullmatch(plain)) and (plain.startswith("stage") or not plain.isdigit()):
        return "stage " + _DIGITS.get(told.group(1), told.group(1)) + told.group(2) + told.group(3)
    joined: list[str] = []
    for word in plain.split(" "):
        if joined and joined[-1] == "grade" and word[-1:].isdigit():
            joined[-1] = word if word.startswith("g") else f"g{word}"
        else:
            joined.append(word)
    plain = " ".join(joined)
    return synonyms.get(plain, plain)


def is_stage(text: str) -> bool:
    """Whether a text is a T, N or M category."""
    return _STAGE.fullmatch(category(text)) is not None


def covers(coarse: str, fine: str) -> bool:
    """Whether a category is another one or contains it: "T1" contains "T1c", "stage II" contains "stage IIB"."""
    first, second = category(coarse), category(fine)
    if first == second or second in load_lexicon().covers.get(first, ()):
        return True
    if _STAGE.fullmatch(first) and first[-1:].isdigit():
        return re.fullmatch(re.escape(first) + "[a-d]", second) is not None
    if first.startswith("stage ") and not first[-1:].isdigit():
        return re.fullmatch(re.escape(first) + "[abc]?\\d?", second) is not None
    return False


def is_wanted(wanted: str, value: Scalar, state: State, details: Mapping[str, JsonValue]) -> bool | None:
    """Whether a verdict is the category that a yes/no question asks about; None where that is open.

    Where several verdicts are possible, one answer that holds for all of them is given.

    Args:
        wanted: the category (or structure, or lesion type) asked about.
        value: the verdict, None where there is none.
        state: its state.
        details: of the evidence: `structures` that all count as right, `possible` verdicts.
    """
    structures = details.get("structures")
    if load_ontology().get(wanted).kind not in {"user", "lesion"} and isinstance(structures, list):
        return None if state is not State.MEASURED else wanted in structures
    possible = details.get("possible")
    verdicts: Sequence[Scalar] = [value]
    if value is None and isinstance(possible, list):
        verdicts = [one for one in possible if isinstance(one, bool | str)]
    told = {_same(wanted, one) for one in verdicts}
    return next(iter(told)) if len(told) == 1 else None


def _same(wanted: str, verdict: Scalar) -> bool | None:
    if verdict is None:
        return None
    if isinstance(verdict, bool):
        return verdict
    opposite = load_lexicon().opposes.get(category(wanted))
    if opposite is not None:
        return category(str(verdict)) not in opposite
    return covers(wanted, str(verdict))
