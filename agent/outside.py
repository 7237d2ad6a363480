"""Tools that run elsewhere: what reads the scan is asked of somebody else (a benchmark's harness, a remote server).

What derives values from evidence still runs here, and the same planner, reasoner and critic work on what comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import JsonValue

from agent.state import RunState
from tools.types import Evidence

Turn = tuple[list[JsonValue], list[JsonValue]]
"""Calls of one turn and their answers, in the same order."""


class Outside(Protocol):
    """Runs tools elsewhere.

    Both functions are pure: after an interrupt the graph runs its node again from the start and asks again.
    """

    def calls(self, state: RunState, turns: Sequence[Turn]) -> list[JsonValue]:
        """What to ask next for the tasks of a state that are not done; none once everything is known.

        Args:
            state: with the tasks.
            turns: what was asked and answered for them so far.
        """
        ...

    def evidence(self, state: RunState, turns: Sequence[Turn]) -> dict[str, list[Evidence]]:
        """Evidence by task, from all answers; tasks that it leaves out run here."""
        ...
