"""Server-sent events (WHATWG HTML, 9.2) as answers that let go of what they watch as soon as nobody listens."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Send

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
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, media_type=_TYPE, headers={"X-Accel-Buffering": "no"})
        self._events = events

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""
        async with aclosing(self._events):
            await super().stream_response(send)


def written(event: str, data: dict[str, Any], ident: str | None = None) -> bytes:
    """One event; `data` is JSON values."""
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False, separators=(",", ":")), event=event, id=ident)
