"""Connections that ask for nothing, or only drip, are closed: they would take the place of those who do ask.

uvicorn (0.54) bounds the time between two requests, but neither the time until the first one nor how long a request's
headers may take; its own protocol does the rest.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0
"""What a connection has for the headers of its next request, from its beginning or from the request's first byte."""


class PunctualProtocol(H11Protocol):
    """HTTP/1.1 whose requests have to arrive in time.

    Attributes:
        header_seconds: what the headers of a request may take.
    """

    header_seconds = HEADER_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """A client is there: its first request is awaited."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """More of a request; what only drips does not get more time for it."""
        super().data_received(data)
        if not self._awaits_headers():
            self._forget()
        elif self._deadline is None:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._forget()
        super().connection_lost(exc)

    def _awaits_headers(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self.header_seconds, self._late)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._awaits_headers() and not self.transport.is_closing():
            self.transport.close()
