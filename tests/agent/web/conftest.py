"""Servers that several modules look at; what changes one makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.web.web_make import Gate, Json, Server, serving, write_case


@pytest.fixture(scope="session")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan with its labels; nothing writes there."""
    return write_case(tmp_path_factory.mktemp("scans") / "scans")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, case_folder: Path) -> Iterator[Server]:
    """A server that many tests ask; none closes its scans."""
    with serving(tmp_path_factory.mktemp("served"), case_folder) as server:
        yield server


@pytest.fixture(scope="session")
def scan(served: Server) -> Json:
    """The scan, open."""
    opened = served.open()
    assert opened["state"] == "ready", opened
    return opened


@pytest.fixture(scope="session")
def run(served: Server, scan: Json) -> Json:
    """A finished question about the longest axis of a lesion."""
    ended = served.ask(scan["id"], "What is the longest axis of the largest liver lesion?")
    assert ended["state"] == "done", ended
    return ended


@pytest.fixture
def own(tmp_path: Path, case_folder: Path) -> Iterator[Server]:
    """A server of one test."""
    with serving(tmp_path, case_folder) as server:
        yield server


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Runs wait at their beginning until it is opened."""
    made = Gate(monkeypatch)
    yield made
    made.opened.set()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder of a server."""
    made = tmp_path / "root"
    made.mkdir()
    return made
