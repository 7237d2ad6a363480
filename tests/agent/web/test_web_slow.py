"""Clients that send nothing, or a byte now and then."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from agent.web import guard
from agent.web.slow import PunctualProtocol
from tests.agent.web.web_make import Server, listening

HEAD = b"POST /api/scans HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def port(served: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Port of a server that waits for nobody very long."""
    monkeypatch.setattr(PunctualProtocol, "header_seconds", 0.2)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    with listening(served.app, http=PunctualProtocol) as address:
        yield int(address.rpartition(":")[2])


def told(link: socket.socket) -> bytes:
    """All that the server says before it hangs up."""
    found = b""
    while part := link.recv(4096):
        found += part
    return found


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"], ids=["nothing", "byte", "part"])
def test_a_connection_without_a_request_is_closed(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(sent)
        assert told(link) == b""


def test_dripping_headers_buy_no_time(port: int) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port), 10) as link, suppress(ConnectionError):
        link.settimeout(0.02)
        while True:
            link.sendall(b"GE"[min(sent, 1) :][:1])
            sent += 1
            try:
                assert link.recv(1) == b""
            except TimeoutError:
                continue
            break
    assert sent > 1


def test_headers_of_a_second_request_have_to_come_in_time_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert link.recv(4096).startswith(b"HTTP/1.1 200")
        link.sendall(b"GET /api/st")
        assert b"HTTP" not in told(link)


@pytest.mark.parametrize("sent", [b"", b'{"source":'], ids=["nothing", "part"])
@pytest.mark.parametrize("path", [b"/api/scans", b"/api/uploads?name=a.nii"], ids=["small", "upload"])
def test_a_body_that_does_not_come(port: int, path: bytes, sent: bytes, served: Server) -> None:
    head = HEAD.replace(b"/api/scans", path) + b"Content-Type: application/json\r\nContent-Length: 400\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(head + sent)
        answer = told(link)
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b"too_slow" in answer


def test_who_asks_in_time_may_wait_for_the_answer(port: int, served: Server, run: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(f"GET /api/runs/{run['id']}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        found = b""
        while b"event: state" not in found:
            found += link.recv(65536)
    assert found.startswith(b"HTTP/1.1 200")
