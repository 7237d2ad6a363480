"""What the loop expects of a reasoning model. Models judge; tools make the facts, and the critic has the last word."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from agent.models.usage import Call, Usage
from agent.query import NotUnderstood, Query
from agent.state import Conclusion, Objection, Request, RunState, Task

Images = Callable[[], Sequence[bytes]]
"""Makes PNG overlays of what a run is about; called only for a model that sees."""
Heard = Callable[[int], None]
"""Told of the characters that a model has written so far; it may be called in any thread and has to return at once."""


class ReasoningModel(Protocol):
    """A model behind the loop.

    Attributes:
        name: identifier for the trace, with version.
        deterministic: whether the same state always gives the same conclusion; then one round without objection
            settles a run, otherwise the conclusion has to come out the same twice.
    """

    name: str
    deterministic: bool

    def begin(self, spent: Usage, heard: Heard | None = None) -> ReasoningModel:
        """The model for one run: what it spends is counted from what the run has spent before.

        Models that hold nothing of a run return themselves.

        Args:
            spent: what the run has spent before.
            heard: told of the characters written so far, while an answer is being written; from any thread.
        """
        ...

    def calls(self) -> list[Call]:
        """Requests made since this was asked last; none for a model without a server."""
        ...

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        """Typed queries of a question, in order.

        Args:
            request: the words, the options and the conversation so far.
            available: identifiers of the structures that are labelled.
        """
        ...

    def plan(self, state: RunState) -> list[Task]:
        """Further tasks, beyond the evidence chains, that the model wants done in this round."""
        ...

    def conclude(self, state: RunState, images: Images) -> Conclusion:
        """Claims from the evidence; on later rounds the state holds the critic's objections."""
        ...

    def critique(self, state: RunState) -> list[Objection]:
        """Objections to the conclusion of a state, besides those of the gates; they can't overrule a gate."""
        ...

    def reply(self, sentences: Sequence[str], question: str) -> list[int]:
        """Which sentences of an accepted report to say first in answer to a question, in which order.

        Args:
            sentences: the sentences of the report; only they can be said.
            question: what was asked.

        Returns:
            their numbers, from 0; all of them, in their order, for a model that leaves the report as it is.
        """
        ...


class Plain:
    """What a model without a server does: nothing to count, nothing to add, the report as it is."""

    def begin(self, spent: Usage, heard: Heard | None = None) -> ReasoningModel:
        """Itself."""
        return self  # type: ignore[return-value]

    def calls(self) -> list[Call]:
        """None."""
        return []

    def plan(self, state: RunState) -> list[Task]:
        """Nothing beyond the evidence chains."""
        return []

    def critique(self, state: RunState) -> list[Objection]:
        """Nothing beyond the gates."""
        return []

    def reply(self, sentences: Sequence[str], question: str) -> list[int]:
        """All of the report."""
        return list(range(len(sentences)))
