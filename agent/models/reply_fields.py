"""Fields of what a server sent: only values of the types and sizes that an honest server sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_CALLS = 64
_MAX_NESTING = 200
MAX_PROMPT_TOKENS = 10**8
_FINISHES = {"stop", "length", "tool_calls", "content_filter", "function_call"}


class Unreadable(Exception):  # noqa: N818 - what came, not whose mistake it is
    """What came back is not what was asked for."""


class TooLong(Exception):  # noqa: N818
    """An answer had more in it than any that could be used."""


def an_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        Unreadable: there is none.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(data, dict):
        raise Unreadable
    return data


def texts_of(message: object) -> dict[str, str]:
    """Texts of a message or of a part of one."""
    if not isinstance(message, dict) or message.get("role") not in (None, "", "assistant"):
        raise Unreadable
    texts = {
        "content": _said(message.get("content")),
        "refusal": message.get("refusal"),
        "reasoning_content": message.get("reasoning_content") or message.get("reasoning"),
    }
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}


def _said(content: object) -> str:
    """A text, or one in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Unreadable
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            raise Unreadable
        texts.append(text)
    return "".join(texts)


def finish_of(choice: Mapping[str, Any]) -> str | None:
    """Why a choice ended; words that only some servers use mean nothing here."""
    finish = choice.get("finish_reason")
    if finish is not None and not isinstance(finish, str):
        raise Unreadable
    return finish if not finish or finish in _FINISHES else "stop"


def calls_of(calls: object) -> list[dict[str, Any]]:
    """Tool calls, as far as they are any."""
    if calls is None:
        return []
    if not isinstance(calls, list) or len(calls) > MAX_CALLS:
        raise Unreadable
    found = []
    for number, call in enumerate(calls):
        called = call.get("function") if isinstance(call, dict) else None
        name, arguments = (called.get("name"), called.get("arguments")) if isinstance(called, dict) else (None, None)
        if isinstance(name, str) and isinstance(arguments, str):
            if arguments.count("[") + arguments.count("{") > _MAX_NESTING:
                raise Unreadable
            function = {"name": name, "arguments": arguments}
            found.append({"id": f"call-{number}", "type": "function", "function": function})
    return found


def usage_of(usage: object, most: int) -> dict[str, Any]:
    """Tokens; a number that cannot be is left out. Servers count differently, so there is room above the limit."""
    if not isinstance(usage, dict):
        return {}
    read, wrote = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    prompt = count_of(usage.get("prompt_tokens"), MAX_PROMPT_TOKENS)
    output = count_of(usage.get("completion_tokens"), 2 * most + 64)
    cached = count_of(read.get("cached_tokens"), prompt) if isinstance(read, dict) else None
    thought = count_of(wrote.get("reasoning_tokens"), output) if isinstance(wrote, dict) else None
    counts = {"prompt_tokens": prompt, "completion_tokens": output}
    return {
        **{name: count for name, count in counts.items() if count is not None},
        **given("prompt_tokens_details", {} if cached is None else {"cached_tokens": cached}),
        **given("completion_tokens_details", {} if thought is None else {"reasoning_tokens": thought}),
    }


def count_of(value: object, most: int | None) -> int | None:
    """A number that can be a number of tokens."""
    if most is None or isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= most else None


def given(name: str, value: Any) -> dict[str, Any]:
    """A field, where there is anything in it."""
    return {name: value} if value else {}
