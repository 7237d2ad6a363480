"""A server on a small synthetic scan, and what a client does with it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2 as httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.report_model import Report
from agent.settings import Settings
from agent.state import RunState
from agent.web.app import build_app, build_parts
from agent.web.config import ServeConfig
from agent.web.routes.deps import Parts
from tests.agent.loop_make import AFFINE, VALUES, arrays
from tests.label_make import save

HERE = "http://127.0.0.1"
TOKEN = "a-token-that-is-long-enough"  # noqa: S105 - of this test's server
NAMES = {value: name for name, value in VALUES.items()}
_PATIENCE = 60.0
Json = dict[str, Any]
T = TypeVar("T")


def write_case(folder: Path) -> Path:
    """`ct.nii.gz` with a liver, kidneys and two liver lesions, and `labels.nii.gz` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    values, labels = arrays()
    save(folder / "ct.nii.gz", values, AFFINE)
    save(folder / "labels.nii.gz", labels, AFFINE, NAMES)
    return folder


@dataclass
class Server:
    """A server in this process, with the folders it works in."""

    parts: Parts
    app: FastAPI
    client: TestClient
    root: Path

    def get(self, path: str, **more: Any) -> Any:
        """The JSON of an answer that has to be good."""
        return good(self.client.get(path, **more))

    def post(self, path: str, data: object = None, **more: Any) -> Any:
        """The JSON of an answer that has to be good."""
        return good(self.client.post(path, json=data, **more))

    def source(self, name: str) -> Json:
        """A source by its name."""
        found: Json = next(one for one in self.get("/api/sources")["sources"] if one["name"] == name)
        return found

    def open(self, name: str = "ct.nii.gz", *, labelled: bool = True, **declared: object) -> Json:
        """A scan, opened and settled."""
        source = self.source(name)
        labels = [one["id"] for one in source["labels"]] if labelled else []
        scan = self.post("/api/scans", {"source": source["id"], "labels": labels, **declared})
        return self.settled(scan["id"])

    def settled(self, scan: str) -> Json:
        """A scan that is opened no longer."""
        return until(lambda: self.get(f"/api/scans/{scan}"), lambda one: one["state"] != "opening")

    def ask(self, scan: str, question: str | None, **more: object) -> Json:
        """A question's run when it has ended."""
        return self.ended(self.post("/api/runs", {"scan": scan, "question": question, **more})["id"])

    def ended(self, run: str) -> Json:
        """A run that is at work no longer."""
        return until(lambda: self.get(f"/api/runs/{run}"), lambda one: one["state"] not in {"queued", "running"})

    def run_folder(self, run: str) -> Path:
        """Where a run's files lie."""
        return self.parts.engine.settings.home / "runs" / run

    def events(self, run: str, **headers: str) -> list[Json]:
        """All events of a run: id, event and data."""
        answer = self.client.get(f"/api/runs/{run}/events", headers=headers)
        assert answer.status_code == 200, answer.text
        return list(sse(answer.text.splitlines()))


class Gate:
    """Holds every run at its beginning until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.waiting = threading.Semaphore(0)
        original = Engine.ask

        def ask(engine: Engine, *args: Any, **more: Any) -> tuple[Report, RunState]:
            self.waiting.release()
            assert self.opened.wait(60)
            return original(engine, *args, **more)

        monkeypatch.setattr(Engine, "ask", ask)

    def begun(self) -> None:
        """Wait until one more run has begun."""
        assert self.waiting.acquire(timeout=60)


def good(answer: httpx.Response) -> Any:
    """The JSON of an answer, checked to be good."""
    assert answer.is_success, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


def until(look: Callable[[], T], done: Callable[[T], bool]) -> T:
    """What is seen once it is done."""
    end = time.monotonic() + _PATIENCE
    while not done(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def sse(lines: Iterator[str] | list[str]) -> Iterator[Json]:
    """Server-sent events of a stream (WHATWG HTML, 9.2)."""
    event: Json = {}
    for line in lines:
        name, _, value = line.partition(":")
        if not line and "data" in event:
            yield {**event, "data": json.loads(event["data"])}
        if not line:
            event = {}
        elif name:
            event[name] = value.removeprefix(" ")


def refusal(answer: httpx.Response, status: int, code: str | None = None) -> str:
    """The sentence of an error, checked for its form."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert set(told) == {"error"}
    error = told["error"]
    assert set(error) <= {"code", "message", "series"}
    assert code is None or error["code"] == code, error
    message = error["message"]
    assert isinstance(message, str)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def config_of(folder: Path, *roots: Path, token: str | None = None, **more: Any) -> ServeConfig:
    """A server's configuration with its records in a folder."""
    secret = SecretStr(token) if token is not None else None
    return ServeConfig(state=folder / "state", roots=roots, token=secret, **more)


def parts_of(folder: Path, config: ServeConfig, engine: Engine | None = None) -> Parts:
    """Parts with the embedded model, everything below one folder."""
    settings = Settings(home=folder / "home", cache=folder / "cache")
    return build_parts(config, engine or Engine(settings, EmbeddedReasoner()))


@contextmanager
def serving(
    folder: Path, *roots: Path, token: str | None = None, engine: Engine | None = None, **more: Any
) -> Iterator[Server]:
    """A server while the block runs."""
    parts = parts_of(folder, config_of(folder, *roots, token=token, **more), engine)
    app = build_app(parts)
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield Server(parts, app, client, roots[0] if roots else folder)


@contextmanager
def listening(app: FastAPI, **more: Any) -> Iterator[str]:
    """The address of an application behind a real socket; its parts stay open. `more` is for uvicorn."""
    place = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", lifespan="off", **more)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        until(lambda: server.started, bool)
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        place.close()
