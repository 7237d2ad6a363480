"""The record of a run: a hash-chained file of JSON lines that can be appended to and verified, never edited.

What the chain shows, and what it cannot: a changed, removed, inserted, moved or repeated event, and an
artifact that is no longer the one written, are found and named. Whoever can write the file can also write a
whole new trace with fresh hashes: a plain hash cannot tell, since all that is needed to make it lies in the
file. A key (``TUMORTRACE_TRACE_KEY``), kept where the trace is not, makes the hashes unforgeable for whoever
lacks it. Neither can tell that a run which was resumed after a `run.end` has been cut back to that `run.end`;
a hash of the last event that is noted elsewhere (`TraceWriter.head`) can. And nothing here says that what was
written is true.

Only one process writes a trace: it holds an exclusive lock (flock(2)) for as long as it has it open.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from pydantic import JsonValue

from agent.errors import IntegrityError, UsageError
from agent.trace_data import DATA_MODELS
from agent.trace_schema import (
    FIRST_PREV,
    MAX_LINE_BYTES,
    MAX_TRACE_BYTES,
    RESUMABLE,
    REVIEWABLE,
    Event,
    Kind,
    RunStatus,
    chain_hash,
    may_follow,
)
from agent.trace_verify import Problem, Verification, read_events, verify
from retrieval.files import sync_folder
from tools.types import canonical_json

__all__ = ["Problem", "TraceWriter", "Verification", "Watch", "read_events", "verify"]

Watch = Callable[[Event], None]


_FIRST_LINE = b'{"data":{'
"""How the first line of every trace begins, in canonical JSON."""


class TraceWriter:
    """Appends events to one trace; safe to share between threads. Use `open` to get one."""

    def __init__(self, path: Path, descriptor: int, run_id: str, key: bytes | None, watch: Watch | None) -> None:
        self.path = path
        self.run_id = run_id
        self._descriptor = descriptor
        self._key = key
        self._watch = watch
        self._lock = threading.Lock()
        self._size = 0
        self._last: Event | None = None
        self._ended: str | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        run_id: str,
        resume: bool = False,
        key: bytes | None = None,
        *,
        reviewing: bool = False,
        watch: Watch | None = None,
    ) -> TraceWriter:
        """Begin a trace, or go on with one.

        Going on means reading and verifying the whole chain first; a last line that a crash left unfinished
        is cut off, and an event of kind ``trace.recovered`` says so. Where not even the first event was
        finished, the trace begins anew (`events` is 0).

        Args:
            path: the trace's file; its folder is made where it does not exist.
            run_id: id of the run; has to be the trace's own when resuming.
            resume: go on with an existing trace instead of beginning a new one.
            key: secret for keyed hashes; the same one has to be given when resuming and verifying.
            reviewing: a run that has its report may go on: a person reviews it.
            watch: told of every event right after it is written, in order, from whichever thread wrote it; what it
                raises reaches the writer of the event. It must not write to the trace.

        Raises:
            UsageError: there is a trace already, or none to resume, or another process is writing it, or it
                belongs to another run or to one that is finished, or it cannot be written.
            IntegrityError: the chain to be resumed is broken; names the event.
        """
        if resume and not path.is_file():
            raise UsageError(f"There is no trace at {path} to resume; start the run without --resume.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            why = error.strerror or error
            raise UsageError(f"The trace {path} cannot be written ({why}); make its folder writable.") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"Another process is writing the trace {path}; wait for it or choose another --out."
                ) from error
            writer = cls(path, descriptor, run_id, key, watch)
            if resume:
                writer._continue(reviewing)
            elif os.fstat(descriptor).st_size:
                raise UsageError(f"There is a trace at {path} already; resume it or choose another --out.")
            else:
                sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return writer

    @property
    def head(self) -> str:
        """Hash of the last event; noted elsewhere, it pins the whole trace."""
        return self._last.hash if self._last else FIRST_PREV

    @property
    def events(self) -> int:
        """Number of events written."""
        return self._last.seq + 1 if self._last else 0

    def append(self, kind: str, data: Mapping[str, JsonValue]) -> None:
        """Write one event, whole and synced, before returning.

        Args:
            kind: one of `agent.trace_schema.Kind`.
            data: what the kind's model in `agent.trace_schema` describes, as JSON values; for ``run.end``
                the number of events is filled in.

        Raises:
            ValueError: the kind or its data are not what the schema says, the trace is closed or ended, or a
                size limit is passed (errors of the program, not of its user).
            OSError: the disk did not take the line; the trace is then as it was before.
        """
        with self._lock:
            if self._descriptor < 0:
                raise ValueError(f"the trace {self.path} is closed")
            content = {**data, "events": self.events + 1} if kind == Kind.RUN_END else data
            self._check_order(kind)
            # Text that is no valid Unicode (a stray byte of a command line) must not stop a run.
            clean = json.loads(canonical_json(dict(content)).encode("utf-8", "replace"))
            DATA_MODELS[Kind(kind)].model_validate(clean)
            self._write(str(kind), clean)

    def finish(self, status: RunStatus, artifacts: Mapping[str, str], reason: str | None = None) -> None:
        """Write ``run.end``.

        Args:
            status: how the run ended.
            artifacts: path relative to the trace's folder → SHA-256 (hex) of each file written.
            reason: why, where the status alone does not say.

        Raises:
            ValueError: as for `append`.
        """
        self.append(Kind.RUN_END, {"status": status, "artifacts": dict(artifacts), "reason": reason})

    def close(self) -> None:
        """Let go of the file and its lock; closing twice does nothing."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_order(self, kind: str) -> None:
        if (self._last is None) != (kind == Kind.RUN_START):
            raise ValueError(f"a trace begins with one run.start; {kind} cannot be event {self.events}")
        if self._ended is not None and not may_follow(kind, self._ended):
            raise ValueError(f"the run has ended; {kind} cannot follow run.end")

    def _write(self, kind: str, data: dict[str, JsonValue]) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        content = {"seq": self.events, "time": time, "kind": kind, "data": data, "prev": self.head}
        event = Event.model_validate({**content, "hash": chain_hash(content, self._key)})
        line = event.line()
        if len(line) > MAX_LINE_BYTES or self._size + len(line) > MAX_TRACE_BYTES:
            raise ValueError(f"event {event.seq} ({kind}) of {len(line)} bytes passes the trace's size limit")
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, self._size)
            raise OSError(f"the disk took {written} of {len(line)} bytes of event {event.seq} in {self.path}")
        os.fsync(self._descriptor)
        self._size += len(line)
        self._last = event
        if kind != Kind.RECOVERED:
            self._ended = str(data["status"]) if kind == Kind.RUN_END else None
        if self._watch is not None:
            self._watch(event)

    def _continue(self, reviewing: bool) -> None:
        torn = self._torn_tail()
        size = os.fstat(self._descriptor).st_size
        checked = verify(self.path, key=self._key, artifacts=False, until=size - len(torn))
        broken = [problem for problem in checked.problems if problem.kind_of != "incomplete"]
        if size == len(torn):
            if _FIRST_LINE.startswith(torn[: len(_FIRST_LINE)]):
                # Killed before its first event was whole: nothing is lost, the trace begins here.
                os.ftruncate(self._descriptor, 0)
                return
            raise UsageError(f"The trace {self.path} holds no whole event to go on from; start a new run.")
        if broken:
            raise IntegrityError(f"The trace {self.path} cannot be resumed: {broken[0]}.")
        if checked.run_id != self.run_id:
            raise UsageError(f"The trace {self.path} is of run {checked.run_id}, not of run {self.run_id}.")
        if checked.status is not None and checked.status not in (*RESUMABLE, *(REVIEWABLE if reviewing else ())):
            raise UsageError(
                f"Run {self.run_id} is finished ({checked.status}) and cannot be resumed; start a new one."
            )
        self._last, self._size, self._ended = checked.last, size - len(torn), checked.status
        if torn:
            os.ftruncate(self._descriptor, self._size)
            digest = hashlib.sha256(torn).hexdigest()
            self.append(Kind.RECOVERED, {"cut_bytes": len(torn), "cut_sha256": digest})

    def _torn_tail(self) -> bytes:
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - MAX_LINE_BYTES)
        tail = os.pread(self._descriptor, size - start, start)
        return tail[tail.rfind(b"\n") + 1 :]
