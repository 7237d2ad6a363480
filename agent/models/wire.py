"""The way to a server: one bounded HTTP client, and LangChain's ChatOpenAI on it.

Everything that the environment would add for a certain provider (keys, organisations, gateways) is left out: only what
the endpoint says is sent, and only to the endpoint's address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import Any

import httpx2
import openai
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai._constants import RAW_RESPONSE_HEADER
from pydantic import SecretStr

from agent.models.endpoint import Endpoint
from agent.models.reply_fields import TooLong
from agent.models.sieve import Sieve, Whole, refusal

MAX_REFUSAL_BYTES = 64 * 2**10
_OURS = {
    "accept": "application/json", "accept-encoding": "identity", "connection": "keep-alive",
    "content-type": "application/json", "user-agent": "tumortrace",
}  # fmt: skip
# The library itself looks at it to see which form of answer its caller wants.
_HEADERS = (RAW_RESPONSE_HEADER,)
EXTRA = "tumortrace"
"""Key under which a message carries what ChatOpenAI itself leaves out."""


class Encoded(Exception):  # noqa: N818
    """An answer came compressed though that was not asked for: its size could not be bounded."""


@dataclass
class Receipt:
    """What came over the wire in one attempt.

    Attributes:
        limit: most bytes that are read.
        sieve: what the body of an answer goes through.
        count: bytes so far.
        first: when the first byte of the body came, on the monotonic clock.
    """

    limit: int
    sieve: Sieve
    count: int = 0
    first: float | None = None


RECEIPT: ContextVar[Receipt] = ContextVar("receipt")
"""The receipt of the attempt that the current task makes."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, receipt: Receipt, *, refused: bool) -> None:
        self._inner = inner
        self._receipt = receipt
        self._refused = refused

    async def __aiter__(self) -> AsyncIterator[bytes]:
        receipt = self._receipt
        sieve: Sieve = Whole(refusal) if self._refused else receipt.sieve
        async for part in self._inner:
            receipt.first = receipt.first or monotonic()
            receipt.count += len(part)
            if self._refused and receipt.count > MAX_REFUSAL_BYTES:
                break
            if receipt.count > receipt.limit:
                raise TooLong
            if passed := sieve.feed(part):
                yield passed
            # What has come already is read without a pause: the time has to run out, and others have to come to work.
            await asyncio.sleep(0)
        if passed := sieve.end():
            yield passed

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Read no more than the attempt's limit, and let the libraries see no more than is used."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Encoded
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream, RECEIPT.get(), refused=not response.is_success)
    after = response.headers.get("retry-after", "")
    response.headers = httpx2.Headers(
        {"content-type": "application/json"} | ({"retry-after": after} if after.isascii() else {})
    )


class _Request:
    """The hook of requests: nothing that describes this machine or an account elsewhere is sent.

    Args:
        key: bearer token.
    """

    def __init__(self, key: SecretStr | None) -> None:
        self._key = key

    async def __call__(self, request: httpx2.Request) -> None:
        """Write the headers anew: the library takes some from the environment."""
        kept = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        size = {"content-length": str(len(request.content))} if request.method == "POST" else {}
        key = {"authorization": f"Bearer {self._key.get_secret_value()}"} if self._key is not None else {}
        request.headers = httpx2.Headers({"host": request.url.netloc.decode("ascii")} | kept | _OURS | size | key)


def http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """The HTTP client of an endpoint; it follows no redirects, so that the key goes nowhere else."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(endpoint.timeout_s, connect=endpoint.connect_s),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=endpoint.concurrency),
        event_hooks={"request": [_Request(endpoint.key)], "response": [_bound]},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
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
        result = super()._create_chat_result(response, generation_info)
        raw = response if isinstance(response, dict) else response.model_dump(warnings=False)
        for generation, choice in zip(result.generations, raw["choices"], strict=True):
            generation.message.additional_kwargs[EXTRA] = _extra(choice["message"], choice)
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
        "reasoning": message.get("reasoning_content") or "",
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
        # The library wants one; the client that sends puts the endpoint's in its place.
        api_key=SecretStr("none"),
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
