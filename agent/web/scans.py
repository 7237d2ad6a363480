"""Scans that are open: read once, shared by every conversation about them, closed when memory runs short.

A scan's arrays stay while anything works with them; of the others those longest unused are closed first, and opened
again when they are asked for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.cases import CaseFiles, open_case
from agent.errors import Cancelled, TumorTraceError
from agent.web.config import ServeConfig
from agent.web.database import Database, Row
from agent.web.faults import Refused, missing, told
from agent.web.held import Held, closed, facts_of, not_ready, remembered, size_of
from agent.web.opened import files_of, identity
from agent.web.shapes import Doing, Fault, ScanAsk, ScanOut
from agent.web.sources import Sources
from tools.base import Case

_AT_ONCE = 2
_WAIT_SECONDS = 0.05
_UNEXPECTED: Fault = {
    "code": "unexpected", "message": "Something unexpected happened while opening; the log says what.",
}  # fmt: skip


@dataclass(frozen=True)
class Lease:
    """A scan at work.

    Attributes:
        case: its arrays.
        path: what it was read from.
    """

    case: Case
    path: Path


class Scans:
    """All scans that were opened.

    Args:
        config: the server's limits.
        sources: where scans come from.
        database: remembers how they were opened.

    Attributes:
        when_ready: told of every scan that has just been opened.
        when_closed: told of every scan whose arrays have just been let go.
        starters: questions to begin with, for a case that has just been opened.
    """

    def __init__(self, config: ServeConfig, sources: Sources, database: Database) -> None:
        self._config = config
        self._sources = sources
        self._database = database
        self._lock = threading.RLock()
        self._clock = 0
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="open")
        self._held: dict[str, Held] = {}
        self.when_ready: Callable[[str], None] = lambda scan: None
        self.when_closed: Callable[[str], None] = lambda scan: None
        self.starters: Callable[[Case], Sequence[str]] = lambda case: ()
        for row in reversed(database.scans()):
            held = remembered(row)
            if held is not None:
                self._held[row["id"]] = held

    def close(self) -> None:
        """Open nothing further."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def open(self, ask: ScanAsk) -> ScanOut:
        """Open a source; what is open already stays as it is.

        Raises:
            Refused: there is no such source.
            UsageError: what is declared contradicts itself.
        """
        files = files_of(ask, self._sources)
        ident = identity(ask, files)
        source = self._sources.get(ask.source)
        name = source.name if source is not None else ident
        row: Row = {"ask": ask.model_dump(mode="json"), "name": name}
        # Before the lock: the disk may take its time, and whoever looks must not wait for it.
        created = self._database.put_scan(ident, row)
        with self._lock:
            held = self._held.setdefault(ident, closed(ident, ask, name, created))
            self._start(held, files)
            return held.out

    def again(self, ident: str) -> ScanOut:
        """Open a known scan again.

        Raises:
            Refused: it is not known, or its files were changed or are gone.
        """
        held = self._known(ident)
        files = files_of(held.ask, self._sources)
        if identity(held.ask, files) != ident:
            raise Refused(
                409, "changed", "The files of this scan were changed since it was opened: open it anew from the list."
            )
        with self._lock:
            if self._held.get(ident) is not held:
                raise missing("scan")  # removed meanwhile
            self._start(held, files)
            return held.out

    def get(self, ident: str) -> ScanOut:
        """One scan.

        Raises:
            Refused: it is not known.
        """
        return self._known(ident).out

    def every(self) -> list[ScanOut]:
        """All scans, the one opened last first."""
        return [held.out for held in reversed(list(self._held.values()))]

    def uses(self, source: str) -> bool:
        """Whether anything works with a source right now."""
        with self._lock:
            return any(
                source in {held.ask.source, *held.ask.labels, held.ask.prior, *held.ask.prior_labels}
                and (held.users > 0 or held.out.state == "opening")
                for held in self._held.values()
            )

    def forget(self, ident: str) -> None:
        """Close a scan and take it from the records.

        Raises:
            Refused: it is not known, or something works with it.
        """
        held = self._known(ident)
        with self._lock:
            if held.users:
                raise Refused(409, "busy", "Something still works with this scan: wait, or cancel it first.")
            self._held.pop(ident, None)
        try:
            self._database.drop_scan(ident)
        except Refused:
            with self._lock:
                self._held.setdefault(ident, held)
            raise
        self.when_closed(ident)

    def doing(self, ident: str, what: Doing | None) -> None:
        """Tell what is being done for a scan that is open; nothing of one that was removed."""
        with self._lock:
            held = self._held.get(ident)
            if held is not None and held.out.state == "ready":
                self._tell(held, progress=what)

    @contextmanager
    def lease(self, ident: str) -> Iterator[Lease]:
        """The arrays of a scan, kept as long as the block runs.

        Raises:
            Refused: it is not known, or not open.
        """
        held = self._known(ident)
        with self._lock:
            if held.case is None or held.files is None:
                raise Refused(409, "not_ready", not_ready(held.out.state))
            held.users += 1
            held.used = self._tick()
            lease = Lease(held.case, held.files.scan)
        try:
            yield lease
        finally:
            with self._lock:
                held.users -= 1
                self._make_room()

    @contextmanager
    def opened(self, ident: str, stop: threading.Event, seconds: float = 1800.0) -> Iterator[Lease]:
        """The arrays of a scan, opened first where it was closed; for threads that may wait.

        Args:
            ident: id of the scan.
            stop: ends the wait.
            seconds: the longest wait.

        Raises:
            Refused: it is not known, its files were changed, or it cannot be opened.
            Cancelled: it was asked to stop.
        """
        until = time.monotonic() + seconds
        with ExitStack() as stack:
            while (lease := self._leased(ident, stack)) is None:
                state = self._known(ident).out.state
                if state == "closed":
                    self.again(ident)
                elif state == "failed" or time.monotonic() > until:
                    raise Refused(409, "not_ready", not_ready(state))
                if stop.wait(_WAIT_SECONDS):
                    raise Cancelled("The run was asked to stop while its scan was opened.")
            yield lease

    def _leased(self, ident: str, stack: ExitStack) -> Lease | None:
        """A lease where the scan is open."""
        # In one lock, so that it cannot be closed between the look and the lease.
        with self._lock:
            if self._known(ident).case is None:
                return None
            return stack.enter_context(self.lease(ident))

    def _known(self, ident: str) -> Held:
        # Without the lock: one look into a dict, also from the server's loop, which must never wait.
        held = self._held.get(ident)
        if held is None:
            raise missing("scan")
        return held

    def _start(self, held: Held, files: CaseFiles) -> None:
        if held.case is not None or held.queued:
            return
        held.queued = True
        held.files = files
        self._tell(held, state="opening", progress=Doing(what="waiting", finished=0, planned=0), error=None)
        self._pool.submit(self._read, held, files)

    def _read(self, held: Held, files: CaseFiles) -> None:
        def progress(what: str, finished: int, planned: int) -> None:
            self._tell(held, progress=Doing(what=what, finished=finished, planned=planned))

        try:
            before = identity(held.ask, files)
            case = open_case(files, progress=progress)
            self._check_same(held, files, before)
            facts = {**facts_of(case), "next": tuple(self.starters(case))}
        except TumorTraceError as error:
            self._fail(held, told(error))
            return
        except Refused as refused:
            self._fail(held, {"code": refused.code, "message": str(refused)})
            return
        except Exception:
            self._fail(held, _UNEXPECTED)
            logging.getLogger(__name__).exception("a scan could not be opened")
            return
        with self._lock:
            held.case, held.bytes, held.queued, held.used = case, size_of(case), False, self._tick()
            self._tell(held, state="ready", progress=None, error=None, **facts)
            self._make_room()
        self.when_ready(held.out.id)

    def _check_same(self, held: Held, files: CaseFiles, before: str) -> None:
        """Refuse what was replaced while it was read, by a link that leads elsewhere or by another scan."""
        if not identity(held.ask, files) == before == held.out.id or files_of(held.ask, self._sources) != files:
            raise Refused(409, "changed", "The files of this scan were changed while they were read: open it again.")

    def _fail(self, held: Held, why: Fault) -> None:
        with self._lock:
            held.queued = False
            self._tell(held, state="failed", progress=None, error=why)

    def _make_room(self) -> None:
        """Close what is longest unused until the rest fits; what was used last stays, however large it is."""
        ready = sorted((one for one in self._held.values() if one.case is not None), key=lambda one: one.used)
        total = sum(one.bytes for one in ready)
        for one in ready[:-1]:
            if total <= self._config.memory_bytes:
                return
            if one.users == 0:
                total -= one.bytes
                one.case, one.bytes = None, 0
                self._tell(one, state="closed")
                self.when_closed(one.out.id)

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _tell(self, held: Held, **fields: Any) -> None:
        with self._lock:
            held.out = held.out.model_copy(update=fields)
