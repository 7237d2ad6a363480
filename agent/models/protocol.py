"""What the loop expects of a reasoning model. Models judge; tools make the facts, and the critic has the last word."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from agent.query import NotUnderstood, Query
from agent.state import Conclusion, Request, RunState, Task


class ReasoningModel(Protocol):
    """A model behind the loop.

    Attributes:
        name: identifier for the trace, with version.
        deterministic: whether the same state always gives the same conclusion; then one round without objection
            settles a run, otherwise the conclusion has to come out the same twice.
    """

    name: str
    deterministic: bool

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

    def conclude(self, state: RunState) -> Conclusion:
        """Claims from the evidence; on later rounds the state holds the critic's objections."""
        ...
