"""When a run is done: a pure function over its rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Decision:
    """What happens next.

    Attributes:
        status: "consistent" or "unresolved" to stop, None to go on with another round.
        reason: why.
    """

    status: Literal["consistent", "unresolved"] | None
    reason: str


def decide(
    fingerprints: Sequence[str],
    *,
    failed: Sequence[str],
    new_repairs: bool,
    deterministic: bool,
    max_rounds: int,
) -> Decision:
    """Decide whether the conclusion stands.

    Args:
        fingerprints: the conclusion's fingerprint of every round so far, the present one last.
        failed: gates that failed in this round.
        new_repairs: whether a gate asks for tasks that were not done yet.
        deterministic: whether the model would conclude the same again from the same evidence.
        max_rounds: the budget.

    Returns:
        Consistent when no gate fails and the conclusion is settled: unchanged since the round before, or made by a
        model that can't conclude otherwise. Unresolved when the budget is spent, or nothing could change any more.
    """
    rounds = len(fingerprints)
    if not failed:
        if deterministic or (rounds > 1 and fingerprints[-1] == fingerprints[-2]):
            return Decision("consistent", "no gate objects and the conclusion is settled")
        if rounds >= max_rounds:
            return Decision("unresolved", "the conclusion changed until the rounds were spent")
        return Decision(None, "no gate objects; another round shows whether the conclusion stays")
    names = ", ".join(failed)
    if rounds >= max_rounds:
        return Decision("unresolved", f"the rounds are spent and these gates object: {names}")
    if deterministic and not new_repairs:
        return Decision("unresolved", f"these gates object and no further evidence can be made: {names}")
    return Decision(None, f"these gates object: {names}")
