"""A client for any server with the OpenAI chat API: bounded in time, bytes and requests, patient, and counted."""

from __future__ import annotations

import hashlib
import io
import weakref
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Self

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from PIL import Image

from agent.errors import ModelUnavailable, UsageError
from agent.models.answer import Sample, read_answer
from agent.models.endpoint import Endpoint
from agent.models.exchange import Answer, Exchange, Request
from agent.models.loop import LoopThread
from agent.models.protocol import Heard
from agent.models.usage import Call, Ledger, Purpose

__all__ = ["Client", "Prompt", "Sample"]

FIRST_PAUSE_S = 0.5
_CHARACTERS_PER_TOKEN = 256
"""Longer than any token: what is above that times the tokens is no answer."""
_SEEDS_PER_CALL = 101


@dataclass(frozen=True)
class Prompt:
    """What a model is to read.

    Attributes:
        purpose: what for.
        system: fixed instructions.
        user: the case, from what never changes to what is new.
        template: name, version and hash of the templates.
    """

    purpose: Purpose
    system: str
    user: str
    template: str = ""


class Client:
    """Asks one server; made once per process and shared by all runs, whose requests it bounds together.

    Args:
        endpoint: the server and the settings.
        first_pause: seconds before the first repetition of a failed request.
    """

    def __init__(self, endpoint: Endpoint, *, first_pause: float = FIRST_PAUSE_S) -> None:
        self.endpoint = endpoint
        self._thread = LoopThread(partial(Exchange, endpoint, first_pause))
        # Who forgets to close it leaves no connection behind; at the program's end they go by themselves.
        weakref.finalize(self, self._thread.close).atexit = False
        self._models: dict[str, int | None] | None = None
        self._sees: bool | None = None

    def __reduce__(self) -> tuple[type[Client], tuple[Endpoint]]:
        """Another process makes its own connections."""
        return Client, (self.endpoint,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; a further question opens them again."""
        self._thread.close()

    @property
    def name(self) -> str:
        """The model's name; asked of the server where the endpoint gives none.

        Raises:
            UsageError: the server has several models, or none.
            ModelUnavailable: it is away for too long.
        """
        if self.endpoint.name is not None:
            return self.endpoint.name
        names = sorted(self.models())
        if len(names) == 1:
            return names[0]
        where = f"The model server at {self.endpoint.place}"
        if not names:
            raise UsageError(f"{where} lists no model; is it one with the OpenAI API under the path given?")
        listed = ", ".join(name[:100] for name in names[:10]) + (", …" if len(names) > 10 else "")
        raise UsageError(f"{where} has several models; add #NAME with one of: {listed}.")

    @property
    def context_tokens(self) -> int | None:
        """How much the model can read and write together; None where neither settings nor server say."""
        if self.endpoint.context_tokens is not None:
            return self.endpoint.context_tokens
        try:
            return self.models().get(self.name)
        except ModelUnavailable as error:
            # Who names the model needs no list: a server without one can be used.
            if self.endpoint.name is None or not error.refused:
                raise
            self._models = {}
            return None

    def models(self) -> dict[str, int | None]:
        """Models that the server lists, with the length of their contexts; asked once."""
        # No lock is held while the server is asked: a process forked off meanwhile would wait for it forever.
        if self._models is None:
            self._models = self._thread.run(lambda exchange: exchange.models())
        return self._models

    def sees(self) -> bool:
        """Whether the model is to be shown pictures; the server is asked once where the setting is "auto"."""
        if self.endpoint.images != "auto":
            return self.endpoint.images == "on"
        if self._sees is None:
            self._sees = self._takes_images(self.name)
        return self._sees

    def ask(
        self,
        prompt: Prompt,
        schema: Mapping[str, Any],
        ledger: Ledger,
        *,
        samples: int | None = None,
        images: Sequence[bytes] = (),
        temperature: float | None = None,
        progress: Heard | None = None,
    ) -> list[Sample]:
        """Ask for JSON of a given form.

        Args:
            prompt: what the model reads.
            schema: JSON schema of the answer, small and flat.
            ledger: takes the call.
            samples: answers wanted; the endpoint's number where it is None.
            images: PNG files that the model sees before the text.
            temperature: sampling temperature; the endpoint's where it is None.
            progress: told of the characters written so far; given, the answers are streamed.

        Returns:
            one sample per answer; what cannot be used says why.

        Raises:
            ModelUnavailable: the server is away for too long or refuses the request; nothing was recorded.
            UsageError: the server has several models and none was chosen.
        """
        count = samples or self.endpoint.samples
        name = self.name
        body = {**self.endpoint.extra, "response_format": _response_format(prompt, schema)}
        request = Request(
            name, _messages(prompt, images), body, count,
            self.endpoint.temperature if temperature is None else temperature,
            # A further round asks anew: with the seed of the round before, the same words would give the same answer.
            (self.endpoint.seed + _SEEDS_PER_CALL * ledger.spent.calls) % 2**31,
            self.endpoint.max_tokens, progress,
        )  # fmt: skip
        begun = monotonic()
        answer = self.send(request)
        seconds = monotonic() - begun
        limit = _CHARACTERS_PER_TOKEN * self.endpoint.max_tokens
        read = [read_answer(choice, schema, limit) for choice in answer.choices]
        ledger.add(
            Call(
                model=name, purpose=prompt.purpose, seconds=round(seconds, 6), attempts=answer.attempts, samples=count,
                prompt_tokens=answer.usage.get("prompt"), cached_tokens=answer.usage.get("cached"),
                output_tokens=answer.usage.get("output"), reasoning_tokens=answer.usage.get("reasoning"),
                cost=self._cost(answer), template=prompt.template, prompt=_hash(prompt, images),
                problems=tuple(sample.problem for sample in read if sample.problem is not None),
                reasoning=tuple(sample.reasoning for sample in read if sample.reasoning),
                result=[sample.data for sample in read],
            )
        )  # fmt: skip
        return read

    def send(self, request: Request) -> Answer:
        """What a request of any form gives, neither read nor counted; for looking at a server.

        Raises:
            ModelUnavailable: the server is away for too long or refuses the request.
        """
        return self._thread.run(lambda exchange: exchange.ask(request))

    def _takes_images(self, name: str) -> bool:
        picture = io.BytesIO()
        Image.new("RGB", (64, 64), "white").save(picture, "PNG")
        look = Prompt("conclude", "Answer with one word.", "What colour is this?")
        request = Request(name, _messages(look, [picture.getvalue()]), {}, 1, 0.0, 0, 16)
        try:
            return bool(self.send(request).choices)
        except ModelUnavailable as error:
            if error.refused:
                return False
            raise

    def _cost(self, answer: Answer) -> float | None:
        prices = self.endpoint.price_in, self.endpoint.price_out
        if prices[0] is None and prices[1] is None:
            return None
        counts = answer.usage.get("prompt", 0), answer.usage.get("output", 0)
        return sum(count * (price or 0.0) for count, price in zip(counts, prices, strict=True)) / 1e6


def _messages(prompt: Prompt, images: Sequence[bytes]) -> list[BaseMessage]:
    if not images:
        return [SystemMessage(prompt.system), HumanMessage(prompt.user)]
    # Pictures stay the same over the rounds, the text's end doesn't: the prefix cache needs them first.
    parts: list[str | dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64encode(image).decode()}"}}
        for image in images
    ]
    return [SystemMessage(prompt.system), HumanMessage([*parts, {"type": "text", "text": prompt.user}])]


def _response_format(prompt: Prompt, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": prompt.purpose, "schema": dict(schema), "strict": True}}


def _hash(prompt: Prompt, images: Sequence[bytes]) -> str:
    whole = hashlib.sha256()
    for part in (prompt.system.encode(), prompt.user.encode(), *images):
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
