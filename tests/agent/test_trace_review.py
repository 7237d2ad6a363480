"""What may follow the end of a run: a review where it has its report, a resumption where it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.errors import UsageError
from agent.runs import RunFolder
from agent.trace import TraceWriter, verify
from agent.trace_read import artifacts, ended, open_review, since_review, worked
from agent.trace_schema import REVIEWABLE, Event, Kind, RunStatus

REVIEW: dict[str, Any] = {
    "number": 1, "time": "2026-11-22T20:00:00Z", "reviewer": "Dr. Roe", "decision": "approve", "about": None,
    "machine": "said", "says": None, "pathology": None, "reason": None, "edits": [], "changes": [], "labels": None,
    "before": None, "after": None,
}  # fmt: skip


def begun(path: Path, status: RunStatus) -> RunFolder:
    with TraceWriter.open(path / "trace.jsonl", "r1") as trace:
        trace.append(Kind.RUN_START, {"run_id": "r1", "question": None, "version": "1"})
        trace.finish(status, {})
    return RunFolder("r1", path)


@pytest.mark.parametrize("status", REVIEWABLE)
def test_a_report_can_be_reviewed_and_nothing_else(tmp_path: Path, status: RunStatus) -> None:
    run = begun(tmp_path, status)
    assert ended(run) and open_review(run) is None
    with pytest.raises(UsageError, match="is finished"):
        TraceWriter.open(run.trace, "r1", resume=True)
    with TraceWriter.open(run.trace, "r1", resume=True, reviewing=True) as trace:
        for kind in (Kind.RUN_RESUME, Kind.ROUND, Kind.RUN_END):
            with pytest.raises(ValueError, match="the run has ended"):
                trace.append(kind, {})
        trace.append(Kind.REVIEW, REVIEW)
    assert not ended(run) and open_review(run) == REVIEW
    assert verify(run.trace).incomplete
    # Interrupted now, it goes on like any other.
    with TraceWriter.open(run.trace, "r1", resume=True) as trace:
        trace.append(Kind.RUN_RESUME, {"version": "1"})
        trace.finish("failed", {})
    assert not ended(run) and open_review(run) == REVIEW
    with TraceWriter.open(run.trace, "r1", resume=True) as trace:
        trace.append(Kind.RUN_RESUME, {"version": "1"})
        trace.finish(status, {})
    assert ended(run) and open_review(run) is None and verify(run.trace).ok


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_an_interrupted_run_is_resumed_and_not_reviewed(tmp_path: Path, status: RunStatus) -> None:
    run = begun(tmp_path, status)
    assert not ended(run)
    with TraceWriter.open(run.trace, "r1", resume=True, reviewing=True) as trace:
        with pytest.raises(ValueError, match="the run has ended"):
            trace.append(Kind.REVIEW, REVIEW)
        trace.append(Kind.RUN_RESUME, {"version": "1"})
        trace.finish("consistent", {})
    assert verify(run.trace).ok and ended(run)


def test_a_line_that_was_cut_off_after_the_end_says_nothing_of_the_run(tmp_path: Path) -> None:
    run = begun(tmp_path, "consistent")
    with run.trace.open("ab") as file:
        file.write(b'{"data":{"number"')
    assert not verify(run.trace).ok
    TraceWriter.open(run.trace, "r1", resume=True, reviewing=True).close()
    assert verify(run.trace).ok and verify(run.trace).status == "consistent" and ended(run)
    with TraceWriter.open(run.trace, "r1", resume=True, reviewing=True) as trace:
        trace.append(Kind.REVIEW, REVIEW)
        trace.finish("consistent", {})
    assert verify(run.trace).ok


def test_a_review_that_was_put_after_an_interrupted_end_is_found(tmp_path: Path) -> None:
    run = begun(tmp_path, "failed")
    with TraceWriter.open(run.trace, "r1", resume=True) as trace:
        trace._ended = None
        trace.append(Kind.REVIEW, REVIEW)
        trace.finish("consistent", {})
    assert [problem.what for problem in verify(run.trace).problems] == ["it stands after the end of the run"]


def test_the_last_report_s_files_and_budgets_count(tmp_path: Path) -> None:
    digest = "0" * 64
    with TraceWriter.open(tmp_path / "trace.jsonl", "r1") as trace:
        trace.append(Kind.RUN_START, {"run_id": "r1", "question": None, "version": "1"})
        trace.finish("consistent", {"report.json": digest})
    run = RunFolder("r1", tmp_path)
    with TraceWriter.open(run.trace, "r1", resume=True, reviewing=True) as trace:
        trace.append(Kind.REVIEW, REVIEW)
        trace.finish("cancelled", {})
    assert artifacts(run) == {"report.json": digest}
    event = {"hash": "", "prev": "", "data": {}}
    moments = [("run.start", 0), ("run.end", 9), ("review", 40), ("tool.end", 42), ("run.resume", 50), ("verdict", 51)]
    made = [
        Event(seq=number, time=f"2026-11-22T20:00:{second:02d}.000Z", kind=kind, **event)  # type: ignore[arg-type]
        for number, (kind, second) in enumerate(moments)
    ]
    assert [one.kind for one in since_review(made) if isinstance(one, Event)] == [kind for kind, _ in moments[2:]]
    other = RunFolder("r2", tmp_path / "other")
    other.folder.mkdir()
    other.trace.write_bytes(b"".join(one.line() for one in made))
    assert worked(other) == 3.0
