"""What a model was asked, what it took, and what a run may still spend."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Purpose = Literal["interpret", "plan", "conclude", "critique", "reply"]
Problem = Literal["length", "refusal", "malformed", "schema", "empty"]
"""Why an answer cannot be used: cut at the token limit, refused, no JSON, JSON of another form, nothing at all."""


class Call(BaseModel):
    """One request to a model, as the trace keeps it.

    Attributes:
        model: name of the model, with its server's own name for it; never an address or a key.
        purpose: what for.
        seconds: from the first attempt to the last byte.
        attempts: how often it was sent.
        samples: answers asked for in parallel.
        prompt_tokens, cached_tokens: tokens read, and how many of them the server had in its prefix cache; None where
            the server doesn't say.
        output_tokens: tokens written by all samples, reasoning included.
        reasoning_tokens: how many of them were reasoning, if the server says so.
        cost: in the currency of the prices set; None without prices.
        template: name, version and hash of the prompt template.
        prompt: SHA-256 of the whole prompt.
        problems: what was wrong with samples, one entry for each bad one.
        reasoning: what a thinking model thought, shortened; never part of a claim.
        result: what came back, as data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    purpose: Purpose
    seconds: float = Field(ge=0)
    attempts: int = 1
    samples: int = 1
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    template: str = ""
    prompt: str = ""
    problems: tuple[Problem, ...] = ()
    reasoning: tuple[str, ...] = ()
    result: JsonValue = None


class Usage(BaseModel):
    """Sum over the calls of a run or a round.

    Attributes:
        calls: requests made.
        prompt_tokens, cached_tokens, output_tokens: as in `Call`, what is not known counted as 0.
        seconds: spent waiting for the model.
        cost: sum of the known costs; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None

    def plus(self, call: Call) -> Usage:
        """With one call more."""
        cost = self.cost if call.cost is None else (self.cost or 0.0) + call.cost
        return Usage(
            calls=self.calls + 1,
            prompt_tokens=self.prompt_tokens + (call.prompt_tokens or 0),
            cached_tokens=self.cached_tokens + (call.cached_tokens or 0),
            output_tokens=self.output_tokens + (call.output_tokens or 0),
            seconds=round(self.seconds + call.seconds, 6),
            cost=cost,
        )


class Ledger:
    """Collects the calls that one run makes, until the loop takes them into its state and its trace.

    Args:
        spent: what the run had used before (a resumed run goes on counting).
    """

    def __init__(self, spent: Usage | None = None) -> None:
        self.spent = spent or Usage()
        self._open: list[Call] = []

    def add(self, call: Call) -> None:
        """Record a call."""
        self.spent = self.spent.plus(call)
        self._open.append(call)

    def take(self) -> list[Call]:
        """The calls since the last time, oldest first."""
        taken, self._open = self._open, []
        return taken
