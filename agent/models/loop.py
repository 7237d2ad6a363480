"""One event loop in a thread of its own, for code that is called from many threads and has to be able to cancel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from dataclasses import dataclass
from threading import Lock, Thread, current_thread
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Closes(Protocol):
    """What lives in the loop."""

    async def close(self) -> None:
        """End it, in the loop."""
        ...


R = TypeVar("R", bound=Closes)


@dataclass(frozen=True)
class _Running(Generic[R]):
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    resource: R
    thread: Thread
    process: int


class LoopThread(Generic[R]):
    """Runs coroutines on something that lives in one loop, for callers in any thread.

    Args:
        make: makes that something, within the loop; called when the first coroutine is run.
    """

    def __init__(self, make: Callable[[], R]) -> None:
        self._make = make
        self._lock = Lock()
        self._now: _Running[R] | None = None

    def run(self, job: Callable[[R], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine; it is cancelled where the caller is interrupted.

        It runs in an empty context: nothing that traces or calls back around the caller reaches it.
        """
        now = self._open()
        future: Future[T] = Context().run(asyncio.run_coroutine_threadsafe, job(now.resource), now.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread, its loop and what lives in it; a further `run` starts anew."""
        with self._lock:
            now, self._now = self._now, None
        if now is None or now.process != os.getpid():
            return
        now.loop.call_soon_threadsafe(now.stop.set)
        # The garbage collector may come here in any thread, even in the loop's own.
        if now.thread is not current_thread():
            now.thread.join()

    def _open(self) -> _Running[R]:
        with self._lock:
            # A process that was forked off has the loop's memory, but not its thread.
            if self._now is None or self._now.process != os.getpid():
                ready: Future[_Running[R]] = Future()
                Thread(target=_live, args=(self._make, ready), name="model", daemon=True).start()
                self._now = ready.result()
            return self._now


def _live(make: Callable[[], R], ready: Future[_Running[R]]) -> None:
    async def life() -> None:
        try:
            now = _Running(asyncio.get_running_loop(), asyncio.Event(), make(), current_thread(), os.getpid())
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller who waits
            ready.set_exception(error)
            return
        ready.set_result(now)
        try:
            await now.stop.wait()
        finally:
            await now.resource.close()

    asyncio.run(life())
