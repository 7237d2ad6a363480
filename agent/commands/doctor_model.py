"""``tumortrace doctor --model``: what a model server can do, measured by asking it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.commands.doctor import STYLES, Check
from agent.errors import ModelUnavailable
from agent.models.client import Client, Prompt
from agent.models.endpoint import Endpoint
from agent.models.exchange import Request
from agent.models.usage import Ledger

PARALLEL = 8
FEW_TOKENS = 4096
FEW_SECONDS = 3.0
MEASURED_TOKENS = 96
"""Longest answer whose speed is measured."""
_PREFIX = "The liver is the largest solid organ of the body and lies below the right half of the diaphragm. " * 30
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green"]},
        "count": {"type": "integer", "enum": [1, 2, 3]},
        "words": {"type": "array", "items": {"enum": ["one", "two"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["colour", "count", "words"],
    "additionalProperties": False,
}
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "measure",
        "description": "Measure an organ.",
        "parameters": {
            "type": "object", "properties": {"organ": {"enum": ["liver", "spleen"]}}, "required": ["organ"],
            "additionalProperties": False,
        },
    },
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """One thing to look at.

    Attributes:
        name: what it is called.
        how: asks a server; whether it is as it should be, and what was found.
        enables: what it is good for.
        mend: how to get it.
    """

    name: str
    how: Callable[[Client], tuple[bool, str]]
    enables: str
    mend: str


def examine(endpoint: Endpoint) -> list[Check]:
    """Ask a server for everything that a run needs of it; about 20 short requests.

    Args:
        endpoint: the server; its patience applies.

    Returns:
        one finding per ability; a single one where the server cannot be asked at all.

    Raises:
        UsageError: the server has several models and none was chosen.
    """
    enables = "a served model in place of the embedded reasoner"
    # A run waits for a server that is away; who asks what is wrong wants to know it now.
    now = {"samples": 1, "images": "auto", "wait_s": min(endpoint.wait_s, FEW_SECONDS)}
    with Client(endpoint.model_copy(update=now)) as client:
        try:
            name = client.name
        except ModelUnavailable as error:
            return [Check(name="server", state="problem", found=str(error), enables=enables, how="start the server")]
        checks = [Check(name="server", state="ok", found=f"{name} at {endpoint.place}", enables=enables, how="")]
        for look in LOOKS:
            try:
                fine, found = look.how(client)
                state: Literal["ok", "missing", "problem"] = "ok" if fine else "missing"
            except ModelUnavailable as error:
                state, found = "missing" if error.refused else "problem", str(error)
            checks.append(Check(name=look.name, state=state, found=found, enables=look.enables, how=look.mend))
        return checks


def print_table(checks: list[Check], console: Console) -> None:
    """The findings as a table, and a sentence for each that is missing."""
    table = Table("ability", "state", "found", box=None, pad_edge=False)
    for check in checks:
        table.add_row(Text(check.name, style="bold"), Text(check.state, style=STYLES[check.state]), Text(check.found))
    console.print(table)
    for check in checks:
        if check.state == "missing":
            console.print(f"{check.name}: needed for {check.enables}; {check.how}.", markup=False)
        elif check.state == "problem":
            console.print(f"{check.name}: could not be looked at; see to the server, then ask again.", markup=False)


def _latency(client: Client) -> tuple[bool, str]:
    """Time to the first token, and tokens per second after it."""
    begun = monotonic()
    firsts: list[float] = []

    def tell(characters: int) -> None:
        if not firsts:
            firsts.append(monotonic() - begun)

    answer = client.send(replace(_long(client, 0), progress=tell))
    took = monotonic() - begun
    if not firsts:
        return False, "no text came in the stream"
    return (
        True,
        f"first token after {_seconds(firsts[0])}, all {_count(answer.usage.get('output'))} in {_seconds(took)}",
    )


def _throughput(client: Client) -> tuple[bool, str]:
    """Tokens per second of one request, and of several at once."""
    begun = monotonic()
    one = client.send(_long(client, 1)).usage.get("output")
    alone = monotonic() - begun
    begun = monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(lambda index: client.send(_long(client, index + 2)), range(PARALLEL)))
    together = monotonic() - begun
    counts = [answer.usage.get("output") for answer in answers]
    total = sum(count or 0 for count in counts)
    if not one or None in counts:
        return False, "the server doesn't say how many tokens it wrote"
    gain = total / together / (one / alone)
    rates = f"{one / alone:.0f} tokens/s alone, {total / together:.0f} with {PARALLEL} requests at once"
    return gain > 1.5, f"{rates} ({gain:.1f} times)"


def _schema(client: Client) -> tuple[bool, str]:
    """Whether an answer keeps to a JSON schema of which its prompt knows nothing."""
    prompt = Prompt("conclude", "You write stories.", "Tell me a short story about a sailor.")
    (sample,) = client.ask(prompt, _SCHEMA, Ledger(), temperature=0.0)
    if sample.problem is not None:
        return False, f"asked for JSON of a given form, the answer is of no use ({sample.problem})"
    return True, "answers keep to the form asked for"


def _samples(client: Client) -> tuple[bool, str]:
    """Several answers to one request."""
    answer = client.send(replace(_long(client, 50), samples=2, max_tokens=16, temperature=1.0))
    together = answer.attempts == 1
    return together, "several answers to one request" if together else "one answer to a request"


def _cache(client: Client) -> tuple[bool, str]:
    """Whether a second request with the same beginning finds it in the cache."""
    client.send(_short(client, f"{_PREFIX}Say yes."))
    usage = client.send(_short(client, f"{_PREFIX}Say no.")).usage
    cached, prompt = usage.get("cached"), usage.get("prompt")
    if cached is None or not prompt:
        return False, "the server doesn't say how many tokens came from its cache"
    return cached > prompt / 2, f"{cached} of {prompt} tokens of a repeated beginning came from it"


def _images(client: Client) -> tuple[bool, str]:
    """Whether pictures are taken."""
    found = client.sees()
    return found, "pictures are accepted" if found else "pictures are refused"


def _tool_choice(client: Client) -> tuple[bool, str]:
    """Whether a tool call can be demanded."""
    body = {"tools": [_TOOL], "tool_choice": "required"}
    called = client.send(replace(_short(client, "Tell me a story."), body=body, max_tokens=64)).calls > 0
    return called, "a call that was demanded came" if called else "a call that was demanded did not come"


def _context(client: Client) -> tuple[bool, str]:
    """The length of the context."""
    tokens = client.context_tokens
    if tokens is None:
        return False, "the server doesn't say"
    return tokens >= FEW_TOKENS, f"{tokens} tokens"


LOOKS = (
    Look("latency", _latency, "showing that an answer is being written", "switch streaming on in the server"),
    Look(
        "throughput", _throughput, "many runs on one server",
        "let it work on several sequences at once and name its tokens (vLLM: --max-num-seqs)",
    ),
    Look(
        "JSON schema", _schema, "answers that can be used, without it most are refused",
        "switch structured outputs on (vLLM: --structured-outputs-config), or serve with software that has them",
    ),
    Look(
        "samples", _samples, "the vote over several answers in one request",
        "nothing has to be done, they are asked for one by one",
    ),
    Look(
        "prefix cache", _cache, "fast further rounds and samples",
        "switch it and its numbers on (vLLM: --enable-prefix-caching --enable-prompt-tokens-details)",
    ),
    Look(
        "images", _images, "showing the model pictures of what is measured",
        "serve a vision model, or leave it: evidence is text",
    ),
    Look(
        "tool choice", _tool_choice, "the comparison with a ReAct loop only, no run needs it",
        "switch tool calls on (vLLM: --enable-auto-tool-choice --tool-call-parser NAME)",
    ),
    Look(
        "context", _context, "long reports, a model that reads little is shown less evidence",
        "serve with a longer context (vLLM: --max-model-len), or set TUMORTRACE_MODEL_CONTEXT_TOKENS",
    ),
)  # fmt: skip


def _short(client: Client, words: str) -> Request:
    return Request(client.name, [SystemMessage("Answer briefly."), HumanMessage(words)], {}, 1, 0.0, 0, 8)


def _long(client: Client, number: int) -> Request:
    """An answer of many tokens; each number has a beginning of its own, so that no cache helps."""
    words = f"Number {number}: tell me a long story about a sailor, in great detail."
    limit = min(MEASURED_TOKENS, client.endpoint.max_tokens)
    return replace(_short(client, words), temperature=0.7, seed=number, max_tokens=limit)


def _count(tokens: int | None) -> str:
    return "tokens" if tokens is None else f"{tokens} tokens"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
