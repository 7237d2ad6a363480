"""Reading a trace back and finding what is wrong; `agent.trace` tells what a chain cannot show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from agent.trace_data import DATA_MODELS, RunEnd
from agent.trace_schema import (
    FIRST_PREV,
    MAX_LINE_BYTES,
    MAX_TRACE_BYTES,
    Event,
    Kind,
    may_follow,
    parse_line,
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line: line of the trace, from 1; 0 for the trace as a whole.
        seq: number that the event gives itself, None where it cannot be read.
        kind: kind of the event, None where it cannot be read.
        what: what is wrong, as a clause.
        kind_of: "broken" for the chain, "incomplete" for an unfinished run, "artifact" for a file beside it.
    """

    line: int
    seq: int | None
    kind: str | None
    what: str
    kind_of: Literal["broken", "incomplete", "artifact"] = "broken"

    def __str__(self) -> str:
        if not self.line:
            return self.what
        name = f"line {self.line}" if self.seq is None else f"line {self.line}, event {self.seq} ({self.kind})"
        return f"{name}: {self.what}"


@dataclass
class Verification:
    """What a look at a trace found.

    Attributes:
        events: number of lines read.
        problems: everything that is wrong, in order.
        incomplete: the trace does not end in run.end: the run is unfinished, or its end was removed.
        keyed: its hashes were made with a key.
        run_id: id that run.start gives.
        status: how the run ended, where it did.
        artifacts: number of files beside the trace whose hashes were compared.
        last: the last event that could be read.
    """

    events: int = 0
    problems: list[Problem] = field(default_factory=list)
    incomplete: bool = False
    keyed: bool = False
    run_id: str | None = None
    status: str | None = None
    artifacts: int = 0
    last: Event | None = None

    @property
    def ok(self) -> bool:
        """Whether the trace is complete and nothing is wrong."""
        return not self.problems and not self.incomplete


def raw_lines(path: Path, until: int | None = None) -> Iterator[bytes]:
    """Lines of a trace, each with its line feed; one that passes the limit is cut and ends the reading.

    Args:
        path: the trace's file.
        until: number of bytes to read, all of them (up to the limit of a trace) where None.
    """
    left = MAX_TRACE_BYTES if until is None else until
    with path.open("rb") as file:
        while left > 0 and (line := file.readline(min(left, MAX_LINE_BYTES + 1))):
            left -= len(line)
            yield line
            if len(line) > MAX_LINE_BYTES:
                return


def read_events(path: Path) -> Iterator[Event | Problem]:
    """Events of a trace for display, unverified; a line that cannot be read comes as a problem instead."""
    for number, line in enumerate(raw_lines(path), start=1):
        try:
            yield parse_line(line)
        except ValueError as error:
            yield Problem(number, None, None, str(error))


def verify(path: Path, key: bytes | None = None, *, artifacts: bool = True, until: int | None = None) -> Verification:
    """Check every event of a trace against its own hash, the one before it, and the schema.

    Args:
        path: the trace's file.
        key: secret that the hashes were made with, None for plain ones.
        artifacts: compare the files named by run.end with their hashes too.
        until: number of bytes to look at, None for all.

    Returns:
        All problems, each naming its event; never raises for what the file holds.

    Raises:
        OSError: where the file cannot be read.
    """
    found = Verification()
    if not path.is_file():
        found.problems.append(Problem(0, None, None, f"there is no trace at {path}"))
        return found
    if path.stat().st_size > MAX_TRACE_BYTES:
        found.problems.append(Problem(0, None, None, f"the trace is larger than {MAX_TRACE_BYTES} bytes"))
        return found
    walk = _Walk(found, key)
    for line in raw_lines(path, until):
        found.events += 1
        walk.step(line)
    walk.finish()
    if artifacts and walk.end is not None:
        _check_artifacts(found, walk.end, path.parent)
    return found


