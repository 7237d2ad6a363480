"""`tumortrace serve`: what cannot be served is one sentence, and what can answers where it says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.commands.serve import _listen
from agent.errors import UsageError
from agent.web.config import ServeConfig, check_token, is_loopback
from tests.scan_make import refused, write_nifti

Serve = Callable[..., int]
LONG = "a-token-that-is-long-enough"


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Runs the command in this process until it ends, which it does before it would listen."""
    from agent.cli import main

    monkeypatch.setenv("TUMORTRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUMORTRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TUMORTRACE_TOKEN", raising=False)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["tumortrace", "serve", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code))

    return run


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that was told."""
    told = capsys.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err
    assert told.err.startswith("Error: ")
    return " ".join(told.err.split())


def test_a_port_in_use(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve("--port", str(port)) == 2
    told = sentence(capsys)
    assert str(port) in told
    assert "--port" in told


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "some.host.example", ""])  # noqa: S104 - refused
def test_beyond_this_machine_without_a_token(serve: Serve, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("--host", host, "--port", "0") == 2
    assert "TUMORTRACE_TOKEN" in sentence(capsys)


@pytest.mark.parametrize(
    "token", ["short", "x" * 15, "x" * 513, "ü" * 20, "tab\tin the middle of it", "line\nin the middle of it"]
)
def test_tokens_that_are_none(
    serve: Serve, tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUMORTRACE_TOKEN", token)
    assert serve("--port", "0") == 2
    assert token not in sentence(capsys)
    monkeypatch.delenv("TUMORTRACE_TOKEN")
    (tmp_path / "token").write_text(token)
    assert serve("--port", "0", "--token-file", str(tmp_path / "token")) == 2
    assert token not in sentence(capsys)


def test_files_that_are_missing(serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(str(tmp_path / "none")) == 2
    assert "none" in sentence(capsys)
    assert serve("--token-file", str(tmp_path / "none")) == 2
    assert "token file" in sentence(capsys)
    assert serve("--token-file", str(tmp_path)) == 2
    assert "token file" in sentence(capsys)
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    assert serve("--token-file", str(tmp_path / "binary")) == 2
    assert "token file" in sentence(capsys)


@pytest.mark.parametrize("name", ["a" * 5000, "~nobody-of-that-name/scans", "loop"])
def test_paths_that_cannot_be_used(serve: Serve, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    path = name if name.startswith("~") else str(tmp_path / name)
    assert serve(path, "--port", "0") == 2
    assert "folder" in sentence(capsys)
    assert serve("--token-file", path) == 2
    assert "token file" in sentence(capsys)


def test_records_that_are_none(serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home" / "server").mkdir(parents=True)
    (tmp_path / "home" / "server" / "server.sqlite").write_bytes(b"no database at all, but text" * 50)
    assert serve("--port", "0") == 2
    assert "server.sqlite" in sentence(capsys)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "..", "a" * 70 + ".example"])
def test_addresses_that_cannot_be_listened_on(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError) as error:
        _listen(ServeConfig(state=tmp_path, host=host, port=0))
    assert host[:20] in str(error.value)
    assert "--host" in str(error.value)


@pytest.mark.parametrize(
    ("host", "mine"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.1.2.3", True),
        ("0.0.0.0", False),  # noqa: S104 - refused
        ("::", False), ("localhost.example", False), ("127.0.0.1.example", False), ("", False), ("10.0.0.1", False),
        ("127.1", False), ("0x7f000001", False),
    ],
)  # fmt: skip
def test_loopback(host: str, mine: bool) -> None:
    assert is_loopback(host) is mine
    if mine:
        assert check_token(None, host) is None
        assert check_token("", host) is None
    else:
        with pytest.raises(UsageError) as error:
            check_token(None, host)
        refused(error.value)
    assert check_token(LONG, host) == LONG


@pytest.mark.slow
def test_the_command_answers_where_it_says(tmp_path: Path) -> None:
    import numpy as np

    write_nifti(tmp_path / "ct.nii", np.zeros((4, 4, 4), np.int16))
    environment = {**os.environ, "TUMORTRACE_HOME": str(tmp_path / "home"), "TUMORTRACE_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "agent.cli", "serve", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            told = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())
            assert told is not None
            for path in ("", "api/status", "api/sources", "static/js/main.js"):
                with urllib.request.urlopen(told[0] + path, timeout=30) as answer:  # noqa: S310 - our own server
                    assert answer.status == 200
                    assert "server" not in answer.headers
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read() if process.stderr is not None else ""
    assert "Traceback" not in rest
    assert (tmp_path / "home" / "server" / "server.sqlite").is_file()
