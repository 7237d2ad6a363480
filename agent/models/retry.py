"""What to do about a failed attempt: wait for a server that is away or busy, repeat what broke off, give up on a no."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import Literal, TypeVar

import httpx2
import openai

from agent.errors import ModelUnavailable
from agent.models.endpoint import PREFIX, Endpoint
from agent.models.reply_fields import TooLong, Unreadable
from agent.models.wire import Encoded

T = TypeVar("T")
LONGEST_PAUSE = 8.0
MAX_SAID = 200
_BUSY = {408, 409, 425, 429, 502, 503, 504}


class NoAnswer(TimeoutError):  # noqa: N818 - what happened, not whose mistake it is
    """Nothing came within the time for an answer."""


@dataclass(frozen=True)
class Fault:
    """What went wrong in an attempt.

    Attributes:
        kind: "away" is waited for, "broken" is repeated a few times, "refused" is final, "long" is an answer that was
            cut, "unreadable" one in which nothing can be read.
        what: clause about the server for the message.
        pause: seconds that the server asks to wait.
        status: HTTP status, if there was one.
    """

    kind: Literal["away", "broken", "refused", "long", "unreadable"]
    what: str
    pause: float | None = None
    status: int | None = None


def fault_of(error: Exception, endpoint: Endpoint) -> Fault | None:
    """What an error of the HTTP layers means; None for one that is not theirs."""
    causes = list(_causes(error))

    def any_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if any_of(TooLong):
        return Fault("long", "sends more than can be used")
    if any_of(Unreadable):
        return Fault("unreadable", "sends what cannot be read")
    if any_of(Encoded):
        return Fault("refused", "compresses its answers though that was not asked for")
    status = next((cause for cause in causes if isinstance(cause, openai.APIStatusError)), None)
    if status is not None:
        return _status(status, endpoint)
    if any_of(httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError):
        return Fault("away", "cannot be reached")
    if any_of(NoAnswer, httpx2.TimeoutException):
        return Fault("broken", f"gave no answer within {endpoint.timeout_s:g} seconds")
    if any_of(httpx2.UnsupportedProtocol, httpx2.InvalidURL):
        return Fault("refused", "has an address that cannot be used")
    # A stream may also carry an error instead of an answer.
    return Fault("broken", "broke off its answer") if any_of(httpx2.HTTPError, openai.APIError) else None


async def patiently(
    attempt: Callable[[], Awaitable[T]], endpoint: Endpoint, first_pause: float
) -> tuple[T | Fault, int]:
    """Make an attempt, again as long as that makes sense.

    Args:
        attempt: asks the server.
        endpoint: bounds of patience.
        first_pause: seconds before the second attempt, doubled for each further one.

    Returns:
        what came of it, or a fault that no further attempt would mend, and the number of attempts.

    Raises:
        ModelUnavailable: patience is at its end.
    """
    tries = broken = 0
    since: float | None = None
    while True:
        tries += 1
        try:
            return await attempt(), tries
        except Exception as error:
            fault = fault_of(error, endpoint)
            if fault is None:
                raise
            if fault.kind in {"long", "refused", "unreadable"}:
                return fault, tries
            broken += fault.kind == "broken"
            since = since or monotonic()
            left = endpoint.wait_s - (monotonic() - since)
            if broken > endpoint.retries or (fault.kind == "away" and left <= 0):
                raise unavailable(fault, endpoint) from error
        # Jitter: runs that met the same fault don't come back all at once.
        pause = min(first_pause * 2 ** min(tries - 1, 16), LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311
        longest = left if fault.kind == "away" else LONGEST_PAUSE
        await asyncio.sleep(max(0.0, min(max(pause, fault.pause or 0), longest)))


def unavailable(fault: Fault, endpoint: Endpoint) -> ModelUnavailable:
    """The error for the user."""
    what = f"The model server at {endpoint.place} {fault.what}."
    return ModelUnavailable(what, refused=fault.kind in {"long", "refused", "unreadable"})


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        one = one.__cause__ or one.__context__
    return iter(seen)


def _status(error: openai.APIStatusError, endpoint: Endpoint) -> Fault:
    status, after = error.status_code, _retry_after(error.response.headers.get("retry-after"))
    if status in _BUSY:
        return Fault("away", "is too busy" if status == 429 else f"is not ready (HTTP {status})", after, status)
    if status >= 500 and status != 501:
        return Fault("broken", f"failed (HTTP {status})", after, status)
    if status in {401, 403}:
        return Fault("refused", f"does not accept the key (HTTP {status}, {PREFIX}KEY)", None, status)
    said = _said(error, endpoint)
    return Fault("refused", f"refuses the request (HTTP {status}{said})", None, status)


def _said(error: openai.APIStatusError, endpoint: Endpoint) -> str:
    """The server's own words, harmless and short, and marked as its own."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, str) or not message.strip():
        return ""
    key = endpoint.key.get_secret_value() if endpoint.key else ""
    text = " ".join((message.replace(key, "…") if key else message)[: 10 * MAX_SAID].split())
    # A quotation mark in it would end the quotation.
    text = "".join("'" if sign in "“”" else sign if sign.isprintable() else "�" for sign in text)
    return f"; the server said: “{text[:MAX_SAID]}{'…' if len(text) > MAX_SAID else ''}”"


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
