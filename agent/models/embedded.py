"""The embedded guideline reasoner: deterministic, offline. It says what the evidence says, and nothing else."""

from __future__ import annotations

from collections.abc import Collection

from agent.claims import answer_for
from agent.interpret import interpret
from agent.models.protocol import Images, Plain
from agent.pathology import pathology
from agent.query import NotUnderstood, Query
from agent.state import Conclusion, Request, RunState
from agent.telling import telling


class EmbeddedReasoner(Plain):
    """Concludes by the evidence chains and the encoded rules alone."""

    name = "embedded-guideline-reasoner/1"
    deterministic = True

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        """Typed queries by the lexicon of the question kinds."""
        if request.question is None:
            return []
        return interpret(request.question, previous=request.previous, available=available, options=request.options)

    def conclude(self, state: RunState, images: Images = lambda: ()) -> Conclusion:
        """Answers, then the findings that they rest on, then what the rules make of them."""
        answers = [claim for target in state.targets if (claim := answer_for(state, target)) is not None]
        return Conclusion(claims=(*answers, *telling(state)), pathology=pathology(state))
