"""Tokens, cookies, and those who guess."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from agent.web.access import COOKIE, SESSION_SECONDS, Access
from agent.web.faults import Refused
from tests.agent.web.web_make import HERE, TOKEN, Server, refusal, serving

GUARDED = [
    ("GET", "/api/sources"), ("GET", "/api/options"), ("GET", "/api/scans"), ("GET", "/api/conversations"),
    ("GET", "/api/runs"), ("GET", "/v1/models"), ("GET", "/api/openapi.json"), ("POST", "/api/scans"),
    ("POST", "/api/uploads?name=a"), ("POST", "/v1/chat/completions"), ("GET", "/api/nothing"), ("GET", "/api/status/"),
    ("GET", "/api%2Fsources"), ("POST", "/api/session/"), ("GET", "/api/session/../sources"),
]  # fmt: skip


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server to which nobody signs in."""
    with serving(tmp_path_factory.mktemp("locked"), token=TOKEN) as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """A server of one test."""
    with serving(tmp_path, token=TOKEN) as server:
        yield server


def client(server: Server) -> TestClient:
    """Another browser."""
    return TestClient(server.app, base_url=HERE, raise_server_exceptions=False)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_nothing_without_the_token(locked: Server, method: str, path: str) -> None:
    refusal(locked.client.request(method, path), 401, "token_needed")


def test_status_and_the_page_need_none(locked: Server) -> None:
    told = locked.get("/api/status")
    assert (told["needs_token"], told["signed_in"], told["model"]) == (True, False, None)
    assert locked.client.get("/").status_code == 200
    assert locked.client.get("/static/js/main.js").status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER  "])
def test_token_in_a_header(locked: Server, scheme: str) -> None:
    told = locked.get("/api/status", headers={"authorization": f"{scheme} {TOKEN}"})
    assert (told["signed_in"], told["model"]) == (True, "embedded")
    assert locked.client.get("/api/sources", headers={"authorization": f"{scheme} {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    "shown", [f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
def test_wrong_headers(locked: Server, shown: str) -> None:
    told = refusal(locked.client.get("/api/sources", headers={"authorization": shown}), 403, "wrong_token")
    assert TOKEN not in told


def test_signing_in_and_out(fresh: Server) -> None:
    answer = fresh.client.post("/api/session", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert TOKEN not in cookie
    assert fresh.get("/api/status")["signed_in"]
    assert fresh.client.get("/api/sources").status_code == 200
    assert fresh.client.delete("/api/session").status_code == 204
    refusal(fresh.client.get("/api/sources"), 401, "token_needed")


@pytest.mark.parametrize(
    "body", [{}, {"token": "no"}, {"token": 5}, {"token": "x" * 2000}, {"token": TOKEN, "more": 1}]
)
def test_signing_in_with_something_else(locked: Server, body: dict[str, object]) -> None:
    answer = locked.client.post("/api/session", json=body)
    refusal(answer, 403 if body == {"token": "no"} else 422)
    assert "set-cookie" not in answer.headers


def test_signing_in_where_nobody_has_to(own: Server) -> None:
    refusal(own.client.post("/api/session", json={"token": "anything"}), 409, "no_token")
    assert own.get("/api/status")["signed_in"]


def test_who_guesses_is_slowed_and_nobody_else_locked_out(fresh: Server) -> None:
    codes = [client(fresh).post("/api/session", json={"token": f"guess {n}"}).status_code for n in range(30)]
    assert codes[:20] == [403] * 20
    assert set(codes[20:]) == {429}
    refusal(fresh.client.get("/api/sources", headers={"authorization": "Bearer guess"}), 429, "too_many_tries")
    assert fresh.client.get("/api/sources", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert fresh.client.post("/api/session", json={"token": TOKEN}).status_code == 204
    assert fresh.client.get("/api/sources").status_code == 200


def test_requests_without_a_token_are_no_guesses(fresh: Server) -> None:
    for _ in range(40):
        refusal(fresh.client.get("/api/sources"), 401)
    refusal(fresh.client.post("/api/session", json={"token": "guess"}), 403)


@pytest.mark.parametrize("other", ['app={"a": 1}; ', "bad name=x; ", "a b; ", 'q="; ', "=; ", "ü=1; "])
def test_cookies_of_other_servers_on_this_machine_hide_nothing(other: str) -> None:
    access = Access(TOKEN)
    own = f"{COOKIE}={access.sign_in(TOKEN)}"
    assert access.known(Headers({"cookie": other + own}))
    assert not access.known(Headers({"cookie": other}))


def test_forged_cookies() -> None:
    access = Access(TOKEN)
    value = access.sign_in(TOKEN)
    until, _, signature = value.partition(".")
    assert access.known(_cookie(value))
    other = Access("another-token-of-enough-length")
    later = str(int(until) + 1)
    for forged in (
        "", ".", until, f"{until}.", f".{signature}", f"{later}.{signature}", f"{until}.{signature[:-1]}",
        f"{until}.{signature[::-1]}", f"{until}.{signature.upper()}", f"0{until}.{signature}", f"+{until}.{signature}",
        f"{until}.{signature}.", f"٣{until}.{signature}", other.sign_in("another-token-of-enough-length"),
        f"{'9' * 5000}.{signature}", f"{until}.é",
    ):  # fmt: skip
        assert not access.known(_cookie(forged)), forged
    assert not other.known(_cookie(value))


def test_cookies_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(TOKEN)
    begun = time.time()
    monkeypatch.setattr(time, "time", lambda: begun)
    value = access.sign_in(TOKEN)
    monkeypatch.setattr(time, "time", lambda: begun + SESSION_SECONDS - 2)
    assert access.known(_cookie(value))
    monkeypatch.setattr(time, "time", lambda: begun + SESSION_SECONDS + 1)
    assert not access.known(_cookie(value))


@given(st.text(max_size=100))
def test_no_cookie_or_header_brings_it_down(text: str) -> None:
    access = Access(TOKEN)
    raw = text.encode("utf-8", "replace")
    assert not access.known(Headers(raw=[(b"cookie", COOKIE.encode() + b"=" + raw), (b"authorization", raw)]))
    assert not access.known(Headers(raw=[(b"cookie", raw), (b"authorization", b"Bearer " + raw)]))
    with pytest.raises(Refused):
        access.sign_in(text)


def _cookie(value: str) -> Headers:
    return Headers(raw=[(b"cookie", f"{COOKIE}={value}".encode())])
