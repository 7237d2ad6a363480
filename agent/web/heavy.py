"""Threads of their own for what takes long, so that everything else is answered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

_AT_ONCE = 4

P = ParamSpec("P")
T = TypeVar("T")


class Heavy:
    """A few threads; who finds them busy waits without holding one."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="heavy")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of a call; what it raises is raised."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Begin nothing further."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@runtime_checkable
class HasHeavy(Protocol):
    """The parts of a server, as far as is wanted here."""

    @property
    def heavy(self) -> Heavy:
        """Its threads."""


def heavy(route: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Answer a path in the threads for what takes long; it has its parts as `at`."""

    @wraps(route)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> T:
        parts = kwargs["at"]
        assert isinstance(parts, HasHeavy)
        return await parts.heavy.run(partial(route, *args, **kwargs))

    return answered
