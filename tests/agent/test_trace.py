from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import JsonValue

from agent.errors import IntegrityError, UsageError
from agent.files import atomic_write
from agent.trace import TraceWriter, read_events, verify
from agent.trace_schema import FIRST_PREV, MAX_LINE_BYTES, Event

START: dict[str, JsonValue] = {
    "run_id": "r1",
    "question": "Is the spleen large?",
    "version": "0.1.0",
    "inputs": {"scan": "a" * 64},
}


def write_run(folder: Path, key: bytes | None = None, tools: int = 3) -> Path:
    path = folder / "trace.jsonl"
    digest = atomic_write(folder / "report.json", '{"answer": 1}')
    with TraceWriter.open(path, "r1", key=key) as trace:
        trace.append("run.start", START)
        for number in range(tools):
            call = f"t{number}"
            trace.append("tool.start", {"call": call, "tool": "measure", "target": "spleen"})
            trace.append("tool.end", {"call": call, "tool": "measure", "seconds": 0.25, "evidence": ["é"]})
        trace.append("verdict", {"round": 1, "gate": "grounding", "outcome": "pass", "reason": "all fit"})
        trace.finish("consistent", {"report.json": digest})
    return path


def test_a_finished_run_verifies_and_chains(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    found = verify(path)
    assert found.ok, found.problems
    assert (found.events, found.run_id, found.status, found.artifacts) == (9, "r1", "consistent", 1)
    events = [event for event in read_events(path) if isinstance(event, Event)]
    assert [event.seq for event in events] == list(range(9))
    assert events[0].prev == FIRST_PREV
    assert all(b.prev == a.hash for a, b in pairwise(events))
    assert events[-1].data["events"] == 9


def test_head_is_the_last_hash(tmp_path: Path) -> None:
    with TraceWriter.open(tmp_path / "trace.jsonl", "r1") as trace:
        assert (trace.head, trace.events) == (FIRST_PREV, 0)
        trace.append("run.start", START)
        assert trace.head.startswith("sha256:")
        assert trace.events == 1


def test_an_unfinished_run_is_incomplete_and_not_ok(tmp_path: Path) -> None:
    with TraceWriter.open(tmp_path / "trace.jsonl", "r1") as trace:
        trace.append("run.start", START)
    found = verify(tmp_path / "trace.jsonl")
    assert found.incomplete
    assert not found.ok
    assert "line 1, event 0 (run.start)" in str(found.problems[0])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("tool.began", {}),
        ("tool.end", {"call": "a", "tool": "measure"}),
        ("tool.end", {"call": "a", "tool": "measure", "seconds": float("nan")}),
        ("verdict", {"round": 1, "gate": "g", "outcome": "maybe", "reason": ""}),
        ("run.start", START),
        ("intake", {"notes": ["x" * MAX_LINE_BYTES]}),
    ],
)
def test_what_the_schema_does_not_know_is_not_written(tmp_path: Path, kind: str, data: dict[str, JsonValue]) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"."):
            trace.append(kind, data)
        assert path.read_bytes() == before


def test_inputs_are_hashes_and_never_paths(tmp_path: Path) -> None:
    with TraceWriter.open(tmp_path / "trace.jsonl", "r1") as trace, pytest.raises(ValueError, match="inputs"):
        trace.append("run.start", {**START, "inputs": {"scan": "/data/someone.nii.gz"}})


def test_nothing_follows_the_end_or_the_closing(tmp_path: Path) -> None:
    with TraceWriter.open(tmp_path / "trace.jsonl", "r1") as trace:
        with pytest.raises(ValueError, match=r"run\.start"):
            trace.append("intake", {})
        trace.append("run.start", START)
        trace.finish("consistent", {})
        with pytest.raises(ValueError, match="ended"):
            trace.append("intake", {})
    with pytest.raises(ValueError, match="closed"):
        trace.append("intake", {})


