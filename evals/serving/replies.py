"""What a scripted server answers, and everything that can go wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

Script = Callable[[dict[str, Any]], "Reply"]
"""Gives the reply to the JSON body of a chat request."""


@dataclass(frozen=True)
class Reply:
    """One answer of the server.

    Attributes:
        texts: what the model says, one per sample; the last is repeated for further samples.
        reasoning: what a thinking model thought, the same for all samples.
        finish: reason for the end of every sample.
        refusal: what is said instead of an answer.
        status: HTTP status; others than 200 carry an error body.
        retry_after: value of the Retry-After header.
        delay: seconds before the first byte.
        pause: seconds between the pieces of the answer.
        piece: size of a piece, in bytes (whole body) or characters (stream).
        drop: close the connection after so many bytes of the body.
        body: these bytes as the body, whatever the request.
        endless: never stop sending.
        tool: call this function, with the text as its arguments.
        at_most: most samples that are given, whatever number is asked for.
        usage: fields that differ in the usage; None leaves the usage out.
    """

    texts: tuple[str, ...] = ("{}",)
    reasoning: str = ""
    finish: str = "stop"
    refusal: str | None = None
    status: int = 200
    retry_after: str | None = None
    delay: float = 0.0
    pause: float = 0.0
    piece: int = 64
    drop: int | None = None
    body: bytes | None = None
    endless: bool = False
    tool: str | None = None
    at_most: int = 1024
    usage: dict[str, Any] | None = field(default_factory=dict)

    @staticmethod
    def of(*data: Any) -> Reply:
        """A reply of JSON objects, one per sample; text is said as it is."""
        return Reply(texts=tuple(one if isinstance(one, str) else json.dumps(one) for one in data))

    def but(self, **changes: Any) -> Reply:
        """The same with other fields."""
        return replace(self, **changes)


def always(reply: Reply) -> Script:
    """The same reply to everything."""
    return lambda request: reply


def in_turn(*replies: Reply | Script) -> Script:
    """One reply after another, over all requests; the last one is repeated."""
    lock, count = Lock(), [0]

    def script(request: dict[str, Any]) -> Reply:
        with lock:
            index = min(count[0], len(replies) - 1)
            count[0] += 1
        chosen = replies[index]
        return chosen if isinstance(chosen, Reply) else chosen(request)

    return script


def first(times: int, fault: Reply, then: Reply | Script) -> Script:
    """A fault some times, then as it should be."""
    return in_turn(*[fault] * times, then)


TOO_MANY = Reply(status=429, retry_after="0")
BROKEN = Reply(status=500)
ENDLESS = Reply(texts=("x",), endless=True)
REFUSED = Reply(texts=("",), refusal="I cannot help with that.")
CUT = Reply(texts=('{"answer": "yes',), finish="length")
TRUNCATED = Reply(texts=('{"answer": "yes',))
PROSE = Reply(texts=("The liver looks normal to me, about 1500 cm³.",))


def last_user_text(request: dict[str, Any]) -> str:
    """Text of the last user message of a request, without its images."""
    return _text(request, "user")


def system_text(request: dict[str, Any]) -> str:
    """Text of the system message of a request."""
    return _text(request, "system")


def images_of(request: dict[str, Any]) -> list[str]:
    """Addresses of the images of a request."""
    return [
        part["image_url"]["url"]
        for message in request.get("messages", [])
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part.get("type") == "image_url"
    ]


def _text(request: dict[str, Any], role: str) -> str:
    found = [message.get("content", "") for message in request.get("messages", []) if message.get("role") == role]
    content: str | Sequence[dict[str, Any]] = found[-1] if found else ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")
