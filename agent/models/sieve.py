"""What a server sent, reduced to the fields that are used and written anew, before any library reads it.

A server may send anything: the libraries are made for honest ones and fail, warn or take minutes over others. Whatever
passes here has the types that they expect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agent.models.reply_fields import (
    MAX_PROMPT_TOKENS,
    TooLong,
    Unreadable,
    an_object,
    calls_of,
    count_of,
    finish_of,
    given,
    texts_of,
    usage_of,
)  # fmt: skip

MAX_CHOICES = 16
MAX_MODELS = 1000
MAX_NAME = 300
NOTHING = "�"
"""Text of a choice in which there is nothing to be read."""


class Sieve(Protocol):
    """Takes the parts of a body as they come and gives what is to be read instead."""

    def feed(self, part: bytes) -> bytes:
        """What can be handed on after this part."""
        ...

    def end(self) -> bytes:
        """What is left at the end of the body."""
        ...


class Whole:
    """A body that is read in one piece.

    Args:
        convert: makes the new body of the whole one.
    """

    def __init__(self, convert: Callable[[bytes], bytes]) -> None:
        self._convert = convert
        self._parts: list[bytes] = []

    def feed(self, part: bytes) -> bytes:
        """Nothing yet."""
        self._parts.append(part)
        return b""

    def end(self) -> bytes:
        """The new body."""
        return self._convert(b"".join(self._parts))


class Events:
    """The events of a streamed answer; those that came together become one.

    Args:
        tokens: longest answer; a server has no reason to send many more events.
    """

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._count = 0
        self._usage: dict[str, Any] = {}
        self._done = False

    def feed(self, part: bytes) -> bytes:
        """The events of a part, as one."""
        if self._done:
            return b""
        *lines, rest = part.split(b"\n")
        delta: dict[str, str] = {}
        finish: str | None = None
        last = b""
        for line in lines:
            event = self._event_of(line)
            if event is None:
                continue
            if event.startswith(b"[DONE]"):
                last = self._last()
                break
            data = an_object(event)
            self._count += 1
            if self._count > 2 * self._tokens + 256:
                raise TooLong
            if data.get("error"):
                self._done, last = True, _event(_ERROR)
                break
            finish = self._take(data, delta) or finish
        self._line.append(rest)
        if not delta and finish is None:
            return last
        choice = {"index": 0, "delta": {"role": "assistant", "content": "", **delta}, "finish_reason": finish}
        return _event({**_CHUNK, "choices": [choice]}) + last

    def end(self) -> bytes:
        """The event that was left, and the tokens."""
        left = self.feed(b"\n\n")
        return left if self._done else left + self._last()

    def _event_of(self, line: bytes) -> bytes | None:
        """The data of an event when its last line has come."""
        whole = b"".join([*self._line, line]).rstrip(b"\r")
        self._line.clear()
        if whole.startswith(b"data:"):
            self._data.append(whole[5:].removeprefix(b" "))
        if whole or not self._data:
            return None
        event = b"\n".join(self._data)
        self._data.clear()
        return event

    def _take(self, data: Mapping[str, Any], delta: dict[str, str]) -> str | None:
        """Add what an event says; why the answer ended, if it did."""
        self._usage = usage_of(data.get("usage"), self._tokens) or self._usage
        choices = data.get("choices")
        if choices is None or choices == []:
            return None
        if not isinstance(choices, list) or len(choices) > MAX_CHOICES or not isinstance(choices[0], dict):
            raise Unreadable
        said = choices[0].get("delta")
        if said is not None:
            for name, text in texts_of(said).items():
                delta[name] = delta.get(name, "") + text
        return finish_of(choices[0])

    def _last(self) -> bytes:
        self._done = True
        if not self._count:
            raise Unreadable
        return _event({**_CHUNK, "choices": [], **given("usage", self._usage)}) + b"data: [DONE]\n\n"


def completion(body: bytes, samples: int, tokens: int) -> bytes:
    """A chat completion.

    Args:
        body: what came.
        samples: answers that were asked for.
        tokens: longest of them.

    Raises:
        Unreadable: there is none in it.
    """
    data = an_object(body)
    choices = data.get("choices")
    if not isinstance(choices, list) or not 0 < len(choices) <= max(MAX_CHOICES, samples):
        raise Unreadable
    made = {**_CHUNK, "object": "chat.completion", "choices": [_choice(one) for one in choices[:samples]]}
    return json.dumps(made | given("usage", usage_of(data.get("usage"), samples * tokens))).encode()


def model_list(body: bytes) -> bytes:
    """A list of models; names that could not be shown or kept are left out.

    Raises:
        Unreadable: there is none in it.
    """
    found = an_object(body).get("data")
    if not isinstance(found, list) or len(found) > MAX_MODELS:
        raise Unreadable
    models = []
    for one in found:
        name = one.get("id") if isinstance(one, dict) else None
        if isinstance(name, str) and name.isprintable() and name.strip() and len(name) <= MAX_NAME:
            length = count_of(one.get("max_model_len"), MAX_PROMPT_TOKENS)
            further = {"max_model_len": length} if length else {}
            models.append({"id": name, "object": "model", "created": 0, "owned_by": "", **further})
    return json.dumps({"object": "list", "data": models}).encode()


def refusal(body: bytes) -> bytes:
    """What a server says about an error, if it says anything."""
    try:
        said = an_object(body).get("error")
    except Unreadable:
        said = None
    message = said.get("message") if isinstance(said, dict) else said
    return json.dumps({"error": {"message": message}} if isinstance(message, str) else {}).encode()


_CHUNK: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
_ERROR = {"error": {"message": "the stream holds an error"}}


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _choice(choice: object) -> dict[str, Any]:
    """A choice; one that cannot be read takes nothing from the others."""
    try:
        if not isinstance(choice, dict):
            raise Unreadable
        message: dict[str, Any] = dict(texts_of(choice.get("message")))
        calls = calls_of(choice["message"].get("tool_calls"))
        finish = finish_of(choice)
    except Unreadable:
        message, calls, finish = {"content": NOTHING}, [], "stop"
    whole = {"role": "assistant", "content": "", **message, **given("tool_calls", calls)}
    return {"index": 0, "message": whole, "finish_reason": finish or "stop"}
