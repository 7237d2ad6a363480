"""The way to a server: one bounded HTTP client, and LangChain's ChatOpenAI on it.

Everything that the environment would add for a certain provider (keys, organisations, gateways) is left out: only what
the endpoint says is sent, and only to the endpoint's address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx2
import openai
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai._constants import RAW_RESPONSE_HEADER
from pydantic import SecretStr

from agent.models.endpoint import Endpoint

NO_KEY = "none"
EXTRA = "tumortrace"
"""Key under which a message carries what ChatOpenAI itself leaves out."""


class TooLong(Exception):  # noqa: N818
    """An answer had more bytes than any that could be used."""


class Encoded(Exception):  # noqa: N818
    """An answer came compressed though that was not asked for: its size could not be bounded."""


class Unreadable(Exception):  # noqa: N818
    """What came back is no chat completion."""


@dataclass
class Receipt:
    """What came over the wire in one attempt.

    Attributes:
        limit: most bytes that are read.
        count: bytes so far.
        first: when the first byte of the body came, on the monotonic clock.
    """

    limit: int
    count: int = 0
    first: float | None = None


RECEIPT: ContextVar[Receipt | None] = ContextVar("receipt", default=None)
"""The receipt of the attempt that the current task makes."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, receipt: Receipt) -> None:
        self._inner = inner
        self._receipt = receipt

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            self._receipt.first = self._receipt.first or monotonic()
            self._receipt.count += len(part)
            if self._receipt.count > self._receipt.limit:
                raise TooLong
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Read no more than the attempt's limit."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Encoded
    receipt = RECEIPT.get()
    if receipt is not None and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream, receipt)


async def _only_ours(request: httpx2.Request) -> None:
    """Send nothing that describes this machine or an account elsewhere."""
    for name in list(request.headers):
        # The library itself looks at the one that is kept to see which form of answer its caller wants.
        if name.lower().startswith(("x-stainless", "openai-")) and name.lower() != RAW_RESPONSE_HEADER.lower():
            del request.headers[name]
    if request.headers.get("authorization") == f"Bearer {NO_KEY}":
        del request.headers["authorization"]


def http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """The HTTP client of an endpoint; it follows no redirects, so that the key goes nowhere else."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(endpoint.timeout_s, connect=endpoint.connect_s),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=endpoint.concurrency),
        headers={"accept-encoding": "identity", "user-agent": "tumortrace"},
        event_hooks={"request": [_only_ours], "response": [_bound]},
        # Without redirects an address in plain HTTP stays one: no certificates have to be loaded.
        verify=endpoint.url.startswith("https"),
        # What is meant for this machine takes no proxy.
        trust_env=not endpoint.local,
    )


class Chat(ChatOpenAI):
    """ChatOpenAI that also hands on each choice's own finish reason, its refusal and its reasoning."""

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        try:
            result = super()._create_chat_result(response, generation_info)
            raw = response if isinstance(response, dict) else response.model_dump(warnings=False)
            for generation, choice in zip(result.generations, raw["choices"], strict=True):
                generation.message.additional_kwargs[EXTRA] = _extra(choice["message"], choice)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable from error
        return result

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if made is not None:
            choice = (chunk.get("choices") or [{}])[0]
            extra = _extra(choice.get("delta") or {}, choice)
            made.message.additional_kwargs[EXTRA] = extra | {"usage": chunk.get("usage")}
        return made


def _extra(message: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "finish": choice.get("finish_reason"),
        "refusal": message.get("refusal"),
        "reasoning": message.get("reasoning_content") or message.get("reasoning") or "",
    }


def _only_asynchronously(request: httpx2.Request) -> httpx2.Response:
    raise TypeError("only the bounded asynchronous client may send")


def chat_model(endpoint: Endpoint, name: str, http: httpx2.AsyncClient) -> Chat:
    """The chat model of an endpoint; it retries nothing by itself.

    Args:
        endpoint: the endpoint.
        name: the model's name.
        http: the client of `http_client`.
    """
    return Chat(
        model=name,
        base_url=endpoint.url,
        api_key=endpoint.key or SecretStr(NO_KEY),
        http_async_client=http,
        http_client=httpx2.Client(transport=httpx2.MockTransport(_only_asynchronously)),
        http_socket_options=(),
        openai_proxy="",
        max_retries=0,
        timeout=endpoint.timeout_s,
        stream_chunk_timeout=None,
        stream_usage=True,
        use_responses_api=False,
        cache=False,
        disable_streaming=False,
    )
