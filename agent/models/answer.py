"""What a model wrote, read strictly: JSON of the form asked for, or the reason why it cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.models.schema_check import misfit
from agent.models.usage import Problem

MAX_REASONING = 2000
MAX_DIGITS = 18
_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)


@dataclass(frozen=True)
class Choice:
    """One answer as the server sent it.

    Attributes:
        text: what the model wrote.
        finish: why it ended, in the API's words; "cut" where we stopped reading.
        reasoning: what it thought, where the server keeps that apart.
        refusal: what it said instead of an answer.
    """

    text: str
    finish: str | None = "stop"
    reasoning: str = ""
    refusal: str | None = None


@dataclass(frozen=True)
class Sample:
    """One answer, read.

    Attributes:
        data: what the model filled in; None where it cannot be used.
        problem: why it cannot be used.
        reasoning: what a thinking model thought, shortened; for the trace alone.
    """

    data: dict[str, Any] | None
    problem: Problem | None = None
    reasoning: str = ""


def read_answer(choice: Choice, schema: Mapping[str, Any], limit: int) -> Sample:
    """A sample from an answer.

    Args:
        choice: the answer.
        schema: JSON schema that it was asked to fit.
        limit: longest text, in characters, that is still read.
    """
    thought, text = _apart(choice.text[: limit + 1])
    reasoning = _plain("\n".join(part for part in (choice.reasoning[:MAX_REASONING], thought) if part)[:MAX_REASONING])
    if choice.refusal or choice.finish == "content_filter":
        return Sample(None, "refusal", reasoning)
    if choice.finish in {"length", "cut"} or len(choice.text) > limit:
        return Sample(None, "length", reasoning)
    if not text.strip():
        return Sample(None, "empty", reasoning)
    try:
        data = _loads(text)
        # Half a surrogate pair is a string to JSON, but to no file.
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return Sample(None, "malformed", reasoning)
    if not isinstance(data, dict) or misfit(data, schema) is not None:
        return Sample(None, "schema", reasoning)
    return Sample(data, None, reasoning)


def _apart(text: str) -> tuple[str, str]:
    """What was thought and what was said: some servers leave a thinking model's tags in the text."""
    said = text.lstrip()
    if said.startswith(("{", "[")):
        return "", said
    thought, end, rest = text.rpartition("</think>")
    if end:
        return thought.strip().removeprefix("<think>").strip(), rest
    return (said.removeprefix("<think>").strip(), "") if said.startswith("<think>") else ("", text)


def _plain(text: str) -> str:
    """Text that any file and terminal can take."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)


def _loads(text: str) -> object:
    fenced = _FENCE.fullmatch(text.strip())
    return json.loads(
        fenced.group(1) if fenced else text, parse_constant=_no_number, object_pairs_hook=_once,
        parse_float=_finite, parse_int=_small,
    )  # fmt: skip


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("a number is too large")
    return value


def _small(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that names a field twice says two things."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is named twice")
    return found
