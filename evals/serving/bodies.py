"""Bodies of the OpenAI chat API, made from a scripted reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from evals.serving.replies import Reply

CHARACTERS_PER_TOKEN = 4


def usage_of(request: dict[str, Any], reply: Reply, tokens: int, cached: int) -> dict[str, Any] | None:
    """The usage object of a reply; None where the server is to say nothing of it."""
    if reply.usage is None:
        return None
    written = sum(len(text) // CHARACTERS_PER_TOKEN + 1 for text in _texts(request, reply))
    thought = len(reply.reasoning) // CHARACTERS_PER_TOKEN * len(_texts(request, reply))
    made = {
        "prompt_tokens": tokens, "completion_tokens": written + thought, "total_tokens": tokens + written + thought,
        "prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": {"reasoning_tokens": thought},
    }  # fmt: skip
    return made | reply.usage


def whole(request: dict[str, Any], reply: Reply, usage: dict[str, Any] | None) -> bytes:
    """A chat completion in one piece."""
    choices = []
    for index, text in enumerate(_texts(request, reply)):
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.refusal is not None:
            message |= {"content": None, "refusal": reply.refusal}
        if reply.tool is not None:
            called = {"name": reply.tool, "arguments": text}
            message |= {"content": None, "tool_calls": [{"id": "call-1", "type": "function", "function": called}]}
        choices.append({"index": index, "message": message, "finish_reason": reply.finish})
    made = {"id": "chatcmpl-s", "object": "chat.completion", "created": 0, "model": request["model"]}
    return json.dumps(made | {"choices": choices, "usage": usage}).encode()


def events(request: dict[str, Any], reply: Reply, usage: dict[str, Any] | None) -> Iterator[bytes]:
    """A chat completion as server-sent events."""
    base = {"id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 0, "model": request["model"]}

    def event(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _event(base | {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]})

    for index, text in enumerate(_texts(request, reply)):
        yield event(index, {"role": "assistant", "content": ""})
        if reply.reasoning:
            yield event(index, {"reasoning_content": reply.reasoning})
        if reply.refusal is not None:
            yield event(index, {"refusal": reply.refusal})
        else:
            for start in range(0, len(text), reply.piece):
                yield event(index, {"content": text[start : start + reply.piece]})
        while reply.endless:
            yield event(index, {"content": text})
        yield event(index, {}, reply.finish)
    if usage is not None and (request.get("stream_options") or {}).get("include_usage"):
        yield _event(base | {"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _texts(request: dict[str, Any], reply: Reply) -> list[str]:
    count = min(max(1, int(request.get("n") or 1)), reply.at_most)
    return [reply.texts[min(index, len(reply.texts) - 1)] for index in range(count)]
