"""The outermost layer: hosts, origins, sizes, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.websockets import WebSocketDisconnect

from agent.web.guard import BODY_BYTES
from tests.agent.web.web_make import HERE, TOKEN, Json, Server, refusal, serving

OWN_HOSTS = ["127.0.0.1", "127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765", "127.8.8.8"]
FOREIGN_HOSTS = [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8765", "10.0.0.1", "169.254.0.1",
    "", "[::1", "2130706433", "::1]", "localhost,evil.example", "evil.example#127.0.0.1", "[fe80::1%25lo]",
]  # fmt: skip
_SAFE = {
    "content-security-policy": "default-src",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
WRITES = [
    "/api/scans",
    "/api/runs",
    "/api/conversations",
    "/api/uploads?name=a.nii",
    "/v1/chat/completions",
    "/api/session",
]
READS = ["/api/status", "/api/sources", "/api/scans", "/v1/models", "/api/openapi.json"]


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_own_hosts(served: Server, host: str) -> None:
    assert served.client.get("/api/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("path", ["/", "/api/status", "/api/sources", "/static/js/main.js"])
def test_rebinding_is_refused(served: Server, host: str, path: str) -> None:
    refusal(served.client.get(path, headers={"host": host}), 403, "foreign_host")


def test_named_host_whatever_its_case(tmp_path: Path) -> None:
    with serving(tmp_path, hosts=("CT.Hospital.Example",)) as server:
        assert server.client.get("/api/status", headers={"host": "ct.hospital.example:80"}).status_code == 200
        refusal(server.client.get("/api/status", headers={"host": "hospital.example"}), 403, "foreign_host")


def test_any_host_with_a_token(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as server:
        assert server.client.get("/api/status", headers={"host": "other.example"}).status_code == 200
        refusal(server.client.get("/api/sources", headers={"host": "other.example"}), 401, "token_needed")


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"origin": HERE, "sec-fetch-site": "cross-site"},
    ],
)
def test_foreign_writes(served: Server, path: str, headers: dict[str, str]) -> None:
    refusal(served.client.post(path, content=b"{}", headers=headers), 403, "foreign_origin")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_foreign_writes_of_other_methods(served: Server, scan: Json, method: str) -> None:
    answer = served.client.request(method, f"/api/scans/{scan['id']}", headers={"origin": "http://evil.example"})
    refusal(answer, 403, "foreign_origin")


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_foreign_reads(served: Server, path: str, site: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    refusal(served.client.get(path, headers=headers), 403, "foreign_origin")


@pytest.mark.parametrize("origin", [HERE, "https://127.0.0.1"])
def test_own_writes(served: Server, scan: Json, origin: str) -> None:
    headers = {"origin": origin, "sec-fetch-site": "same-origin"}
    answer = served.client.post("/api/conversations", json={"scan": scan["id"]}, headers=headers)
    assert answer.status_code == 201, answer.text


def test_nothing_is_shared_with_other_origins(served: Server) -> None:
    answer = served.client.get("/api/scans", headers={"origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    preflight = served.client.options("/api/scans", headers=asked)
    assert not preflight.is_success
    assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_a_link_may_open_the_page(served: Server) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert served.client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/js/main.js", 200),
        ("GET", "/static/none.js", 404),
        ("GET", "/api/status", 200),
        ("GET", "/nothing", 404),
        ("GET", "/api/scans/scan-00000000", 404),
        ("PUT", "/api/scans", 405),
        ("POST", "/api/scans", 422),
        ("GET", "/api/runs/UPPER", 422),
    ],
)
def test_headers_of_every_answer(served: Server, method: str, path: str, status: int) -> None:
    answer = served.client.request(method, path)
    assert answer.status_code == status, answer.text
    _is_safe(answer.headers)
    assert ("no-store" in answer.headers.get("cache-control", "")) == path.startswith("/api/")


def test_headers_of_streams_and_files(served: Server, scan: Json, run: Json) -> None:
    for path in (f"/api/scans/{scan['id']}/events", f"/api/runs/{run['id']}/events"):
        answer = served.client.get(path)
        assert answer.headers["content-type"].startswith("text/event-stream")
        _is_safe(answer.headers)
    answer = served.client.get(f"/api/runs/{run['id']}/report?format=html")
    _is_safe(answer.headers)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"]


def test_headers_of_refusals_by_the_guard(served: Server) -> None:
    _is_safe(served.client.get("/api/status", headers={"host": "evil.example"}).headers)
    _is_safe(served.client.post("/api/scans", content=b"0" * (BODY_BYTES + 1)).headers)


def test_unexpected_errors_tell_nothing(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def boom() -> None:
        raise RuntimeError("/secret/path of Jane Doe")

    monkeypatch.setattr(served.parts.sources, "every", boom)
    answer = served.client.get("/api/sources")
    assert "secret" not in refusal(answer, 500, "unexpected")
    _is_safe(answer.headers)
    assert answer.headers["cache-control"] == "no-store"


def test_a_body_may_be_as_large_as_its_limit(served: Server) -> None:
    answer = served.client.post("/api/scans", content=b" " * BODY_BYTES)
    refusal(answer, 422, "bad_input")


@pytest.mark.parametrize("path", ["/api/scans", "/v1/chat/completions", "/api/session", "/api/nothing"])
def test_a_body_that_says_it_is_too_large(served: Server, path: str) -> None:
    assert "1 MiB" in refusal(served.client.post(path, content=b" " * (BODY_BYTES + 1)), 413, "too_large")


@pytest.mark.parametrize("path", ["/api/scans", "/v1/chat/completions", "/api/session"])
@pytest.mark.parametrize("said", [None, "10"])
def test_a_body_that_does_not_say_how_large_it_is(served: Server, path: str, said: str | None) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(BODY_BYTES // 65536 + 1):
            yield b" " * 65536

    headers = {"content-length": said} if said is not None else {}
    refusal(served.client.post(path, content=pieces(), headers=headers), 413, "too_large")


@pytest.mark.parametrize("said", ["-1", "1e3", "", "9" * 30, "9" * 5000, "0x10", "1,1", " "])
def test_lengths_that_are_none(served: Server, said: str) -> None:
    refusal(served.client.post("/api/scans", content=b"{}", headers={"content-length": said}), 413, "too_large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 200_000, b"\xff\xfe", b'{"source": ' + b"9" * 5000 + b"}", b'{"source": "\\ud800aaaaaaaa"}'],
)
def test_bodies_that_are_no_json(served: Server, body: bytes) -> None:
    answer = served.client.post("/api/scans", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    refusal(answer, answer.status_code)


@pytest.mark.parametrize("path", ["/api/scans", "/v1/chat/completions"])
def test_web_sockets_are_refused(served: Server, path: str) -> None:
    with pytest.raises(WebSocketDisconnect), served.client.websocket_connect(path):
        pass


@pytest.mark.slow
@given(st.text(st.characters(codec="latin-1"), max_size=30))
def test_no_host_brings_the_server_down(served: Server, host: str) -> None:
    answered = _raw(served, {"host": host})
    assert answered["status"] in {200, 403}
    name = host.strip().lower()
    if not any(sign in name for sign in "127:[l@"):
        assert answered["status"] == 403


@given(st.text(st.characters(codec="latin-1"), max_size=30), st.text(st.characters(codec="latin-1"), max_size=30))
def test_no_origin_brings_the_server_down(served: Server, origin: str, site: str) -> None:
    answered = _raw(served, {"host": "127.0.0.1", "origin": origin, "sec-fetch-site": site}, "POST")
    assert answered["status"] in {403, 422}
    assert (answered["status"] == 422) <= (origin.lower() in {HERE, "https://127.0.0.1"})


def _raw(served: Server, headers: dict[str, str], method: str = "GET") -> dict[str, Any]:
    """The start of an answer, without a client that mends headers first."""
    told: list[dict[str, Any]] = []
    coded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    path = "/api/status" if method == "GET" else "/api/scans"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": coded,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(dict(message))

    anyio.run(served.app, scope, receive, send)
    return told[0]


def _is_safe(headers: Headers | Any) -> None:
    for name, value in _SAFE.items():
        assert value in headers.get(name, ""), name
