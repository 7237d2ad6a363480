"""What a trace tells of the run that wrote it: whether it ended, how long it worked, which review is not finished."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from agent.errors import IntegrityError
from agent.runs import RunFolder
from agent.trace_schema import REVIEWABLE, Event, Kind
from agent.trace_verify import Problem, read_events, verify

_PAUSES = frozenset({Kind.RUN_RESUME, Kind.RECOVERED})


def ended(folder: RunFolder) -> bool:
    """Whether a run has its report, so that it is shown again and does not go on."""
    status = None
    for event in read_events(folder.trace):
        if not isinstance(event, Event):
            status = None
        elif event.kind != Kind.RECOVERED:
            status = event.data.get("status") if event.kind == Kind.RUN_END else None
    return status in REVIEWABLE


def worked(folder: RunFolder) -> float:
    """Seconds that a run took so far by its trace, without those in which it was interrupted.

    A person's review begins anew: its rounds have the whole budget.
    """
    found, last = 0.0, None
    for event in read_events(folder.trace):
        if not isinstance(event, Event):
            continue
        if event.kind == Kind.REVIEW:
            found = 0.0
        elif last is not None and event.kind not in _PAUSES:
            found += max(0.0, (event.when() - last).total_seconds())
        last = event.when()
    return found


def open_review(folder: RunFolder) -> dict[str, JsonValue] | None:
    """The review that a run has begun to take in, None where there is none or where it has its report."""
    found: dict[str, JsonValue] | None = None
    for event in read_events(folder.trace):
        if not isinstance(event, Event):
            continue
        if event.kind == Kind.REVIEW:
            found = event.data
        elif event.kind == Kind.RUN_END and event.data.get("status") in REVIEWABLE:
            found = None
    return found


def since_review(events: Iterable[Event | Problem]) -> list[Event | Problem]:
    """The events since a person's last word: its rounds have budgets of their own."""
    found: list[Event | Problem] = []
    for event in events:
        if isinstance(event, Event) and event.kind == Kind.REVIEW:
            found = []
        found.append(event)
    return found


def artifacts(folder: RunFolder) -> dict[str, str]:
    """Path → SHA-256 (hex) of the files of the last report."""
    found: dict[str, str] = {}
    for event in read_events(folder.trace):
        if isinstance(event, Event) and event.kind == Kind.RUN_END and event.data.get("status") in REVIEWABLE:
            told = event.data.get("artifacts")
            found = {name: str(digest) for name, digest in told.items()} if isinstance(told, dict) else {}
    return found


def check_untouched(folder: RunFolder, key: bytes | None) -> None:
    """A finished run is shown again, and reviewed, only as it was written.

    Raises:
        IntegrityError: its trace or its files were changed.
    """
    found = verify(folder.trace, key)
    if not found.ok:
        raise IntegrityError(
            f"Run {folder.id} is not what was written ({found.problems[0]}); `tumortrace trace verify` names all of it."
        )
