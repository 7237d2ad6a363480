"""Requests to a chat server and what came back, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx2
from langchain_core.messages import AIMessage, BaseMessage

from agent.local_only import nothing_sent
from agent.models.answer import Choice
from agent.models.endpoint import Endpoint
from agent.models.protocol import Heard
from agent.models.retry import Fault, NoAnswer, patiently, unavailable
from agent.models.sieve import NOTHING, Events, Whole, completion, model_list
from agent.models.wire import EXTRA, RECEIPT, Receipt, chat_model, http_client

MAX_LIST_BYTES = 4 * 2**20
MAX_BYTES = 32 * 2**20
_BASE_BYTES = 256 * 2**10
_BYTES_PER_TOKEN = 64
_BYTES_PER_EVENT = 1024
"""A token of a stream comes in an event of its own, of a few hundred bytes."""


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        name: the model.
        messages: system and user message.
        body: further fields of the request that servers know (response_format, tools, …).
        samples: answers wanted.
        temperature: sampling temperature.
        seed: seed of the first sample.
        max_tokens: longest answer.
        progress: told of the characters so far; given, the answer is streamed.
    """

    name: str
    messages: Sequence[BaseMessage]
    body: Mapping[str, Any]
    samples: int
    temperature: float
    seed: int
    max_tokens: int
    progress: Heard | None = None


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        choices: the answers, as many as wanted.
        usage: tokens by name, as far as the server says.
        attempts: requests sent.
        first: when the first byte came, on the monotonic clock.
        calls: tool calls of the first answer.
    """

    choices: tuple[Choice, ...]
    usage: Mapping[str, int]
    attempts: int = 1
    first: float | None = None
    calls: int = 0


class Exchange:
    """The part of a client that lives in its event loop.

    Args:
        endpoint: the server.
        first_pause: seconds before the first repetition.
    """

    def __init__(self, endpoint: Endpoint, first_pause: float) -> None:
        self.endpoint = endpoint
        self._pause = first_pause
        self._http: httpx2.AsyncClient = http_client(endpoint)
        self._turns = asyncio.Semaphore(endpoint.concurrency)
        self._one_each = False
        """Whether the server gives one answer only, whatever number is asked for."""

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def models(self) -> dict[str, int | None]:
        """Models of the server and the length of their contexts.

        Raises:
            ModelUnavailable: the server doesn't tell.
        """
        result, _ = await patiently(self._list, self.endpoint, self._pause)
        if isinstance(result, Fault):
            unread = replace(result, what="has a list of models that cannot be read")
            raise unavailable(unread if result.kind in {"long", "unreadable"} else result, self.endpoint)
        return result

    async def ask(self, request: Request) -> Answer:
        """As many answers as wanted, together if the server can do that.

        Raises:
            ModelUnavailable: the server is away for too long, or refuses the request.
        """
        if request.progress is not None or self._one_each or request.samples == 1:
            return await self._singly(request, request.samples)
        result, tries = await self._send(request)
        if isinstance(result, Fault):
            # Some servers refuse more than one answer at once. What else they may mean comes up again.
            alone = await self._singly(request, request.samples) if _plain_no(result) else None
            if alone is None:
                raise unavailable(result, self.endpoint)
            self._one_each = True
            return replace(alone, attempts=alone.attempts + tries)
        made = replace(result, choices=result.choices[: request.samples], attempts=tries)
        missing = request.samples - len(made.choices)
        if missing <= 0:
            return made
        self._one_each = True
        return _together([made, await self._singly(replace(request, seed=request.seed + len(made.choices)), missing)])

    async def _singly(self, request: Request, count: int) -> Answer:
        """Answers asked for one by one, at the same time."""
        so_far = [0] * count

        def told(index: int) -> Heard:
            def tell(characters: int) -> None:
                so_far[index] = characters
                if request.progress is not None:
                    request.progress(sum(so_far))

            return tell

        jobs = [
            self._send(
                replace(
                    request, samples=1, seed=request.seed + index,
                    progress=told(index) if request.progress is not None else None,
                )
            )
            for index in range(count)
        ]  # fmt: skip
        made = []
        for one in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(one, BaseException):
                raise one
            result, tries = one
            if isinstance(result, Fault):
                raise unavailable(result, self.endpoint)
            made.append(replace(result, choices=result.choices[:1], attempts=tries))
        return _together(made)

    async def _send(self, request: Request) -> tuple[Answer | Fault, int]:
        """One request, with patience; a prompt or answer that is too long or cannot be read is a bad answer."""
        result, tries = await patiently(lambda: self._attempt(request), self.endpoint, self._pause)
        if isinstance(result, Fault) and (result.kind == "long" or _too_much(result)):
            return Answer((Choice("", "cut"),) * request.samples, {}), tries
        if isinstance(result, Fault) and result.kind == "unreadable":
            return Answer((Choice(NOTHING),) * request.samples, {}), tries
        return result, tries

    async def _attempt(self, request: Request) -> Answer:
        receipt = _receipt(request)
        RECEIPT.set(receipt)
        async with self._turns:
            try:
                async with asyncio.timeout(self.endpoint.timeout_s):
                    with nothing_sent():
                        made = await (self._whole if request.progress is None else self._streamed)(request)
            except TimeoutError:
                if receipt.first is None:
                    raise NoAnswer from None
                made = Answer((Choice("", "cut"),) * request.samples, {})
            return replace(made, first=receipt.first)

    async def _whole(self, request: Request) -> Answer:
        chat = chat_model(self.endpoint, request.name, self._http)
        further: dict[str, Any] = {"n": request.samples} if request.samples > 1 else {}
        result = await chat.agenerate([list(request.messages)], **_settings(request), **further)
        choices, calls = [], 0
        for generation in result.generations[0]:
            message = getattr(generation, "message", None)
            if isinstance(message, AIMessage):
                choices.append(_choice(message.text, message.additional_kwargs.get(EXTRA, {})))
                calls = max(calls, len(message.tool_calls))
        return Answer(tuple(choices), _tokens((result.llm_output or {}).get("token_usage")), calls=calls)

    async def _streamed(self, request: Request) -> Answer:
        chat = chat_model(self.endpoint, request.name, self._http)
        told = {"text": "", "reasoning": "", "refusal": ""}
        finish: str | None = None
        usage: Mapping[str, int] = {}
        async for chunk in chat.astream(list(request.messages), **_settings(request)):
            extra = chunk.additional_kwargs.get(EXTRA, {})
            finish = extra.get("finish") or finish
            usage = _tokens(extra.get("usage")) or usage
            told["text"] += chunk.text
            told["reasoning"] += _text(extra.get("reasoning"))
            told["refusal"] += _text(extra.get("refusal"))
            if request.progress is not None and chunk.text:
                request.progress(len(told["text"]))
        if finish is None:
            raise httpx2.RemoteProtocolError("the stream ended early")
        return Answer((Choice(told["text"], finish, told["reasoning"], told["refusal"] or None),), usage)

    async def _list(self) -> dict[str, int | None]:
        RECEIPT.set(Receipt(MAX_LIST_BYTES, Whole(model_list)))
        chat = chat_model(self.endpoint, self.endpoint.name or "-", self._http)
        try:
            async with asyncio.timeout(self.endpoint.timeout_s):
                page = await chat.root_async_client.models.list()
        except TimeoutError:
            raise NoAnswer from None
        return {one.id: (one.model_extra or {}).get("max_model_len") for one in page.data}


def _receipt(request: Request) -> Receipt:
    """How much of an answer is read, and how."""
    if request.progress is not None:
        return Receipt(min(_BASE_BYTES + request.max_tokens * _BYTES_PER_EVENT, MAX_BYTES), Events(request.max_tokens))
    read = Whole(partial(completion, samples=request.samples, tokens=request.max_tokens))
    return Receipt(min(_BASE_BYTES + request.samples * request.max_tokens * _BYTES_PER_TOKEN, MAX_BYTES), read)


def _settings(request: Request) -> dict[str, Any]:
    """Fields of the request. What ChatOpenAI would interpret or rename goes past it in ``extra_body``."""
    return {
        "temperature": request.temperature,
        "seed": request.seed,
        "extra_body": {"max_tokens": request.max_tokens, **request.body},
    }


def _choice(text: str, extra: Mapping[str, Any]) -> Choice:
    refusal = extra.get("refusal")
    return Choice(text, extra.get("finish") or "stop", _text(extra.get("reasoning")), _text(refusal) or None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tokens(usage: object) -> Mapping[str, int]:
    """Tokens of a usage object."""
    if not isinstance(usage, Mapping):
        return {}
    prompt, output = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    found = {
        "prompt": usage.get("prompt_tokens"),
        "output": usage.get("completion_tokens"),
        "cached": prompt.get("cached_tokens"),
        "reasoning": output.get("reasoning_tokens"),
    }
    return {name: count for name, count in found.items() if isinstance(count, int)}


def _together(answers: Sequence[Answer]) -> Answer:
    """Several answers as one."""
    usage: dict[str, int] = {}
    for answer in answers:
        for name, count in answer.usage.items():
            usage[name] = usage.get(name, 0) + count
    firsts = [answer.first for answer in answers if answer.first is not None]
    return Answer(
        tuple(choice for answer in answers for choice in answer.choices),
        usage,
        sum(answer.attempts for answer in answers),
        min(firsts, default=None),
        max((answer.calls for answer in answers), default=0),
    )


def _plain_no(fault: Fault) -> bool:
    return fault.status in {400, 422}


def _too_much(fault: Fault) -> bool:
    """Whether a refusal says that the prompt is longer than the model can read."""
    said = fault.what.lower()
    return _plain_no(fault) and ("context length" in said or "context_length" in said or "context window" in said)