def test_text_that_is_not_unicode_does_not_stop_a_run(tmp_path: Path) -> None:
    with TraceWriter.open(tmp_path / "trace.jsonl", "r1") as trace:
        trace.append("run.start", {**START, "question": "spleen\udcff\u2028?"})
        trace.finish("consistent", {})
    assert verify(tmp_path / "trace.jsonl").ok


def test_threads_share_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)

        def work(name: int) -> None:
            for _ in range(25):
                trace.append("tool.start", {"call": str(name), "tool": "measure", "arguments": {"x": "y" * 500}})

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trace.finish("consistent", {})
    found = verify(path)
    assert found.ok, found.problems
    assert found.events == 102


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)
        with pytest.raises(UsageError, match="Another process"):
            TraceWriter.open(path, "r1", resume=True)
    with pytest.raises(UsageError, match="already"):
        TraceWriter.open(path, "r1")
    TraceWriter.open(path, "r1", resume=True).close()


def test_resume_cuts_a_torn_line_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)
    with path.open("ab") as file:
        file.write(b'{"data":{"call":"t1"')
    assert any("torn" in str(problem) for problem in verify(path).problems)
    with TraceWriter.open(path, "r1", resume=True) as trace:
        trace.append("run.resume", {"version": "0.1.0"})
        trace.finish("consistent", {})
    assert verify(path).ok
    kinds = [event.kind for event in read_events(path)]
    assert kinds == ["run.start", "trace.recovered", "run.resume", "run.end"]


def test_resume_of_what_cannot_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with pytest.raises(UsageError, match="no trace"):
        TraceWriter.open(path, "r1", resume=True)
    path.write_bytes(b'{"torn')
    with pytest.raises(UsageError, match="holds no whole event"):
        TraceWriter.open(path, "r1", resume=True)
    path.unlink()
    write_run(tmp_path)
    with pytest.raises(UsageError, match="of run r1"):
        TraceWriter.open(path, "r2", resume=True)
    with pytest.raises(UsageError, match="finished"):
        TraceWriter.open(path, "r1", resume=True)


def test_a_failed_run_can_be_resumed_also_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)
        trace.finish("failed", {}, reason="the disk was full")
    assert verify(path).ok
    path.write_bytes(path.read_bytes() + b'{"half')
    with TraceWriter.open(path, "r1", resume=True) as trace:
        trace.append("run.resume", {"version": "0.1.0"})
        trace.finish("consistent", {})
    assert verify(path).ok, verify(path).problems


def test_a_broken_chain_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)
        trace.append("intake", {"notes": ["spacing 3 mm"]})
    path.write_bytes(path.read_bytes().replace(b"3 mm", b"2 mm"))
    with pytest.raises(IntegrityError, match=r"line 2, event 1 \(intake\)"):
        TraceWriter.open(path, "r1", resume=True)


def test_a_killed_writer_leaves_a_trace_that_resumes(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    code = (
        "import sys; from pathlib import Path; from agent.trace import TraceWriter\n"
        "t = TraceWriter.open(Path(sys.argv[1]), 'r1')\n"
        "t.append('run.start', {'run_id': 'r1', 'question': None, 'version': '0'})\n"
        "while True: t.append('intake', {'notes': ['x' * 9000]}); print('.', flush=True)\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        for _ in range(5):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    with TraceWriter.open(path, "r1", resume=True) as trace:
        assert trace.events >= 6
        trace.append("run.resume", {"version": "0"})
        trace.finish("consistent", {})
    assert verify(path).ok


def test_a_line_that_the_disk_refuses_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.jsonl"
    real = os.write
    with TraceWriter.open(path, "r1") as trace:
        trace.append("run.start", START)
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        with pytest.raises(OSError, match="10 of"):
            trace.append("intake", {})
        monkeypatch.undo()
        trace.finish("failed", {})
    assert verify(path).ok


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^The trace .* cannot be written \(.*\); make its folder writable\.$"):
        TraceWriter.open(tmp_path / "file" / "trace.jsonl", "run")
