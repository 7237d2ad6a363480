"""Runs, one after the other and a few at once: queued, watched, cancelled, resumed, reviewed.

One engine serves all conversations: its settings, model, segmentation engines and case base are shared; what is told
of a run goes to the feed of that run only. Looking takes no lock: who changes something may wait for the disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agent.engine import Engine
from agent.errors import TumorTraceError
from agent.interpret import MAX_CHARACTERS, interpret
from agent.query import Query
from agent.review_model import Decision
from agent.review_run import open_record
from agent.runs import Runs
from agent.web.config import ServeConfig
from agent.web.database import Database, Row, now
from agent.web.faults import Refused, missing
from agent.web.feed import Feed
from agent.web.job import Job, asking, carry_out, reviewing
from agent.web.run_records import KEPT, again, known, queries_of, row_of
from agent.web.run_shapes import RunAsk, RunRow
from agent.web.scans import Scans

_INTERRUPTED = {"code": "interrupted", "message": "The server was stopped while this ran: resume it to go on."}
_LIVE = ("queued", "running")
_TITLE = 120
_MOST_CONTEXT = 20


class Work:
    """The queue of runs.

    Args:
        config: the server's limits.
        engine: what works; shared by all runs.
        scans: what it works on.
        database: remembers the runs.
    """

    def __init__(self, config: ServeConfig, engine: Engine, scans: Scans, database: Database) -> None:
        self._config = config
        self._engine = engine
        self._scans = scans
        self._database = database
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._unsaved: dict[str, RunRow] = {}
        self._waiting: list[str] = []
        self._pool = ThreadPoolExecutor(max_workers=config.runs, thread_name_prefix="run")
        for record in database.runs():
            row = row_of(record)
            if row is not None and row.state in _LIVE:
                self._save(row.model_copy(update={"state": "failed", "error": _INTERRUPTED, "ended": now()}), record)

    def stop(self) -> None:
        """Ask every run to stop, and let everybody go who watches."""
        with self._lock:
            for ident, job in list(self._jobs.items()):
                self.cancel(ident)
                job.feed.hang_up()

    def close(self) -> None:
        """Ask every run to stop, and wait for them; they can be resumed."""
        self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def ask(self, ask: RunAsk) -> RunRow:
        """Queue a question.

        Raises:
            Refused: the scan or the conversation is not known, the conversation still answers, or too many wait.
        """
        self._scans.get(ask.scan)
        with self._lock:
            if ask.conversation is not None:
                self._check_conversation(ask.conversation, ask.scan)
            return self._begin(ask, self._context(ask.conversation), spoken=ask.conversation is not None)

    def _begin(self, ask: RunAsk, previous: Sequence[Query], *, spoken: bool) -> RunRow:
        self._check_room()
        row = RunRow(
            id=Runs(self._engine.settings.home).create().id, scan=ask.scan, conversation=ask.conversation,
            question=ask.question, state="queued", created=now(),
        )  # fmt: skip
        record: Row = {
            "options": list(ask.options), "previous": [one.model_dump(mode="json") for one in previous],
            "spoken": spoken,
        }  # fmt: skip
        if ask.conversation is not None:
            self._database.touch_conversation(ask.conversation, (ask.question or "Report on everything")[:_TITLE])
        return self._queue(asking(row, record))

    def ask_after(self, scan: str, question: str, before: Sequence[str]) -> RunRow:
        """Queue a question with the words that were asked before it as its context, outside of any conversation.

        Raises:
            Refused: the scan is not known, the question is too long, or too many wait.
        """
        self._scans.get(scan)
        if not 0 < len(question) <= MAX_CHARACTERS:
            raise Refused(422, "bad_input", f"The question has {len(question)} characters; at most {MAX_CHARACTERS}.")
        previous: list[Query] = []
        for words in before[-_MOST_CONTEXT:]:
            understood = interpret(words, previous=previous) if len(words) <= MAX_CHARACTERS else []
            previous = [one for one in understood if isinstance(one, Query)] or previous
        with self._lock:
            return self._begin(RunAsk(scan=scan, question=question), previous, spoken=True)

    def resume(self, ident: str) -> RunRow:
        """Queue a run that was cancelled or that failed.

        Raises:
            Refused: it is not known, is at work, or has its report.
        """
        with self._lock:
            record = self._record(ident)
            if record["state"] not in {"failed", "cancelled"}:
                raise Refused(409, "busy", "Only a run that was cancelled or that failed can be resumed.")
            self._check_room()
            row = again(record)
            # A review that has begun goes on; one that is done already must not be entered a second time.
            if record.get("review") is not None and self._reviewed(ident):
                return self._queue(reviewing(row, record))
            return self._queue(asking(row, record))

    def review(self, ident: str, decision: Decision) -> RunRow:
        """Queue a person's decision on a run.

        Raises:
            Refused: it is not known, or has no report (yet).
        """
        with self._lock:
            record = self._record(ident)
            if record["state"] != "done":
                raise Refused(409, "not_ready", "Only a run that has its report can be reviewed: wait, or resume it.")
            self._check_room()
            record["review"] = decision.model_dump(mode="json")
            row = again(record)
            return self._queue(reviewing(row, record))

    def cancel(self, ident: str) -> RunRow:
        """Ask a run to stop; one that waits ends at once.

        Raises:
            Refused: it is not known, or has ended.
        """
        with self._lock:
            job = self._jobs.get(ident)
            if job is None:
                record = self._record(ident)
                raise Refused(409, "ended", f"This run has ended ({record['state']}): there is nothing to cancel.")
            job.stop.set()
            if ident in self._waiting:
                self._waiting.remove(ident)
                self._finish(job, state="cancelled")
            return job.row

    def leave(self, ident: str, feed: Feed) -> None:
        """Cancel a run that was asked for by who has hung up, unless somebody else watches it or it has ended."""
        with self._lock:
            job = self._jobs.get(ident)
            if job is not None and job.feed is feed and not feed.watched:
                self.cancel(ident)

    def row(self, ident: str) -> RunRow:
        """A run as it stands.

        Raises:
            Refused: it is not known.
        """
        job = self._jobs.get(ident)
        return self._placed(job.row) if job is not None else known(self._record(ident))

    def rows(self, *, scan: str | None = None, conversation: str | None = None) -> list[RunRow]:
        """Runs in the order in which they were asked."""
        # Before the records are read, so that what ends meanwhile is not told to be at work.
        live = self._unsaved | {ident: self._placed(job.row) for ident, job in dict(self._jobs).items()}
        found = self._database.runs(scan=scan, conversation=conversation)
        rows = [live.get(record["id"]) or row_of(record) for record in found]
        return [row for row in rows if row is not None]

    def suggested(self, ident: str) -> list[str]:
        """Questions that may be asked after a run."""
        return list(self._record(ident).get("next") or [])

    def feed(self, ident: str) -> Feed | None:
        """The events of a run at work; None where it has ended."""
        job = self._jobs.get(ident)
        return job.feed if job is not None else None

    def _record(self, ident: str) -> Row:
        record = self._database.run(ident)
        if record is None or row_of(record) is None:
            raise missing("run")
        unsaved = self._unsaved.get(ident)
        return record | (unsaved.model_dump(mode="json") if unsaved is not None else {})

    def _check_conversation(self, ident: str, scan: str) -> None:
        found = self._database.conversation(ident)
        if found is None:
            raise missing("conversation")
        if found["scan"] != scan:
            raise Refused(409, "other_scan", "That conversation is about another scan: begin a new one for this scan.")
        if any(job.row.conversation == ident for job in self._jobs.values()):
            raise Refused(409, "busy", "This conversation is still answering: wait for the answer, or cancel it.")

    def _check_room(self) -> None:
        if len(self._waiting) >= self._config.queue:
            raise Refused(429, "queue_full", "Too many questions wait already: ask again in a while.")

    def _context(self, conversation: str | None) -> list[Query]:
        """What was understood last in a conversation."""
        if conversation is None:
            return []
        for record in reversed(self._database.runs(conversation=conversation)):
            if queries := queries_of(record, "queries"):
                return queries
        return []

    def _asked(self, conversation: str | None) -> list[Query]:
        """Everything that was understood in a conversation."""
        records = self._database.runs(conversation=conversation) if conversation is not None else []
        return [one for record in records for one in queries_of(record, "queries")]

    def _queue(self, job: Job) -> RunRow:
        self._save(job.row, job.record)
        self._jobs[job.row.id] = job
        self._waiting.append(job.row.id)
        self._tell(job)
        self._pool.submit(self._work, job)
        return self._placed(job.row)

    def _work(self, job: Job) -> None:
        with self._lock:
            if job.row.id not in self._waiting:
                return  # cancelled while it waited
            self._waiting.remove(job.row.id)
            self._keep(job, {"state": "running", "started": now()})
        self._tell(job)
        self._finish(job, **carry_out(job, self._engine, self._scans, lambda: self._asked(job.row.conversation)))

    def _finish(self, job: Job, **fields: Any) -> None:
        if job.record.get("review") is not None and not self._reviewed(job.row.id):
            # The review came to nothing before it began: the report stands as it was.
            job.record["review"] = None
            fields["state"] = "done"
        with self._lock:
            self._keep(job, {**fields, "ended": now(), "position": None})
            self._jobs.pop(job.row.id, None)
        job.feed.end("state", job.row.model_dump(mode="json"))

    def _keep(self, job: Job, fields: dict[str, Any]) -> None:
        """Note where a job stands now; a disk that is full must not leave it at work for ever.

        It is recorded before anybody sees it: who reads that a run has ended finds all that is recorded with it.
        """
        row = job.row.model_copy(update=fields)
        try:
            self._save(row, job.record)
        except Refused as refused:
            logging.getLogger(__name__).error("run %s could not be recorded: %s", row.id, refused)
            self._unsaved[row.id] = row
        job.row = row

    def _reviewed(self, ident: str) -> bool:
        """Whether a run has begun to take in a review."""
        try:
            return open_record(Runs(self._engine.settings.home).find(ident)) is not None
        except TumorTraceError:
            return False

    def _placed(self, row: RunRow) -> RunRow:
        waiting = self._waiting.copy()
        return row.model_copy(update={"position": waiting.index(row.id) if row.id in waiting else None})

    def _tell(self, job: Job) -> None:
        job.feed.put("state", self._placed(job.row).model_dump(mode="json"))

    def _save(self, row: RunRow, record: Row) -> None:
        fields = row.model_dump(mode="json", exclude={"id", "scan", "conversation", "created", "position"})
        kept = {name: record.get(name) for name in KEPT}
        self._database.put_run(row.id, row.scan, row.conversation, {**kept, **fields})
        self._unsaved.pop(row.id, None)
