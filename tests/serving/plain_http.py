"""Requests to a server by nothing but the standard library, so that no client of ours can hide what it does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout: float = 30.0) -> str:
    """What lies there, as text."""
    with DIRECT.open(url, timeout=timeout) as answer:
        text: str = answer.read().decode()
    return text


def post(url: str, body: dict[str, Any], timeout: float = 120.0) -> tuple[int, dict[str, Any]]:
    """Status and answer of a request."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with DIRECT.open(request, timeout=timeout) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def chat(model: str, words: str, *, schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": 120}
    if schema is not None:
        form = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body | more


def texts(answer: dict[str, Any]) -> list[str]:
    """What each sample says."""
    return [choice["message"]["content"] for choice in answer["choices"]]
