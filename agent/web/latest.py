"""A few results by key, kept in memory while they are asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Key = tuple[str, ...]


def _nothing(result: object) -> int:
    return 0


class Latest(Generic[T]):
    """Holds the results that were asked for last.

    Args:
        most: how many are held.
        room: bytes that they may take together; the last one is held however large it is.
        weigh: bytes of a result.
    """

    def __init__(self, most: int, room: int = 0, weigh: Callable[[T], int] = _nothing) -> None:
        self._most = most
        self._room = room
        self._weigh = weigh
        self._held: OrderedDict[Key, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], T]) -> T:
        """The result of a key, made where it is not held; two that ask at once may both make it."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        self.put(key, made)
        return made

    def put(self, key: Key, result: T) -> None:
        """Hold a result."""
        with self._lock:
            self._held[key] = result
            self._held.move_to_end(key)
            while len(self._held) > self._most or (len(self._held) > 1 and self._bytes() > self._room):
                self._held.popitem(last=False)

    def peek(self, key: Key) -> T | None:
        """The result of a key; None where it is not held."""
        with self._lock:
            return self._held.get(key)

    def drop(self, first: str) -> None:
        """Let go of all keys that begin with a part."""
        with self._lock:
            for key in [one for one in self._held if one[0] == first]:
                del self._held[key]

    def _bytes(self) -> int:
        return sum(self._weigh(one) for one in self._held.values())
