"""How long something takes that is still to be done."""

from __future__ import annotations

import time

_ENOUGH = 3
"""Finished parts from which on their pace tells something."""


class LeftOver:
    """Estimates the time left from the pace so far, anew for every count that begins at zero."""

    def __init__(self) -> None:
        self._planned = -1
        self._from = 0
        self._begun = time.monotonic()

    def seconds(self, finished: int, planned: int) -> float | None:
        """Seconds left; None while nothing can be told."""
        if finished < self._from or self._planned < 0:
            self._from, self._begun = finished, time.monotonic()
        self._planned = planned
        done = finished - self._from
        if planned <= 0 or done < _ENOUGH or finished > planned:
            return None
        return round((time.monotonic() - self._begun) / done * (planned - finished), 1)
