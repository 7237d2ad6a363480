"""The real server of the tests, and how the processes of a test run share it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.serving.plain_http import get

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("TUMORTRACE_SERVING") or ROOT / ".serving")
SCRIPT = ROOT / "scripts" / "vllm_cpu.py"


@dataclass(frozen=True)
class Server:
    """A server of the tests.

    Attributes:
        url: its API, ending in /v1.
        model: name of the model that it serves.
        ours: whether it runs on this machine and may be ended.
    """

    url: str
    model: str
    ours: bool

    @property
    def metrics(self) -> str:
        """What it tells about itself."""
        return get(self.url.removesuffix("/v1") + "/metrics")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.removesuffix("/v1").rpartition(":")[2])


def serving(*words: str) -> str:
    """Run the script; its last line, or a failure that says what it said."""
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        pytest.fail(f"{SCRIPT.name} {' '.join(words)}: {done.stderr or done.stdout}", pytrace=False)
    return done.stdout.strip()


def model_of(url: str) -> str:
    """The first model that a server names."""
    return str(json.loads(get(f"{url}/models"))["data"][0]["id"])


@contextmanager
def shared_server() -> Iterator[str]:
    """The URL of the server on this machine; a server that ran before goes on, ours ends with its last user."""
    HOME.mkdir(parents=True, exist_ok=True)
    mark = HOME / "started-by-tests"
    with (HOME / "users.lock").open("a") as users:
        with turn(fcntl.LOCK_EX):  # one process at a time looks and starts
            fcntl.flock(users, fcntl.LOCK_SH)
            if running() is None:
                mark.touch()
            url = serving("start")
        try:
            yield url
        finally:
            if mark.exists() and alone(users):
                serving("stop")
                mark.unlink(missing_ok=True)


def running() -> str | None:
    """The URL of the server on this machine, if it runs."""
    done = subprocess.run([sys.executable, SCRIPT, "status"], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else None


def alone(users: IO[str]) -> bool:
    """Whether no other process of the run uses the server; a process that died holds no lock."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def turn(how: int) -> Iterator[None]:
    """Hold the lock that says who may use the server."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "turn.lock").open("a") as handle:
        fcntl.flock(handle, how)
        yield
