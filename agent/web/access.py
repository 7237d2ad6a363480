"""Who may come in: a token in a header, or a cookie that was given for it.

The cookie holds a time and its HMAC under the token (RFC 2104): nothing has to be remembered, and a new token makes
all of them worthless.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import deque

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from agent.web.faults import Refused

COOKIE = "tumortrace_session"
SESSION_SECONDS = 12 * 3600
_WRONG_A_MINUTE = 20
_MINUTE = 60.0


class Access:
    """Checks tokens and cookies.

    Args:
        token: what has to be shown; None where nothing has.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._wrong: deque[float] = deque(maxlen=_WRONG_A_MINUTE)
        self._lock = threading.Lock()

    @property
    def needed(self) -> bool:
        """Whether a token has to be shown."""
        return self._token is not None

    def known(self, headers: Headers) -> bool:
        """Whether a request shows the token or its cookie."""
        if self._token is None:
            return True
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._right(shown.strip()):
            return True
        return self._signed(_cookie(headers))

    def check(self, headers: Headers) -> None:
        """Let a request pass.

        Raises:
            Refused: it shows no token, or a wrong one.
        """
        if self.known(headers):
            return
        if headers.get("authorization"):
            self._count_wrong()
            raise Refused(403, "wrong_token", "The token is not the server's: ask whoever started it.")
        raise Refused(401, "token_needed", "This server demands its token: sign in, or send it as a bearer token.")

    def sign_in(self, token: str) -> str:
        """The cookie's value for the right token.

        Raises:
            Refused: it is the wrong one, or too many wrong ones were tried.
        """
        if self._token is None:
            raise Refused(409, "no_token", "This server demands no token.")
        if not self._right(token):
            self._count_wrong()
            raise Refused(403, "wrong_token", "The token is not the server's: ask whoever started it.")
        until = str(int(time.time()) + SESSION_SECONDS)
        return f"{until}.{self._signature(until)}"

    def _right(self, token: str) -> bool:
        assert self._token is not None
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def _signed(self, value: str) -> bool:
        until, _, signature = value.partition(".")
        if not until.isdecimal() or not until.isascii() or len(until) > 12:
            return False
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(until).encode()):
            return False
        return int(until) > time.time()

    def _signature(self, until: str) -> str:
        assert self._token is not None
        return hmac.new(self._token.encode(), f"session {until}".encode(), hashlib.sha256).hexdigest()

    def _count_wrong(self) -> None:
        with self._lock:
            if len(self._wrong) == _WRONG_A_MINUTE and time.monotonic() - self._wrong[0] < _MINUTE:
                raise Refused(429, "too_many_tries", "Too many wrong tokens were tried: wait a minute.")
            self._wrong.append(time.monotonic())


def _cookie(headers: Headers) -> str:
    # As browsers read them: one that another server on this machine set, in whatever form, must not hide ours.
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
