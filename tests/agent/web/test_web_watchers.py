"""Browsers that go away while they watch."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agent.engine import Engine
from agent.report_model import Report
from agent.state import RunState
from tests.agent.web.web_make import Gate, Server, listening, until


@pytest.mark.slow
def test_who_goes_away_is_forgotten_without_a_fault(
    own: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()
    original = Engine.ask

    def held(engine: Engine, *args: Any, **more: Any) -> tuple[Report, RunState]:
        assert go.wait(60)
        return original(engine, *args, **more)

    monkeypatch.setattr(Engine, "ask", held)
    scan = own.open()["id"]
    run = own.post("/api/runs", {"scan": scan, "question": "How many liver lesions are there?"})["id"]
    feed = own.parts.work.feed(run)
    assert feed is not None
    with caplog.at_level(logging.WARNING), listening(own.app) as address:
        port = int(address.rpartition(":")[2])
        links = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(5)]
        for link in links:
            link.sendall(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert b"200 OK" in link.recv(4096)
        until(lambda: len(feed._watchers), lambda count: count == 5)
        for link in links[:3]:
            link.close()
        for number in range(50):
            feed.put("step", {"n": number})
        until(lambda: len(feed._watchers), lambda count: count == 2)
        go.set()
        assert own.ended(run)["state"] == "done"
        until(lambda: len(feed._watchers), lambda count: count == 0)
        for link in links[3:]:
            link.close()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_ending_server_lets_its_watchers_go(own: Server, gate: Gate) -> None:
    run = own.post("/api/runs", {"scan": own.open()["id"], "question": None})["id"]
    feed = own.parts.work.feed(run)
    assert feed is not None
    gate.begun()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(own.events, run)
        until(lambda: len(feed._watchers), lambda count: count == 1)
        own.parts.work.stop()
        assert [one["event"] for one in watching.result(60)] == ["state", "state"]
    gate.opened.set()
    assert own.ended(run)["state"] == "cancelled"


def test_the_description_names_the_streams(served: Server) -> None:
    paths = served.get("/api/openapi.json")["paths"]
    for path in ("/api/runs/{run}/events", "/api/scans/{scan}/events"):
        assert "text/event-stream" in paths[path]["get"]["responses"]["200"]["content"]
