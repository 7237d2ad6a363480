"""A model that says what it is told to: for tests, and to try what the critic lets through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from agent.models.embedded import EmbeddedReasoner
from agent.models.protocol import Images, Plain
from agent.query import NotUnderstood, Query
from agent.state import Conclusion, Request, RunState

Script = Callable[[RunState, Conclusion], Conclusion]
"""Turns the truthful conclusion of a round into the one that the model gives."""


class ScriptedModel(Plain):
    """Gives one scripted conclusion per round; the last one is repeated.

    Args:
        script: one function per round, from the state and the truthful conclusion to the conclusion given.
        name: identifier for the trace.
    """

    deterministic = False

    def __init__(self, script: Sequence[Script], name: str = "scripted/1") -> None:
        self.name = name
        self._script = list(script)
        self._truthful = EmbeddedReasoner()

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        """The embedded interpretation."""
        return self._truthful.interpret(request, available)

    def conclude(self, state: RunState, images: Images = lambda: ()) -> Conclusion:
        """The scripted conclusion of this round."""
        index = min(state.round, len(self._script)) - 1
        return self._script[index](state, self._truthful.conclude(state))