class _Walk:
    """One pass over the lines; after a problem it goes on from what the event itself says."""

    def __init__(self, found: Verification, key: bytes | None) -> None:
        self.found = found
        self.key = key
        self.end: RunEnd | None = None
        self._prev: str | None = FIRST_PREV
        self._seq = 0
        self._seen: set[int] = set()

    def step(self, line: bytes) -> None:
        """Check one line."""
        number = self.found.events
        if len(line) > MAX_LINE_BYTES:
            self._say(None, f"the line is longer than {MAX_LINE_BYTES} bytes")
            return
        try:
            event = parse_line(line)
        except ValueError as error:
            self._say(None, str(error))
            # What follows points at a hash and a number that can no longer be read.
            self._prev = None
            return
        if number == 1 and event.kind == Kind.RUN_START:
            self.found.keyed = event.hash.startswith("hmac-")
            self.found.run_id = str(event.data.get("run_id", ""))
        self._check_hash(event)
        self._check_place(event)
        self._check_meaning(event, number)
        self._seen.add(event.seq)
        self._prev, self._seq = event.hash, max(self._seq, event.seq + 1)
        self.found.last = event

    def finish(self) -> None:
        """Check the trace as a whole."""
        last = self.found.last
        if self.found.events == 0:
            self.found.problems.append(Problem(0, None, None, "the trace is empty"))
        elif last is None or self.end is None:
            self.found.incomplete = True
            self._say(last, "nothing after this: the run is unfinished, or its end was removed", "incomplete")

    def _check_hash(self, event: Event) -> None:
        keyed = event.hash.startswith("hmac-")
        if keyed and self.key is None:
            self._say(event, "its hash is keyed: set TUMORTRACE_TRACE_KEY to the key it was written with")
        elif not keyed and self.key is not None:
            self._say(event, "its hash is not keyed, although a key was given")
        elif event.hash != event.expected_hash(self.key):
            wrong_key = " or the key is wrong" if keyed else ""
            self._say(event, f"it does not match its hash: it was changed{wrong_key}")

    def _check_place(self, event: Event) -> None:
        if event.seq in self._seen:
            self._say(event, f"an event {event.seq} stands further up already: repeated, inserted or moved")
        elif event.seq > self._seq and self._prev is not None:
            to = "" if event.seq == self._seq + 1 else f" to {event.seq - 1}"
            self._say(event, f"event {self._seq}{to} should stand before it: removed or moved")
        elif event.seq < self._seq:
            self._say(event, f"it should stand further up, event {self._seq} was due: moved or inserted")
        if self._prev is not None and event.prev != self._prev:
            self._say(event, "it does not follow from the event before it")

    def _check_meaning(self, event: Event, number: int) -> None:
        if (number == 1) != (event.kind == Kind.RUN_START):
            self._say(event, "a trace begins with run.start, and has one")
        if self.end is not None:
            if not may_follow(event.kind, self.end.status):
                self._say(event, "it stands after the end of the run")
            # A line that was cut off says nothing of the run.
            if event.kind != Kind.RECOVERED:
                self.end, self.found.status = None, None
        try:
            data = DATA_MODELS[Kind(event.kind)].model_validate(event.data)
        except ValueError:
            self._say(event, "its kind is unknown or its data are not what its kind asks for")
            return
        if isinstance(data, RunEnd):
            self.end, self.found.status = data, data.status
            if data.events != number:
                self._say(event, f"it counts {data.events} events, {number} are there")

    def _say(self, event: Event | None, what: str, kind_of: Literal["broken", "incomplete"] = "broken") -> None:
        seq, kind = (event.seq, event.kind) if event else (None, None)
        self.found.problems.append(Problem(self.found.events, seq, kind, what, kind_of))


def _check_artifacts(found: Verification, end: RunEnd, folder: Path) -> None:
    last = found.last
    for name, expected in end.artifacts.items():
        found.artifacts += 1
        what = _artifact_problem(folder, name, expected)
        if what and last is not None:
            found.problems.append(Problem(found.events, last.seq, last.kind, what, "artifact"))


def _artifact_problem(folder: Path, name: str, expected: str) -> str | None:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\0" in name:
        return f"the artifact {name!r} lies outside the run's folder"
    target = folder / relative
    if not target.is_file():
        return f"the artifact {name!r} is missing"
    if not target.resolve().is_relative_to(folder.resolve()):
        return f"the artifact {name!r} lies outside the run's folder"
    with target.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    return None if actual == expected else f"the artifact {name!r} is not the file that was written"
