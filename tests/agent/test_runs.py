from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import UsageError
from agent.runs import RunFolder, Runs, new_run_id
from agent.trace import TraceWriter


def begin(run: RunFolder) -> RunFolder:
    with TraceWriter.open(run.trace, run.id) as trace:
        trace.append("run.start", {"run_id": run.id, "question": None, "version": "0"})
    return run


def test_run_ids_sort_by_time() -> None:
    moment = datetime(2026, 11, 21, 23, 30, 12, tzinfo=UTC)
    ids = [new_run_id(moment + timedelta(seconds=second)) for second in range(100)]
    assert ids == sorted(ids)
    assert re.fullmatch(r"20261121-233012-[0-9a-f]{6}", ids[0])
    assert new_run_id(moment) != new_run_id(moment)


def test_a_run_is_found_by_id_prefix_folder_and_trace(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "home")
    run = begin(runs.create())
    assert run.folder == tmp_path / "home" / "runs" / run.id
    for name in (run.id, run.id[:20], str(run.folder), str(run.trace)):
        assert runs.find(name) == run


def test_out_is_used_and_never_overwritten(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "home")
    first = begin(runs.create(tmp_path / "out"))
    second = begin(runs.create(tmp_path / "out"))
    assert first.folder == tmp_path / "out"
    assert second.folder == tmp_path / "out" / second.id
    assert runs.find(first.id) == first
    assert runs.find(second.id) == second
    assert runs.find(str(tmp_path / "out")) == first


def test_runs_are_found_without_the_index(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    run = begin(runs.create())
    elsewhere = begin(Runs(tmp_path / "other").create(tmp_path / "out"))
    (tmp_path / "runs.sqlite").unlink()
    assert runs.find(run.id) == run
    assert runs.find(str(elsewhere.folder)).id == elsewhere.id
    assert not (tmp_path / "runs.sqlite").exists()


def test_a_damaged_index_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").write_bytes(b"not a database, at all" * 100)
    with pytest.raises(UsageError, match="index of runs"):
        Runs(tmp_path).create()


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "home")
    with pytest.raises(UsageError, match="There is no run 'x'"):
        runs.find("x")
    assert not (tmp_path / "home").exists()
    gone = runs.create(tmp_path / "out")
    with pytest.raises(UsageError, match="no trace"):
        runs.find(gone.id)
    begin(runs.create())
    begin(runs.create())
    with pytest.raises(UsageError, match="Several runs"):
        runs.find(gone.id[:4])


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Runs(tmp_path / "home").create(tmp_path / "out")


def test_status_and_latest(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    run = begin(runs.create())
    assert [entry.status for entry in runs.latest()] == ["running"]
    runs.set_status(run.id, "consistent")
    runs.set_status("unknown", "consistent")
    assert [(entry.id, entry.folder, entry.status) for entry in runs.latest()] == [(run.id, run.folder, "consistent")]
