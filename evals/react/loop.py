"""A plain ReAct loop over the chat API: think, call a function, read what it returns, until an answer is written."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2

from agent.errors import ModelUnavailable
from agent.models.endpoint import Endpoint
from evals.marking import Given
from evals.questions_model import Question
from evals.react.functions import call, functions
from tools.base import Case

MAX_TURNS = 8
MOST_CALLS = 8
"""Functions called in one turn."""
_SYSTEM = (
    "You answer a question about a CT scan. Use the functions to measure; structures are named in plain English "
    "(liver, left kidney, pancreas lesion). Think step by step. When you know the answer, write it on a last line "
    "“Answer: …”: the letter of an option where there are options, else a number with its unit, yes or no, a name, "
    "or “cannot be determined”."
)
_ANSWER = re.compile(r"answer\s*(?:is)?\s*[:=]?\s*\**\s*(.+)", re.IGNORECASE)
_LETTER = re.compile(r"^\(?([A-Z])\)?(?:[\s.:)]|$)")
_SILENT = re.compile(r"cannot|can't|not (?:be )?(?:determined|possible|assessed|available)|unknown", re.IGNORECASE)
_NUMBER = re.compile(r"(-?\d+(?:,\d{3})*(?:\.\d+)?)\s*(cm³|cm3|cm\^3|ml|mL|mm³|mm|cm|HU|%)?")
_UNITS = {"mm³": "mm3", "cm³": "cm3", "cm^3": "cm3", "mL": "ml"}


@dataclass
class Episode:
    """What one question took.

    Attributes:
        text: the last text.
        calls: requests to the model.
        prompt_tokens, output_tokens: read and written.
        tools: functions called.
        seconds: how long it took.
        problem: why it ended without an answer.
    """

    text: str = ""
    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    tools: int = 0
    seconds: float = 0.0
    problem: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list, repr=False)


class React:
    """The loop, for one served model.

    Args:
        endpoint: the server.
        name: the model's name.
    """

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name
        headers = {} if endpoint.key is None else {"authorization": f"Bearer {endpoint.key.get_secret_value()}"}
        self._http = httpx2.Client(timeout=endpoint.timeout_s, headers=headers, trust_env=not endpoint.local)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def answer(self, case: Case, question: Question) -> Episode:
        """Let the model answer a question about a case.

        Raises:
            ModelUnavailable: the server cannot be reached.
        """
        episode = Episode(
            messages=[{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _asked(question)}]
        )
        begin = time.perf_counter()
        choice: str = "auto"
        for turn in range(MAX_TURNS):
            last = turn == MAX_TURNS - 1
            message = self._ask(episode, "none" if last else choice)
            if message is None:
                break
            called = message.get("tool_calls") or []
            episode.text = str(message.get("content") or episode.text)
            if not called:
                if turn == 0 and choice == "auto" and not _ANSWER.search(episode.text):
                    # Small models answer "auto" with prose: then one call is asked for.
                    choice = "required"
                    continue
                break
            choice = "auto"
            self._do(case, message, called, episode)
        episode.seconds = time.perf_counter() - begin
        return episode

    def _do(self, case: Case, message: dict[str, Any], called: Sequence[dict[str, Any]], episode: Episode) -> None:
        kept = [one for one in called if isinstance(one.get("function"), dict)][:MOST_CALLS]
        episode.messages.append({"role": "assistant", "content": message.get("content") or "", "tool_calls": kept})
        for one in kept:
            function = one["function"]
            text = call(case, str(function.get("name")), str(function.get("arguments") or ""))
            episode.tools += 1
            episode.messages.append({"role": "tool", "tool_call_id": str(one.get("id", "")), "content": text})

    def _ask(self, episode: Episode, choice: str) -> dict[str, Any] | None:
        """One request; None where the server refuses it (the context is full, or it knows no tool choice)."""
        body = {
            "model": self._name, "messages": episode.messages, "max_tokens": self._endpoint.max_tokens,
            "temperature": 0.0, "seed": self._endpoint.seed, "tools": functions(), "tool_choice": choice,
        }  # fmt: skip
        try:
            response = self._http.post(f"{self._endpoint.url}/chat/completions", json=body)
        except httpx2.HTTPError as error:
            raise ModelUnavailable(
                f"The model server at {self._endpoint.place} cannot be reached ({type(error).__name__}): start it."
            ) from error
        episode.calls += 1
        if response.status_code >= 500:
            raise ModelUnavailable(f"The model server at {self._endpoint.place} failed ({response.status_code}).")
        if response.status_code != 200:
            episode.problem = f"refused ({response.status_code})"
            return None
        data = response.json()
        usage = data.get("usage") or {}
        episode.prompt_tokens += int(usage.get("prompt_tokens") or 0)
        episode.output_tokens += int(usage.get("completion_tokens") or 0)
        message: dict[str, Any] = data["choices"][0]["message"]
        return message


def _asked(question: Question) -> str:
    options = "\n".join(f"{chr(65 + at)}: {text}" for at, text in enumerate(question.options))
    return question.text + (f"\n{options}" if options else "")


def given_of(text: str, question: Question, seconds: float = 0.0) -> Given:
    """What a free text answers, read kindly: its last “Answer: …”, else its last line."""
    found = _ANSWER.findall(text)
    lines = [line for line in text.strip().splitlines() if line.strip()]
    said = (found[-1] if found else lines[-1] if lines else "").strip().strip("*. ")
    blank = Given(state="not_assessed", text=text[:500], seconds=seconds)
    if not said:
        return blank.model_copy(update={"resolved": False})
    if question.options:
        letter = _LETTER.match(said)
        chosen = letter[1] if letter else _by_text(said, question.options)
        if chosen is None or ord(chosen) - 65 >= len(question.options):
            return blank
        return blank.model_copy(update={"option": chosen, "state": "measured"})
    if _SILENT.search(said):
        return blank
    return blank.model_copy(update={"state": "measured", **_value(said, question)})


def _by_text(said: str, options: Sequence[str]) -> str | None:
    fitting = [chr(65 + at) for at, text in enumerate(options) if text.lower() == said.lower()]
    return fitting[0] if len(fitting) == 1 else None


def _value(said: str, question: Question) -> dict[str, Any]:
    form = question.expected.form
    if form == "number":
        number = _NUMBER.search(said)
        if number is None:
            return {"value": said[:100]}
        unit = number[2] or question.expected.unit or "1"
        return {"value": float(number[1].replace(",", "")), "unit": _UNITS.get(unit, unit)}
    word = re.match(r"(yes|no)\b", said, re.IGNORECASE)
    if word is not None:
        return {"value": word[1].lower() == "yes"}
    return {"value": said[:100]}
