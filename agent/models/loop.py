"""One event loop in a thread of its own, for code that is called from many threads and has to be able to cancel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from contextvars import Context
from dataclasses import dataclass
from threading import Lock, Thread, current_thread
from typing import Any, Generic, Protocol, TypeVar

from agent.errors import ModelUnavailable

T = TypeVar("T")
LOOK_S = 1.0
"""How often a caller that waits looks whether the loop is still there."""
CLOSE_S = 5.0
"""How long closing waits for the thread, which may be busy with what a server sent."""


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


class LoopThread(Generic[R]):
    """Runs coroutines on something that lives in one loop, for callers in any thread.

    Args:
        make: makes that something, within the loop; called when the first coroutine is run.
    """

    def __init__(self, make: Callable[[], R]) -> None:
        self._make = make
        self._lock = Lock()
        self._now: _Running[R] | None = None
        self._process = os.getpid()

    def run(self, job: Callable[[R], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine; it is cancelled where the caller is interrupted.

        It runs in an empty context: nothing that traces or calls back around the caller reaches it.

        Raises:
            ModelUnavailable: the loop was closed meanwhile.
        """
        now, future = self._begin(job)
        try:
            # A loop that has ended answers nobody: who waits has to look after it.
            while not wait([future], LOOK_S).done and now.thread.is_alive():
                pass
            if not future.done():
                raise CancelledError
            return future.result()
        except CancelledError:
            raise ModelUnavailable("The client of the model server was closed before the answer came.") from None
        except BaseException:
            future.cancel()
            raise

    def _begin(self, job: Callable[[R], Coroutine[Any, Any, T]]) -> tuple[_Running[R], Future[T]]:
        while True:
            now = self._open()
            coroutine = job(now.resource)
            try:
                return now, Context().run(asyncio.run_coroutine_threadsafe, coroutine, now.loop)
            except RuntimeError:
                coroutine.close()
                if not now.loop.is_closed():
                    raise
                # It ended after it was looked at.
                self._forget(now)

    def close(self) -> None:
        """End the thread, its loop and what lives in it; a further `run` starts anew."""
        self._own()
        with self._lock:
            now, self._now = self._now, None
        if now is None:
            return
        try:
            now.loop.call_soon_threadsafe(now.stop.set)
        except RuntimeError:
            return  # it has ended by itself
        # The garbage collector may come here in any thread, even in the loop's own.
        if now.thread is not current_thread():
            now.thread.join(CLOSE_S)

    def _open(self) -> _Running[R]:
        self._own()
        with self._lock:
            if self._now is None or not self._now.thread.is_alive():
                ready: Future[_Running[R]] = Future()
                Thread(target=_live, args=(self._make, ready), name="model", daemon=True).start()
                self._now = ready.result()
            return self._now

    def _forget(self, now: _Running[R]) -> None:
        with self._lock:
            if self._now is now:
                self._now = None

    def _own(self) -> None:
        """A process that was forked off has the loop's memory, but not its thread, and perhaps a lock that is held."""
        if self._process != os.getpid():
            self._process, self._lock, self._now = os.getpid(), Lock(), None


def _live(make: Callable[[], R], ready: Future[_Running[R]]) -> None:
    async def life() -> None:
        try:
            now = _Running(asyncio.get_running_loop(), asyncio.Event(), make(), current_thread())
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller who waits
            ready.set_exception(error)
            return
        ready.set_result(now)
        try:
            await now.stop.wait()
        finally:
            await now.resource.close()

    asyncio.run(life())
