"""What the nodes of the loop work with besides the state: the case's arrays, the store, the trace, the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.errors import Cancelled
from agent.models.protocol import ReasoningModel
from agent.outside import Outside
from agent.settings import Settings
from agent.trace import TraceWriter
from tools.array_store import ArrayStore
from tools.base import Case
from tools.store import Store

CANCELLED = "The run was cancelled; resume it to go on where it stopped."
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many tool calls are finished, and how many are planned."""


def silent(what: str, finished: int, planned: int) -> None:
    """Progress that nobody watches."""


@dataclass
class Profile:
    """Seconds spent by part of the work."""

    seconds: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: int = 0
    _since: float = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time of the block to a part."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._add(name, time.perf_counter() - begin)

    @contextmanager
    def tool(self, name: str) -> Iterator[None]:
        """Add the time of a tool's run to it, and the time in which any tool runs to "tools": they overlap."""
        with self._lock:
            if self._running == 0:
                self._since = time.perf_counter()
            self._running += 1
        try:
            with self.part(f"tool: {name}"):
                yield
        finally:
            with self._lock:
                self._running -= 1
                idle, elapsed = self._running == 0, time.perf_counter() - self._since
            if idle:
                self._add("tools", elapsed)

    def _add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@dataclass
class Services:
    """Everything that is not state. It is never serialised; a resumed run makes it anew.

    Attributes:
        case: the scan, its labels, and what the user declared.
        model: the reasoning model.
        store: results of earlier tool calls by content.
        trace: the record of the run.
        settings: settings of the program.
        progress: told of every finished tool call.
        profile: where the time goes.
        outside: answers tool calls from elsewhere, if anything does.
        begun: when this part of the run began, by `time.monotonic`.
        before: seconds that the run took before it was interrupted.
        look_everywhere: engines look for all they can see in a report on everything, even where labels were given.
        stop: set by whoever wants the run to stop; None where nobody can.
    """

    case: Case
    model: ReasoningModel
    store: Store
    trace: TraceWriter
    settings: Settings
    progress: Progress = silent
    profile: Profile = field(default_factory=Profile)
    outside: Outside | None = None
    begun: float = field(default_factory=time.monotonic)
    before: float = 0.0
    look_everywhere: bool = False
    stop: threading.Event | None = None

    @property
    def arrays(self) -> ArrayStore:
        """Where masks are kept, beside the results of tool calls."""
        return ArrayStore(self.store.root)

    def go_on(self) -> None:
        """Whether the run may go on: asked before every node and every tool call.

        Raises:
            Cancelled: it was asked to stop.
        """
        if self.stop is not None and self.stop.is_set():
            raise Cancelled(CANCELLED)

    def elapsed(self) -> float:
        """Seconds that the run took so far; interruptions don't count."""
        return self.before + time.monotonic() - self.begun
