"""One folder of records: one server, and what happens while its disk cannot be used."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agent.errors import UsageError
from agent.web import database as module
from agent.web.app import close_parts
from agent.web.database import Database
from agent.web.faults import Refused
from tests.agent.web.web_make import Gate, Server, config_of, parts_of, refusal, serving

LESIONS = "How many liver lesions are there?"


def test_a_second_server_on_the_same_folder(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder) as server:
        part = server.parts.uploads.folder / "0123" / ".ct.nii.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"is being written")
        with pytest.raises(UsageError, match="Another server"):
            parts_of(tmp_path, config_of(tmp_path, case_folder))
        assert part.is_file()
    close_parts(parts_of(tmp_path, config_of(tmp_path, case_folder)))


def test_records_that_cannot_be_opened_let_the_folder_go(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    config.state.mkdir()
    (config.state / "server.sqlite").write_bytes(b"no database" * 100)
    for _ in range(2):
        with pytest.raises(UsageError, match="records"):
            parts_of(tmp_path, config)


@contextmanager
def held_by_another(file: Path) -> Iterator[None]:
    """Another program writes to the records."""
    with closing(sqlite3.connect(file, isolation_level=None)) as link:
        link.execute("BEGIN IMMEDIATE")
        yield
        link.execute("ROLLBACK")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot write gives up at once."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_records_that_another_program_holds(own: Server) -> None:
    scan = own.open()["id"]
    run = own.ask(scan, LESIONS)["id"]
    with held_by_another(own.parts.config.state / "server.sqlite"):
        for path in ("status", "scans", f"scans/{scan}", "runs", f"runs/{run}", "conversations"):
            assert own.client.get(f"/api/{path}").status_code == 200
        for path, body in (
            ("conversations", {"scan": scan}),
            ("runs", {"scan": scan, "question": LESIONS}),
            ("scans", {"source": own.source("labels.nii.gz")["id"]}),
        ):
            assert "again" in refusal(own.client.post(f"/api/{path}", json=body), 503, "records_away")
        refusal(own.client.delete(f"/api/scans/{scan}"), 503, "records_away")
        assert own.get(f"/api/scans/{scan}")["state"] == "ready"
    assert own.ask(scan, LESIONS)["state"] == "done"


@pytest.mark.usefixtures("impatient")
def test_looking_does_not_wait_for_who_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 60)
    database = Database(tmp_path / "records.sqlite")
    database.add_conversation("talk-1", "scan-1")
    with held_by_another(tmp_path / "records.sqlite"):
        writer = threading.Thread(target=lambda: database.add_conversation("talk-2", "scan-1"))
        writer.start()
        assert database.conversation("talk-1") is not None
        assert writer.is_alive()
    writer.join()
    assert len(database.conversations()) == 2
    database.close()
    with pytest.raises(Refused):
        database.conversations()


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_run_whose_end_cannot_be_recorded_ends(own: Server, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    scan = own.open()["id"]
    talk = own.post("/api/conversations", {"scan": scan})["id"]
    body = {"scan": scan, "question": LESIONS, "conversation": talk}
    run = own.post("/api/runs", body)["id"]
    gate.begun()
    with held_by_another(own.parts.config.state / "server.sqlite"):
        gate.opened.set()
        assert own.ended(run)["state"] == "done"
        assert [one["state"] for one in own.get("/api/runs")["runs"]] == ["done"]
        assert own.events(run)[-1]["data"]["state"] == "done"
    assert "could not be recorded" in caplog.text
    assert own.ask(scan, LESIONS, conversation=talk)["state"] == "done"
    assert [one["state"] for one in own.get(f"/api/conversations/{talk}")["turns"]] == ["done", "done"]
