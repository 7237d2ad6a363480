"""A trace as a timeline for people: one line an event, coloured on a terminal and plain elsewhere.

The texts in a trace are data: markup is never interpreted, and control characters are shown, not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from agent.trace_schema import RESUMABLE, Event, Kind
from agent.trace_verify import Problem

_STYLES = {
    Kind.RUN_START: "bold",
    Kind.RUN_END: "bold",
    Kind.ROUND: "bold cyan",
    Kind.PLAN: "cyan",
    Kind.HOPS: "cyan",
    Kind.MASK_REFUSED: "yellow",
    Kind.TOOL_START: "dim",
    Kind.TOOL_REUSED: "dim green",
    Kind.TOOL_END: "green",
    Kind.TOOL_FAILED: "red",
    Kind.MODEL_CALL: "magenta",
    Kind.USAGE: "dim magenta",
    Kind.REVIEW: "bold magenta",
    Kind.RECOVERED: "yellow",
}
_OUTCOMES = {"pass": "green", "fail": "bold red", "not_applicable": "dim"}
_MAX_TEXT = 160
_MAX_VALUES = 3


def printable(text: str, limit: int = _MAX_TEXT) -> str:
    """One line of text without control characters, cut to `limit` characters."""
    line = text
    if not text.isprintable():  # most are, and a report asks thousands of times
        line = "".join(c if c.isprintable() else ("�" if ord(c) < 32 and not c.isspace() else " ") for c in text)
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def show(console: Console, events: Iterable[Event | Problem], kind: str | None = None) -> None:
    """Print a timeline.

    Args:
        console: where to.
        events: events in order, and the lines that could not be read.
        kind: only events of this kind, or of this family ("tool" for all of tool.*).
    """
    start: datetime | None = None
    current: JsonValue = None
    for event in events:
        if isinstance(event, Problem):
            console.print(Text(f"  !  {event}", style="bold red"), soft_wrap=True)
            continue
        start = start or event.when()
        current = event.data.get("round", current)
        if kind is not None and event.kind != kind and not event.kind.startswith(f"{kind}."):
            continue
        offset = (event.when() - start).total_seconds()
        line = Text.assemble(
            (f"{offset:9.3f} s ", "dim"),
            (f"{'' if current is None else 'r' + printable(str(current), 6):>4} ", "dim"),
            (f"{printable(event.kind, 16):<15} ", _style(event)),
            summary(event),
        )
        console.print(line, soft_wrap=True)


def summary(event: Event) -> str:
    """What an event says, in one line."""
    data = event.data
    match event.kind:
        case Kind.RUN_START:
            options = "".join(f" | {option}" for option in _list(data, "options"))
            inputs = ", ".join(f"{name} {str(digest)[:12]}" for name, digest in _map(data, "inputs").items())
            what = f"{_of(data, 'question', 'full report')}{options}"
            text = f"{_of(data, 'run_id')}: {what} [{inputs}] version {_of(data, 'version')}"
        case Kind.RUN_RESUME:
            text = f"resumed by version {_of(data, 'version')}"
        case Kind.INTAKE:
            text = "; ".join(str(note) for note in _list(data, "notes")) or "nothing to note"
        case Kind.PLAN:
            text = f"{len(_list(data, 'tasks'))} tasks: " + ", ".join(map(_task, _list(data, "tasks")))
        case Kind.ROUND | Kind.HOPS | Kind.MASK_REFUSED | Kind.REVIEW:
            text = _step(event)
        case Kind.TOOL_START | Kind.TOOL_END | Kind.TOOL_REUSED | Kind.TOOL_FAILED:
            text = _tool(event)
        case Kind.MODEL_CALL | Kind.USAGE:
            text = _model(event)
        case Kind.VERDICT:
            text = f"{_of(data, 'gate')}: {_of(data, 'outcome')} – {_of(data, 'reason')}"
        case Kind.REPORT:
            text = f"{_of(data, 'status')}: {_of(data, 'answer', 'no single answer')}"
        case Kind.RUN_END:
            files = ", ".join(_map(data, "artifacts")) or "no files"
            why = f" ({_of(data, 'reason')})" if data.get("status") in RESUMABLE and data.get("reason") else ""
            text = f"{_of(data, 'status')}{why} after {_of(data, 'events')} events; {files}"
        case Kind.RECOVERED:
            text = f"{_of(data, 'cut_bytes')} bytes of an unfinished line were cut off"
        case _:
            text = "an event of an unknown kind"
    return printable(text)


def _step(event: Event) -> str:
    data = event.data
    if event.kind == Kind.MASK_REFUSED:
        return f"{_of(data, 'structure')} by {_of(data, 'engine')}: {_of(data, 'reason')}"
    if event.kind == Kind.REVIEW:
        return _review(data)
    return _hops(event) if event.kind == Kind.HOPS else f"round {_of(data, 'round')} begins"


def _hops(event: Event) -> str:
    opened = [
        f"{_of(one, 'source')} → {_of(one, 'check')} {_of(one, 'structure')} ({_of(one, 'why')})"
        for one in _list(event.data, "opened")
        if isinstance(one, dict)
    ]
    brought = sum(1 for count in _map(event.data, "brought").values() if count)
    before = f"{brought} of the last hops brought something new; " if event.data.get("brought") else ""
    left = f" ({_of(event.data, 'left')} left out)" if event.data.get("left") else ""
    return before + ("; ".join(opened) or f"{_of(event.data, 'ended', 'nothing further to follow')}{left}")


def _review(data: Mapping[str, JsonValue]) -> str:
    about = _of(data, "about", "the report")
    done = {"approve": "approved", "override": "overrode", "correct": "corrected masks of"}.get(
        _of(data, "decision"), "?"
    )
    said = f": {_of(data, 'says')}" if data.get("says") else ""
    edits = f" by {len(_list(data, 'edits'))} edits" if data.get("edits") else ""
    reason = f" ({_of(data, 'reason')})" if data.get("reason") else ""
    return f"review {_of(data, 'number')}: {_of(data, 'reviewer')} {done} {about}{edits}{said}{reason}"


def _style(event: Event) -> str:
    if event.kind == Kind.VERDICT:
        return _OUTCOMES.get(str(event.data.get("outcome")), "red")
    return next((style for kind, style in _STYLES.items() if kind == event.kind), "")


def _tool(event: Event) -> str:
    data = event.data
    name = f"{_of(data, 'tool')} {_of(data, 'target', '')}".strip()
    if event.kind == Kind.TOOL_FAILED:
        return f"{name}: {_of(data, 'error')}{_seconds(data)}"
    values = [_evidence(item) for item in _list(data, "evidence")]
    more = f", +{len(values) - _MAX_VALUES} more" if len(values) > _MAX_VALUES else ""
    gave = f": {', '.join(values[:_MAX_VALUES])}{more}" if values else ""
    return f"{name}{gave}{_seconds(data)}{' (stored)' if event.kind == Kind.TOOL_REUSED else ''}"


def _model(event: Event) -> str:
    """A request to a server, what came out of a model, or what a round of requests took."""
    data = event.data
    if event.kind == Kind.USAGE:
        return f"round {_of(data, 'round')} took {_plural(data, 'calls', 'request')}{_tokens(data)}{_seconds(data)}"
    if "attempts" not in data:
        of = f" ({_plural(data, 'requests', 'request')})" if "requests" in data else ""
        return f"{_of(data, 'model')} asked to {_of(data, 'purpose')}{_seconds(data)}{of}"
    parts = [_plural(data, "samples", "sample")]
    if data.get("attempts") != 1:
        parts.append(_plural(data, "attempts", "attempt"))
    bad = [str(one) for one in _list(data, "problems")]
    told = f"; not usable: {', '.join(bad)}" if bad else ""
    return f"request to {_of(data, 'purpose')}: {', '.join(parts)}{_tokens(data)}{_seconds(data)}{told}"


def _tokens(data: Mapping[str, JsonValue]) -> str:
    read, cached, written = (data.get(name) for name in ("prompt_tokens", "cached_tokens", "output_tokens"))
    if read is None and written is None:
        return ""
    known = f" ({cached} from the cache)" if cached else ""
    return f", {_of(data, 'prompt_tokens')} tokens read{known} and {_of(data, 'output_tokens')} written"


def _plural(data: Mapping[str, JsonValue], name: str, word: str) -> str:
    count = data.get(name)
    return f"{_of(data, name)} {word}{'' if count == 1 else 's'}"


def _evidence(item: JsonValue) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    value = item.get("value")
    shown = str(item.get("state")) if value is None else f"{value} {item.get('unit') or ''}".strip()
    return f"{item.get('quantity')} of {item.get('target')} = {shown}"


def _task(item: JsonValue) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    return " ".join(str(item[name]) for name in ("tool", "quantity", "target") if item.get(name))


def _seconds(data: Mapping[str, JsonValue]) -> str:
    seconds = data.get("seconds")
    return f" in {seconds:.3f} s" if isinstance(seconds, int | float) else ""


def _of(data: Mapping[str, JsonValue], name: str, default: str = "?") -> str:
    value = data.get(name)
    return default if value is None else str(value)


def _list(data: Mapping[str, JsonValue], name: str) -> list[JsonValue]:
    value = data.get(name)
    return value if isinstance(value, list) else []


def _map(data: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}
