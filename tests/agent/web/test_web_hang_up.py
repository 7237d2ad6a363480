"""Chat clients that hang up: what they asked for is not worked on any longer, unless somebody else waits for it."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.web.run_shapes import RunRow
from tests.agent.web.web_make import Gate, Server, listening, until

LESIONS = "How many liver lesions are there?"


@contextmanager
def asking(address: str, scan: str, *, stream: bool) -> Iterator[socket.socket]:
    """A connection on which a chat client has asked."""
    messages = [{"role": "user", "content": LESIONS}]
    body = json.dumps({"model": f"scan:{scan}", "messages": messages, "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 10) as link:
        link.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        yield link


def only(server: Server, state: str) -> RunRow:
    """The server's one run, once it is in a state."""
    (row,) = until(server.parts.work.rows, lambda rows: bool(rows) and rows[0].state == state)
    return row


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_who_hangs_up_cancels_the_run(own: Server, gate: Gate, stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    scan = own.open()["id"]
    with caplog.at_level(logging.WARNING), listening(own.app) as address:
        with asking(address, scan, stream=stream):
            gate.begun()
        (job,) = own.parts.work._jobs.values()
        until(job.stop.is_set, bool)
        gate.opened.set()
        only(own, "cancelled")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_run_that_waits_is_taken_from_the_queue(own: Server, gate: Gate, stream: bool) -> None:
    scan = own.open()["id"]
    at_work = [own.post("/api/runs", {"scan": scan, "question": LESIONS})["id"] for _ in range(2)]
    gate.begun()
    gate.begun()
    with listening(own.app) as address:
        with asking(address, scan, stream=stream):
            (waiting,) = until(lambda: [one for one in own.parts.work.rows() if one.id not in at_work], bool)
            until(lambda: own.parts.work.row(waiting.id).state, lambda state: state == "queued")
        until(lambda: own.parts.work.row(waiting.id).state, lambda state: state == "cancelled")
    gate.opened.set()
    assert [own.ended(one)["state"] for one in at_work] == ["done", "done"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_run_that_somebody_else_watches_goes_on(own: Server, gate: Gate, stream: bool) -> None:
    scan = own.open()["id"]
    with listening(own.app) as address:
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 10) as page:
            with asking(address, scan, stream=stream):
                gate.begun()
                run = only(own, "running").id
                feed = own.parts.work.feed(run)
                assert feed is not None
                page.sendall(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                until(lambda: len(feed._watchers), lambda count: count == 2)
            until(lambda: len(feed._watchers), lambda count: count == 1)
            gate.opened.set()
            assert own.ended(run)["state"] == "done"


def test_a_tab_that_closes_cancels_nothing(own: Server, gate: Gate) -> None:
    run = own.post("/api/runs", {"scan": own.open()["id"], "question": LESIONS})["id"]
    gate.begun()
    feed = own.parts.work.feed(run)
    assert feed is not None
    with listening(own.app) as address:
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 10) as page:
            page.sendall(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            until(lambda: feed.watched, bool)
        until(lambda: feed.watched, lambda watched: not watched)
    gate.opened.set()
    assert own.ended(run)["state"] == "done"


def test_leaving_what_has_ended_or_was_begun_anew_changes_nothing(own: Server, gate: Gate) -> None:
    work = own.parts.work
    run = own.post("/api/runs", {"scan": own.open()["id"], "question": LESIONS})["id"]
    gate.begun()
    first = work.feed(run)
    assert first is not None
    work.cancel(run)
    gate.opened.set()
    assert own.ended(run)["state"] == "cancelled"
    work.leave(run, first)
    own.post(f"/api/runs/{run}/resume")
    work.leave(run, first)
    assert own.ended(run)["state"] == "done"
    work.leave(run, first)
