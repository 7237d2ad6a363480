"""What happens in a run, from the threads that work on it to the browsers that watch.

Steps are kept while the run works, so that who comes late sees all of them; of progress only the last is. Once a run
has ended its steps are read from its trace, which is the record.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

LATEST_ONLY = frozenset({"progress", "writing"})
"""Events of which only the last one matters."""
MOST_KEPT = 20_000


@dataclass(frozen=True)
class Note:
    """One event.

    Attributes:
        number: from 1, increasing; some numbers are missing where later events replaced earlier ones.
        event: its kind.
        data: as JSON values.
    """

    number: int
    event: str
    data: dict[str, Any]


class Feed:
    """The events of one run; writing is for any thread, watching for the server's loop.

    Attributes:
        name: tells its numbers from those of other feeds of the same run.
    """

    def __init__(self) -> None:
        self.name = secrets.token_hex(3)
        self._lock = threading.Lock()
        self._notes: list[Note] = []
        self._number = 0
        self._ended = False
        self._watchers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        with self._lock:
            return bool(self._watchers)

    def put(self, event: str, data: dict[str, Any]) -> None:
        """Tell an event; after the end nothing is told any more."""
        with self._lock:
            if self._ended:
                return
            self._add(event, data)
        self._wake()

    def end(self, event: str, data: dict[str, Any]) -> None:
        """Tell the last event."""
        with self._lock:
            if self._ended:
                return
            self._add(event, data)
            self._ended = True
        self._wake()

    def hang_up(self) -> None:
        """Let everybody go who watches: the server ends before the run does."""
        with self._lock:
            self._ended = True
        self._wake()

    def _add(self, event: str, data: dict[str, Any]) -> None:
        self._number += 1
        if event in LATEST_ONLY:
            self._notes = [one for one in self._notes if one.event != event]
        self._notes.append(Note(self._number, event, data))
        del self._notes[:-MOST_KEPT]

    def _wake(self) -> None:
        with self._lock:
            watchers = list(self._watchers.items())
        for event, loop in watchers:
            # A loop that ends with the server must not end the run that tells it something.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

    async def watch(self, after: int = 0, pause: float = 15.0) -> AsyncGenerator[Note | None, None]:
        """Events beyond a number as they come, to the last; None after every `pause` seconds without one."""
        woken = asyncio.Event()
        with self._lock:
            self._watchers[woken] = asyncio.get_running_loop()
        try:
            while True:
                woken.clear()
                with self._lock:
                    new = [one for one in self._notes if one.number > after]
                    ended = self._ended
                for note in new:
                    after = note.number
                    yield note
                if ended:
                    return
                if new:
                    continue
                try:
                    await asyncio.wait_for(woken.wait(), pause)
                except TimeoutError:
                    yield None
        finally:
            with self._lock:
                self._watchers.pop(woken, None)
