"""What a model is asked, as the trace records it and as the run's state counts it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pydantic
from pydantic import JsonValue

from agent.models.usage import Call, Purpose, Usage
from agent.services import Services
from agent.trace_schema import Event, Kind
from agent.trace_verify import Problem

LONGEST_CALL = 2 * 2**20
"""Characters of a request's record; of one that is longer, thoughts and result are left out."""


@dataclass
class Use:
    """One use of a model, filled in within the block of `asked`.

    Attributes:
        usage: what the run has used; with this use, once the block is left.
        result: what came out, as data; None where there is nothing to record beside the requests.
    """

    usage: Usage
    result: JsonValue = None


@contextmanager
def asked(services: Services, purpose: Purpose, number: int, usage: Usage) -> Iterator[Use]:
    """Record a use of the model: each request to its server, and then what came out of it.

    The requests are recorded even where the use fails: what was spent is spent.

    Args:
        services: with the model and the trace.
        purpose: what for.
        number: number of the round.
        usage: what the run used before.
    """
    use = Use(usage)
    begin = time.perf_counter()
    requests: list[Call] = []
    try:
        yield use
    finally:
        requests = services.model.calls()
        for call in requests:
            services.trace.append(Kind.MODEL_CALL, {**_recorded(call), "round": number})
            use.usage = use.usage.plus(call)
    if use.result is not None:
        data: dict[str, JsonValue] = {
            "model": services.model.name,
            "purpose": purpose,
            "seconds": round(time.perf_counter() - begin, 6),
            "round": number,
            "result": use.result,
        }
        services.trace.append(Kind.MODEL_CALL, {**data, "requests": len(requests)} if requests else data)


def _recorded(call: Call) -> dict[str, JsonValue]:
    data: dict[str, JsonValue] = call.model_dump(mode="json", exclude_none=True)
    if len(call.model_dump_json()) > LONGEST_CALL:
        del data["reasoning"]
        data.pop("result", None)
    return data


def requests_of(events: Iterable[Event | Problem]) -> Iterator[tuple[int, Call]]:
    """The requests that a trace records, each with the number of its round."""
    for event in events:
        # What came out of requests is recorded by the same kind of event, without the number of attempts.
        if not isinstance(event, Event) or event.kind != Kind.MODEL_CALL or "attempts" not in event.data:
            continue
        number = event.data.get("round")
        fields = {name: value for name, value in event.data.items() if name in Call.model_fields}
        try:
            call = Call.model_validate(fields)
        except pydantic.ValidationError:
            continue  # its verification names what is wrong with a record
        if isinstance(number, int):
            yield number, call


def usage_by_round(events: Iterable[Event | Problem]) -> dict[int, Usage]:
    """What the requests of each round took, from a trace; rounds without a request are left out."""
    found: dict[int, Usage] = {}
    for number, call in requests_of(events):
        found[number] = found.get(number, Usage()).plus(call)
    return found
