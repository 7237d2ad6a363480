"""The queue of runs: waiting, cancelling, resuming, and what an ended or a killed server leaves."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.cases import open_case
from agent.engine import Engine
from agent.errors import ModelUnavailable, UsageError
from agent.web import scans
from agent.web.database import Database
from tests.agent.web.web_make import Gate, Server, refusal, serving, until
from tools.base import Case

LESIONS = "How many liver lesions are there?"
SPLEEN = "What is the volume of the spleen?"


@contextmanager
def asking(folder: Path, root: Path, **more: Any) -> Iterator[tuple[Server, str]]:
    """A server with the scan open."""
    with serving(folder, root, **more) as server:
        yield server, server.open()["id"]


@pytest.mark.slow
def test_the_queue(tmp_path: Path, case_folder: Path, gate: Gate) -> None:
    with asking(tmp_path, case_folder, runs=1, queue=2) as (server, scan):
        body = {"scan": scan, "question": LESIONS}
        first = server.post("/api/runs", body)["id"]
        gate.begun()
        second, third = (server.post("/api/runs", body)["id"] for _ in range(2))
        refusal(server.client.post("/api/runs", json=body), 429, "queue_full")
        chat = {"model": f"scan:{scan}", "messages": [{"role": "user", "content": LESIONS}]}
        refusal(server.client.post("/v1/chat/completions", json=chat), 429, "queue_full")
        told = {one["id"]: (one["state"], one["position"]) for one in server.get("/api/runs")["runs"]}
        assert told == {first: ("running", None), second: ("queued", 0), third: ("queued", 1)}
        cancelled = server.post(f"/api/runs/{second}/cancel")
        assert (cancelled["state"], cancelled["position"]) == ("cancelled", None)
        assert [one["data"]["state"] for one in server.events(second) if one["event"] == "state"] == ["cancelled"]
        assert server.get(f"/api/runs/{third}")["position"] == 0
        refusal(server.client.get(f"/api/runs/{third}/report"), 409, "not_ready")
        refusal(server.client.post(f"/api/runs/{third}/resume"), 409, "busy")
        refusal(server.client.post(f"/api/runs/{second}/cancel"), 409, "ended")
        gate.opened.set()
        assert [server.ended(one)["state"] for one in (first, third)] == ["done", "done"]
        resumed = server.post(f"/api/runs/{second}/resume")
        assert resumed["state"] == "queued"
        ended = server.ended(second)
        assert (ended["state"], ended["answer"]) == ("done", server.get(f"/api/runs/{first}")["answer"])
        refusal(server.client.post(f"/api/runs/{second}/resume"), 409, "busy")


@pytest.mark.slow
def test_cancelled_while_it_runs(own: Server, gate: Gate) -> None:
    scan = own.open()
    run = own.post("/api/runs", {"scan": scan["id"], "question": None})["id"]
    gate.begun()
    assert own.post(f"/api/runs/{run}/cancel")["state"] == "running"
    gate.opened.set()
    ended = own.ended(run)
    assert (ended["state"], ended["report"], ended["error"]) == ("cancelled", None, None)
    assert own.post(f"/api/runs/{run}/resume")["state"] == "queued"
    done = own.ended(run)
    assert (done["state"], bool(done["report"]["findings"])) == ("done", True)
    assert own.get(f"/api/runs/{run}/trace/check")["ok"]
    titles = [one["data"]["title"] for one in own.events(run) if one["event"] == "step"]
    assert "Resumed" in titles


@pytest.mark.slow
def test_a_conversation_answers_one_at_a_time(own: Server, gate: Gate) -> None:
    scan = own.open()
    talk = own.post("/api/conversations", {"scan": scan["id"]})["id"]
    body = {"scan": scan["id"], "question": LESIONS, "conversation": talk}
    run = own.post("/api/runs", body)["id"]
    gate.begun()
    refusal(own.client.post("/api/runs", json=body), 409, "busy")
    refusal(own.client.delete(f"/api/conversations/{talk}"), 409, "busy")
    assert own.client.post("/api/runs", json={**body, "conversation": None}).status_code == 202
    gate.opened.set()
    assert own.ended(run)["state"] == "done"
    assert own.client.delete(f"/api/conversations/{talk}").status_code == 204


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelUnavailable("The model is away."), "model_away"),
        (UsageError("No."), "bad_input"),
        (KeyError("/secret"), "unexpected"),
    ],
)
def test_a_run_that_fails_and_is_resumed(
    own: Server, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    scan = own.open()

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Engine, "ask", fail)
    failed = own.ask(scan["id"], LESIONS)
    assert (failed["state"], failed["error"]["code"]) == ("failed", code)
    assert "secret" not in str(failed)
    refusal(own.client.get(f"/api/runs/{failed['id']}/masks"), 409, "not_ready")
    assert own.events(failed["id"])[-1]["data"]["state"] == "failed"
    monkeypatch.undo()
    own.post(f"/api/runs/{failed['id']}/resume")
    done = own.ended(failed["id"])
    assert (done["state"], done["error"]) == ("done", None)


@pytest.mark.slow
@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_killed_server(tmp_path: Path, case_folder: Path, state: str) -> None:
    with asking(tmp_path, case_folder) as (server, scan):
        talk = server.post("/api/conversations", {"scan": scan})["id"]
        run = server.ask(scan, LESIONS, conversation=talk)
        trace = server.run_folder(run["id"]) / "trace.jsonl"
    _set_state(tmp_path, state)
    lines = trace.read_text().splitlines(keepends=True)
    trace.write_text("".join(lines[:5]) + lines[5][:20])
    for name in ("report.json", "report.md", "report.html"):
        (trace.parent / name).unlink()
    (trace.parent / "checkpoint.sqlite").unlink()
    with serving(tmp_path, case_folder) as server:
        found = server.get(f"/api/runs/{run['id']}")
        assert (found["state"], found["error"]["code"], found["report"]) == ("failed", "interrupted", None)
        assert server.get(f"/api/conversations/{talk}")["turns"][0]["state"] == "failed"
        server.post(f"/api/runs/{run['id']}/resume")
        done = server.ended(run["id"])
        assert (done["state"], done["answer"]) == ("done", run["answer"])


def _set_state(folder: Path, state: str) -> None:
    with closing(sqlite3.connect(folder / "state" / "server.sqlite")) as link:
        (record,) = link.execute("SELECT record FROM runs").fetchone()
        link.execute("UPDATE runs SET record = ?", (json.dumps({**json.loads(record), "state": state}),))
        link.commit()


@pytest.mark.slow
@pytest.mark.parametrize("record", ["torn {", '{"state": "done", "position": "x"}'])
def test_runs_of_another_version(tmp_path: Path, case_folder: Path, record: str) -> None:
    with asking(tmp_path, case_folder) as (server, scan):
        talk = server.post("/api/conversations", {"scan": scan})["id"]
        run = server.ask(scan, LESIONS, conversation=talk)
    with closing(sqlite3.connect(tmp_path / "state" / "server.sqlite")) as link:
        link.execute("UPDATE runs SET record = ?", (record,))
        link.commit()
    with asking(tmp_path, case_folder) as (server, scan):
        assert server.get("/api/runs")["runs"] == []
        refusal(server.client.get(f"/api/runs/{run['id']}"), 404, "not_found")
        for path in ("events", "report", "trace"):
            refusal(server.client.get(f"/api/runs/{run['id']}/{path}"), 404, "not_found")
        assert server.get(f"/api/conversations/{talk}")["turns"] == []
        assert server.ask(scan, LESIONS, conversation=talk)["state"] == "done"


@pytest.mark.slow
def test_queries_of_another_version(tmp_path: Path, case_folder: Path) -> None:
    with asking(tmp_path, case_folder) as (server, scan):
        talk = server.post("/api/conversations", {"scan": scan})["id"]
        server.ask(scan, LESIONS, conversation=talk)
    with closing(sqlite3.connect(tmp_path / "state" / "server.sqlite")) as link:
        (record,) = link.execute("SELECT record FROM runs").fetchone()
        older = {**json.loads(record), "queries": [{"kind": "of old"}], "previous": 5}
        link.execute("UPDATE runs SET record = ?", (json.dumps(older),))
        link.commit()
    with asking(tmp_path, case_folder) as (server, scan):
        assert server.ask(scan, SPLEEN, conversation=talk)["state"] == "done"


@pytest.mark.slow
def test_a_server_that_ends_while_runs_work(tmp_path: Path, case_folder: Path, gate: Gate) -> None:
    with asking(tmp_path, case_folder, runs=1) as (server, scan):
        body = {"scan": scan, "question": LESIONS}
        running = server.post("/api/runs", body)["id"]
        gate.begun()
        queued = server.post("/api/runs", body)["id"]
        threading.Timer(0.2, gate.opened.set).start()
    with serving(tmp_path, case_folder) as server:
        for run in (running, queued):
            assert server.get(f"/api/runs/{run}")["state"] == "cancelled"
            server.post(f"/api/runs/{run}/resume")
            assert server.ended(run)["state"] == "done"


@pytest.mark.slow
def test_many_at_once(tmp_path: Path, case_folder: Path) -> None:
    with asking(tmp_path, case_folder, runs=4) as (server, scan):
        asked = [LESIONS, SPLEEN] * 4
        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(lambda words: server.ask(scan, words), asked))
        assert {one["state"] for one in runs} == {"done"}
        assert len({one["id"] for one in runs}) == 8
        for words, one in zip(asked, runs, strict=True):
            assert one["question"] == words
            assert ("spleen" in one["answer"]) == (words == SPLEEN)


def test_a_run_whose_scan_is_still_being_opened_is_cancelled(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def slow(*args: Any, **more: Any) -> Case:
        assert go.wait(60)
        return open_case(*args, **more)

    monkeypatch.setattr(scans, "open_case", slow)
    source = own.source("ct.nii.gz")
    scan = own.post("/api/scans", {"source": source["id"]})["id"]
    run = own.post("/api/runs", {"scan": scan, "question": LESIONS})["id"]
    until(lambda: own.get(f"/api/runs/{run}")["state"], lambda state: state == "running")
    own.post(f"/api/runs/{run}/cancel")
    assert own.ended(run)["state"] == "cancelled"
    assert own.get(f"/api/scans/{scan}")["state"] == "opening"
    go.set()
    assert own.settled(scan)["state"] == "ready"


@pytest.mark.slow
def test_who_watches_a_resumed_run_sees_what_was_done_before(
    own: Server, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    scan = own.open()["id"]
    gate.opened.set()
    first = own.ask(scan, LESIONS)["id"]
    trace = own.run_folder(first) / "trace.jsonl"
    lines = trace.read_text().splitlines(keepends=True)
    trace.write_text("".join(lines[:5]))
    for name in ("report.json", "report.md", "report.html", "checkpoint.sqlite"):
        (own.run_folder(first) / name).unlink()
    record = own.parts.database.run(first)
    assert record is not None
    own.parts.database.put_run(first, scan, None, {**record, "state": "failed"})
    gate.opened.clear()
    own.post(f"/api/runs/{first}/resume")
    feed = own.parts.work.feed(first)
    assert feed is not None
    gate.opened.set()
    assert own.ended(first)["state"] == "done"
    told = [note.data["n"] for note in feed._notes if note.event == "step"]
    assert told[:5] == list(range(5))
    assert told == list(range(len(told)))


def test_who_sees_that_a_run_has_ended_finds_what_may_be_asked_next(
    tmp_path: Path, case_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asking(tmp_path, case_folder) as (server, scan):
        seen: list[dict[str, Any]] = []
        put_run = Database.put_run

        def watched(self: Database, ident: str, of_scan: str, talk: str | None, record: Mapping[str, Any]) -> None:
            if record["state"] == "done":
                seen.append(server.get(f"/api/runs/{ident}"))  # just before the end is recorded
            put_run(self, ident, of_scan, talk, record)

        monkeypatch.setattr(Database, "put_run", watched)
        made = server.ask(scan, LESIONS)
    assert made["next"]
    assert [one["state"] for one in seen] == ["running"]
