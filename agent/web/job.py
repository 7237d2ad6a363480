"""One run at work: what is to be done, and how it came out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.disk import disk_fault
from agent.engine import Engine
from agent.errors import Cancelled, TumorTraceError
from agent.query import Query
from agent.report_model import Report
from agent.review_model import Decision
from agent.runs import Runs
from agent.state import RunState
from agent.web.database import Row
from agent.web.faults import Refused, told
from agent.web.feed import Feed
from agent.web.listening import listening, next_questions
from agent.web.run_records import queries_of
from agent.web.run_shapes import RunRow
from agent.web.scans import Lease, Scans
from agent.web.steps import steps_of

_UNEXPECTED = {"code": "unexpected", "message": "Something unexpected ended the run; the server's log says what."}

Make = Callable[[Engine, Lease], tuple[Report, RunState]]


@dataclass
class Job:
    """A run that waits or works.

    Attributes:
        row: the run as it stands.
        record: what is remembered beyond its row.
        make: the work itself.
        feed: its events.
        stop: set to end it.
    """

    row: RunRow
    record: Row
    make: Make
    feed: Feed = field(default_factory=Feed)
    stop: threading.Event = field(default_factory=threading.Event)


def asking(row: RunRow, record: Row) -> Job:
    """A question, begun or gone on with."""
    previous = tuple(queries_of(record, "previous"))
    options = tuple(record.get("options") or [])

    def make(engine: Engine, lease: Lease) -> tuple[Report, RunState]:
        return engine.ask(
            lease.case, row.question, options=options, previous=previous, spoken=bool(record.get("spoken")),
            attended=True, resume=row.id,
        )  # fmt: skip

    return Job(row, record, make)


def reviewing(row: RunRow, record: Row) -> Job:
    """A person's decision, taken in."""
    decision = Decision.model_validate(record["review"])

    def make(engine: Engine, lease: Lease) -> tuple[Report, RunState]:
        return engine.review(lease.case, row.id, decision)

    return Job(row, record, make)


def carry_out(job: Job, engine: Engine, scans: Scans, asked: Callable[[], Sequence[Query]]) -> dict[str, Any]:
    """Do a job's work.

    Args:
        job: its feed tells how it goes on, its record is filled.
        engine: the shared one.
        scans: opens the scan where it is closed.
        asked: what was understood in the conversation before.

    Returns:
        Fields of the row as the run ended.
    """
    ident = job.row.id
    try:
        # Who watches a run that goes on sees what was done before it was interrupted as well.
        for step in steps_of(Runs(engine.settings.home).find(ident, begun=False).trace):
            job.feed.put("step", step.model_dump(mode="json"))
        with scans.opened(job.row.scan, job.stop) as lease:
            own = listening(engine, lease, job.feed, job.stop)
            report, state = job.make(own, lease)
            job.record["next"] = next_questions(own, lease, ident, state, asked())
    except Cancelled:
        return {"state": "cancelled"}
    except Refused as refused:
        return {"state": "failed", "error": {"code": refused.code, "message": str(refused)}}
    except TumorTraceError as error:
        return {"state": "failed", "error": told(error)}
    except Exception as error:
        logging.getLogger(__name__).exception("run %s ended unexpectedly", ident)
        if (fault := disk_fault(error)) is not None:
            return {"state": "failed", "error": told(fault)}
        return {"state": "failed", "error": _UNEXPECTED}
    queries = [one.model_dump(mode="json") for one in state.queries if isinstance(one, Query)]
    job.record |= {"queries": queries, "review": None}
    answer = report.answer.text if report.answer is not None else None
    return {"state": "done", "status": report.status, "answer": answer}
