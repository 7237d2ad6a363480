"""When a run is done: a pure function over its rounds.

A conclusion stands when no gate objects and it is settled: unchanged by a further round, the same in every one of
several samples, or made by a model that can't conclude otherwise. A run that can't come to that ends unresolved: it
goes back and forth, nothing new is to be had, or what it may spend is spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_SAMPLES = 2
"""Samples from which on their agreement shows that a conclusion is settled."""
_NO_MORE = "no further evidence can be made"
_NOTHING_NEW = "nothing new came of a further round"
SETTLED = (_NO_MORE, _NOTHING_NEW)
"""How the reason begins where a run ends unresolved, though more rounds would change nothing."""


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
    seen: Sequence[int] = (),
    samples: int = 1,
    agreement: float = 1.0,
    spent: Sequence[str] = (),
) -> Decision:
    """Decide whether the conclusion stands.

    Args:
        fingerprints: the conclusion's fingerprint of every round so far, the present one last.
        failed: gates that failed in this round.
        new_repairs: whether a gate asks for tasks that were not done yet.
        deterministic: whether the model would conclude the same again from the same evidence.
        max_rounds: the budget of rounds.
        seen: number of pieces of evidence at the end of every round so far; empty where it is not known.
        samples: how often the model was asked in parallel in this round.
        agreement: share of the samples that concluded this.
        spent: names of the budgets that are spent: another round may not begin.

    Returns:
        Consistent only when no gate failed. None, for another round, only while rounds and budgets are left.
    """
    rounds = len(fingerprints)
    stays = rounds > 1 and fingerprints[-1] == fingerprints[-2]
    if not failed and deterministic:
        return Decision("consistent", "no gate objects and the conclusion is settled")
    if not stays and fingerprints[-1] in fingerprints[:-1]:
        return Decision("unresolved", "it goes back and forth between conclusions" + _objecting(failed))
    if not failed and (stays or (samples >= _SAMPLES and agreement == 1)):
        return Decision("consistent", "no gate objects and the conclusion is settled")
    if rounds >= max_rounds:
        changed = "the conclusion changed until the rounds were spent"
        return Decision("unresolved", f"the rounds are spent{_objecting(failed)}" if failed else changed)
    if failed and deterministic and not new_repairs:
        return Decision("unresolved", f"{_NO_MORE}{_objecting(failed)}")
    if stays and not new_repairs and _nothing_new(seen):
        return Decision("unresolved", f"{_NOTHING_NEW}{_objecting(failed)}")
    if spent:
        return Decision("unresolved", f"the run's budget of {' and '.join(spent)} is spent{_objecting(failed)}")
    if not failed:
        return Decision(None, "no gate objects; another round shows whether the conclusion stays")
    return Decision(None, f"these gates object: {', '.join(failed)}")


def _nothing_new(seen: Sequence[int]) -> bool:
    return len(seen) > 1 and seen[-1] == seen[-2]


def _objecting(failed: Sequence[str]) -> str:
    return f" and these gates object: {', '.join(failed)}" if failed else ""
