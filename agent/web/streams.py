"""Server-sent events (WHATWG HTML, 9.2) as answers that let go of what they watch as soon as nobody listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import anyio
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

_TYPE = "text/event-stream"
_EVENT = {"type": "object", "properties": {name: {"type": "string"} for name in ("id", "event", "data")}}
PAUSE = b": still at work\n\n"
"""Sent now and then so that nothing on the way takes a quiet stream for a dead one."""
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {_TYPE: {"itemSchema": _EVENT}}}
}
"""How such a path is described."""


class EventStream(StreamingResponse):
    """Sends events as they come.

    Args:
        events: pieces of the stream; closed when the stream ends, however it ends.
        afterwards: called once nobody listens any more, also where the stream never began.
    """

    def __init__(
        self, events: AsyncGenerator[bytes, None], afterwards: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(events, media_type=_TYPE, headers={"X-Accel-Buffering": "no"})
        self._events = events
        self._afterwards = afterwards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._afterwards is not None:
                # What is to be done is done, also where the request itself is being cancelled.
                with anyio.CancelScope(shield=True):
                    await self._afterwards()

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""
        async with aclosing(self._events):
            await super().stream_response(send)


def written(event: str, data: dict[str, Any], ident: str | None = None) -> bytes:
    """One event; `data` is JSON values."""
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False, separators=(",", ":")), event=event, id=ident)


async def while_heard(work: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Wait for something as long as the client does.

    Args:
        work: cancelled where the client hangs up.
        receive: of a request whose body has been read.

    Returns:
        Whether it came to its end.
    """
    at_work, hung_up = asyncio.ensure_future(work), asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait({at_work, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        return at_work.done()
    finally:
        hung_up.cancel()
        at_work.cancel()
        await asyncio.gather(at_work, hung_up, return_exceptions=True)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
