"""The chat completions API, with plain requests and with the client that most programs use."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine import Engine
from agent.errors import ModelUnavailable
from agent.web.app import build_app, close_parts
from tests.agent.web.web_make import TOKEN, Json, Server, config_of, good, listening, parts_of, refusal, serving, until

TWO_LENGTHS = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
LESIONS = "How many liver lesions are there?"
SPLEEN = "What is the volume of the spleen?"


def said(*words: str) -> list[Json]:
    """Messages of a user, with answers of an assistant between them."""
    made: list[Json] = []
    for one in words:
        made += [{"role": "user", "content": one}, {"role": "assistant", "content": "Well."}]
    return made[:-1]


def complete(server: Server, scan: str, messages: list[Json], **more: Any) -> Json:
    """A completion that has to be good."""
    body = {"model": f"scan:{scan}", "messages": messages, **more}
    made: Json = good(server.client.post("/v1/chat/completions", json=body))
    return made


def test_open_scans_are_models(served: Server, scan: Json) -> None:
    told = served.get("/v1/models")
    assert told["object"] == "list"
    (mine,) = [one for one in told["data"] if one["id"] == f"scan:{scan['id']}"]
    assert (mine["object"], mine["owned_by"]) == ("model", "tumortrace")


def test_an_answer(served: Server, scan: Json) -> None:
    made = complete(served, scan["id"], said(LESIONS), temperature=0.7, n=3, tools=[], user="somebody")
    (choice,) = made["choices"]
    assert (made["object"], choice["finish_reason"]) == ("chat.completion", "stop")
    assert made["model"] == f"scan:{scan['id']}"
    text = choice["message"]["content"]
    assert text.startswith("The number of liver lesions is 2.")
    assert made["tumortrace"]["run"] in text
    assert made["tumortrace"]["status"] == "consistent"
    run = served.get(f"/api/runs/{made['tumortrace']['run']}")
    assert (run["question"], run["conversation"]) == (LESIONS, None)


def test_earlier_words_are_context(served: Server, scan: Json) -> None:
    made = complete(
        served, scan["id"], [{"role": "system", "content": "Be brief."}, *said(SPLEEN, "And of the liver?")]
    )
    assert made["choices"][0]["message"]["content"].startswith("The volume of the liver")
    alone = complete(served, scan["id"], said("And of the liver?"))
    assert not alone["choices"][0]["message"]["content"].startswith("The volume of the liver")


def test_words_in_pieces_and_images(served: Server, scan: Json) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    pieces = [{"type": "text", "text": "How many liver"}, image, {"type": "text", "text": "lesions are there?"}]
    made = complete(served, scan["id"], [{"role": "user", "content": pieces}])
    assert made["choices"][0]["message"]["content"].startswith("The number of liver lesions is 2.")
    body = {"model": f"scan:{scan['id']}", "messages": [{"role": "user", "content": [image]}]}
    refusal(served.client.post("/v1/chat/completions", json=body), 422, "bad_input")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "gpt-4"}, 404, "model_not_found"),
        ({"model": "scan:scan-00000000"}, 404, "model_not_found"),
        ({"model": "scan:../../etc"}, 404, "model_not_found"),
        ({"model": ""}, 422, "bad_input"),
        ({"messages": []}, 422, "bad_input"),
        ({"messages": [{"role": "user", "content": ""}]}, 422, "bad_input"),
        ({"messages": [{"role": "user", "content": None}]}, 422, "bad_input"),
        ({"messages": [{"role": "system", "content": "x"}]}, 422, "bad_input"),
        ({"messages": [{"role": "king", "content": "x"}]}, 422, "bad_input"),
        ({"messages": [{"role": "user", "content": "x" * 50_000}]}, 422, "bad_input"),
        ({"messages": [{"role": "user", "content": "x"}] * 201}, 422, "bad_input"),
        ({"messages": "x"}, 422, "bad_input"),
        ({"stream": "maybe"}, 422, "bad_input"),
    ],
)
def test_requests_that_make_no_sense(served: Server, scan: Json, change: Json, status: int, code: str) -> None:
    body = {"model": f"scan:{scan['id']}", "messages": said(LESIONS), **change}
    refusal(served.client.post("/v1/chat/completions", json=body), status, code)


def streamed(server: Server, scan: str) -> list[str]:
    """Data lines of a stream."""
    body = {"model": f"scan:{scan}", "messages": said(LESIONS), "stream": True}
    answer = server.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]


def test_a_stream(served: Server, scan: Json) -> None:
    *lines, last = streamed(served, scan["id"])
    assert last == "[DONE]"
    chunks = [json.loads(line) for line in lines]
    assert {one["object"] for one in chunks} == {"chat.completion.chunk"}
    assert len({one["id"] for one in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [one["choices"][0]["finish_reason"] for one in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    assert text.startswith("The number of liver lesions is 2.")
    assert chunks[-1]["tumortrace"]["run"] in text


def test_runs_that_fail(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise ModelUnavailable("The model is away.")

    scan = own.open()["id"]
    monkeypatch.setattr(Engine, "ask", away)
    body = {"model": f"scan:{scan}", "messages": said(LESIONS)}
    assert refusal(own.client.post("/v1/chat/completions", json=body), 503, "model_away") == "The model is away."
    *_, error, done = streamed(own, scan)
    assert (json.loads(error)["error"]["code"], done) == ("model_away", "[DONE]")


@pytest.mark.slow
def test_a_closed_scan_is_opened(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder, memory_bytes=1) as server:
        first = server.open(phase="native")["id"]
        server.open(phase="portal")
        assert server.get(f"/api/scans/{first}")["state"] == "closed"
        assert complete(server, first, said(LESIONS))["choices"][0]["message"]["content"]


@pytest.fixture
def address(tmp_path: Path, case_folder: Path) -> Iterator[str]:
    """A server behind a real socket, which demands its token, with the scan open."""
    parts = parts_of(tmp_path, config_of(tmp_path, case_folder, token=TOKEN))
    with listening(build_app(parts)) as made:
        yield made
    close_parts(parts)


@pytest.mark.slow
def test_the_client_of_that_api(address: str) -> None:
    openai = pytest.importorskip("openai")
    httpx = pytest.importorskip("httpx")
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=address, headers=headers) as plain:
        found = plain.get("/api/sources").json()["sources"]
        source = next(one for one in found if one["kind"] == "nifti")
        body = {"source": source["id"], "labels": [one["id"] for one in source["labels"]]}
        scan = plain.post("/api/scans", json=body).json()["id"]
        until(lambda: plain.get(f"/api/scans/{scan}").json(), lambda one: one["state"] == "ready")
    with openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0) as client:
        (model,) = [one.id for one in client.models.list()]
        made = client.chat.completions.create(model=model, messages=said(LESIONS))
        assert made.choices[0].message.content.startswith("The number of liver lesions is 2.")
        stream = client.chat.completions.create(model=model, messages=said(SPLEEN, "And of the liver?"), stream=True)
        text = "".join(one.choices[0].delta.content or "" for one in stream)
        assert text.startswith("The volume of the liver")
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="gpt-4", messages=said(LESIONS))
    other = openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0)
    with other as client, pytest.raises(openai.PermissionDeniedError):
        client.models.list()


def test_the_socket_itself(address: str) -> None:
    """Requests that no client library would send."""
    port = int(address.rpartition(":")[2])
    head = b"Host: 127.0.0.1\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
    for request, status in (
        (b"GET /api/scans HTTP/1.1\r\n" + head + b"Host: evil.example\r\n\r\n", {b"400"}),
        (b"POST /api/scans HTTP/1.1\r\n" + head + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", {b"400", b"413"}),
        (b"POST /api/scans HTTP/1.1\r\n" + head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345", {b"400"}),
        (b"POST /api/scans HTTP/1.1\r\n" + head + TWO_LENGTHS, {b"400", b"422"}),
        (b"GET /../../etc/passwd HTTP/1.1\r\n" + head + b"\r\n", {b"404"}),
        (b"GET /static/../../../../etc/passwd HTTP/1.1\r\n" + head + b"\r\n", {b"404"}),
        (b"GET http://evil.example/api/scans HTTP/1.1\r\n" + head + b"\r\n", {b"200", b"400", b"404"}),
        (b"GET /api/scans HTTP/1.1\r\n\r\n", {b"400"}),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + head + b"\r\n", {b"400", b"404"}),
        (b"nonsense\r\n\r\n", {b"400"}),
    ):  # fmt: skip
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            link.sendall(request)
            answer = link.recv(4096)
        assert answer.split(b" ")[1] in status, (request[:80], answer[:200])
        assert b"root:" not in answer


def test_an_upload_that_is_cut_off_leaves_nothing(address: str, tmp_path: Path) -> None:
    port = int(address.rpartition(":")[2])
    folder = tmp_path / "state" / "uploads"
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        head = f"POST /api/uploads?name=a.nii HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        link.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + b"\x5c\x01\0\0" * 100)
        until(lambda: list(folder.glob("*/.*.part")), bool)
    until(lambda: list(folder.iterdir()), lambda left: not left)
