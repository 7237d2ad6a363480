"""What every request has to pass before anything looks at it: host, origin, token, size; and headers on the way out.

A page of another site must not be able to make this server do anything, nor to read from it: the Host header is
checked against DNS rebinding, Origin and Sec-Fetch-Site against cross-site requests (Fetch Metadata, W3C).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from agent.web.access import Access
from agent.web.config import MIB, ServeConfig, is_loopback
from agent.web.faults import Refused, answer
from agent.web.safe_headers import DATA, make_safe

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES = MIB
"""Largest body of a request that is no upload."""
BODY_SECONDS = 60.0
"""How long a body may be in coming; of an upload, how long its next part may be."""
UPLOADS = "/api/uploads"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/api/status", "/api/session"})
"""Paths that need no token; the page's own files need none either, and hold no data."""
_LONGEST_LENGTH = 15
"""Digits of a Content-Length; what has more is no size of anything."""


class Guard:
    """The outermost layer of the server.

    Args:
        app: what answers the requests that pass.
        config: the server's.
        access: who may come in.
    """

    def __init__(self, app: App, config: ServeConfig, access: Access) -> None:
        self._app = app
        self._config = config
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "There are no web sockets here."})
            return
        out = _with_headers(send, str(scope["path"]))
        try:
            self._check(scope)
        except Refused as refused:
            await answer(refused.status, refused.code, str(refused))(scope, receive, out)
            return
        path = str(scope["path"])
        await self._app(scope, _bounded(receive, self._limit(path), upload=path == UPLOADS), out)

    def _limit(self, path: str) -> int:
        return self._config.upload_bytes if path == UPLOADS else BODY_BYTES

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        path, method = str(scope["path"]), str(scope["method"])
        host = headers.get("host", "")
        if not self._known(host):
            raise Refused(403, "foreign_host", "This server does not answer to that host name: open it by its own.")
        _check_origin(headers, method, path, host)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _LONGEST_LENGTH or int(length) > self._limit(path):
            raise Refused(413, "too_large", _large(self._limit(path)))
        if path.startswith(DATA) and path not in _OPEN:
            self._access.check(headers)

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        # With a token another name gains nothing: its cookies are not ours.
        return (
            self._config.token is not None or is_loopback(name) or name in {one.lower() for one in self._config.hosts}
        )


def _bounded(receive: Receive, limit: int, *, upload: bool) -> Receive:
    """Hands a body on until it passes its limit, whatever its header said, or is too long in coming."""
    left, more, end = limit, True, None

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal left, more, end
        if not more:
            return await receive()  # what comes after the body is the end of the connection, whenever it is
        if end is None or upload:  # a large file may take its time as long as it moves at all
            end = asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError as error:
            reason = "The request's body did not arrive in time: send it again."
            raise HTTPException(408, reason, {"Connection": "close"}) from error
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, _large(limit))
        more = bool(message.get("more_body", False))
        return message

    return bounded


def _check_origin(headers: Headers, method: str, path: str, host: str) -> None:
    """Refuse what another site's page sends.

    Raises:
        Refused: it came from elsewhere.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    # The scheme is not compared: a proxy that ends TLS passes on requests whose origin is https.
    foreign = origin is not None and origin.lower() not in {f"http://{host}".lower(), f"https://{host}".lower()}
    if method not in _READS and (foreign or site in {"cross-site", "same-site"}):
        raise Refused(403, "foreign_origin", "Only the server's own page may send this: it came from another site.")
    # A link from elsewhere may open the page, but nothing on another page may load data.
    if path.startswith(DATA) and site in {"cross-site", "same-site"} and headers.get("sec-fetch-mode") != "navigate":
        raise Refused(
            403, "foreign_origin", "Only the server's own page may load this: it was asked from another site."
        )


def _large(limit: int) -> str:
    size = f"{limit / MIB:.0f} MiB" if limit >= MIB else f"{limit} bytes"
    return f"The request is larger than the limit of {size}, or does not say how large it is."


def _with_headers(send: Send, path: str) -> Send:
    async def out(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            make_safe(MutableHeaders(scope=message), path)
        await send(message)

    return out
