"""The server dies in the middle of a run and comes back: no run is lost, and the end is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent.report_model import Report
from agent.trace import read_events, verify
from agent.trace_schema import Event, Kind
from evals.phantom_io import PhantomFiles
from tests.serving.real_server import HOME, Server, serving
from tests.serving.served_runs import BAD_INPUT, begun, command, compared, environment, finished, small_phantom

pytestmark = [pytest.mark.serving, pytest.mark.ends_server]

QUESTION = "What is the volume of the liver, and is the spleen enlarged?"
STEADY = {"TUMORTRACE_MODEL_TEMPERATURE": "0", "TUMORTRACE_MODEL_SAMPLES": "1"}
"""Greedy answers, so that two runs can be compared."""


def events(folder: Path) -> list[Event]:
    trace = folder / "trace.jsonl"
    return [event for event in read_events(trace) if isinstance(event, Event)] if trace.exists() else []


def calls(folder: Path) -> int:
    return sum(event.kind == Kind.MODEL_CALL for event in events(folder))


def concluded(folder: Path) -> bool:
    """Whether the model has given a conclusion, so that the run stands between its first and its last."""
    return any(event.data.get("purpose") == "conclude" for event in events(folder) if event.kind == Kind.MODEL_CALL)


def whole(server: Server, files: PhantomFiles, folder: Path) -> Report:
    """The report of a run that nothing disturbs."""
    ran = finished(begun(command(files, QUESTION, server, "--out", str(folder / "run")), environment(folder, **STEADY)))
    assert ran.report is not None, ran.error
    return ran.report


def kill_server() -> None:
    """As a machine that loses power does."""
    os.killpg(json.loads((HOME / "server.json").read_text())["pid"], signal.SIGKILL)


def test_a_server_killed_in_mid_run_costs_nothing_but_time(server: Server, tmp_path: Path) -> None:
    if not server.ours:
        pytest.skip("the server that TUMORTRACE_VLLM_URL names isn't ours to kill")
    files = small_phantom(tmp_path / "phantom", 7, 30.0)
    expected = compared(whole(server, files, tmp_path / "whole"))
    # One gives up after seconds and is resumed, the other waits until the server is back.
    runs: dict[str, subprocess.Popen[str]] = {}
    for name, wait in (("hasty", "2"), ("patient", "900")):
        folder = tmp_path / name
        words = command(files, QUESTION, server, "--out", str(folder / "run"))
        runs[name] = begun(words, environment(folder, TUMORTRACE_MODEL_WAIT_S=wait, **STEADY))
    until = time.monotonic() + 300
    folders = [tmp_path / name / "run" for name in runs]
    while time.monotonic() < until and not (all(map(calls, folders)) and any(map(concluded, folders))):
        time.sleep(0.02)
    kill_server()
    hasty = finished(runs["hasty"])
    assert hasty.code == BAD_INPUT, hasty.error
    assert "resume" in hasty.error
    assert runs["patient"].poll() is None
    assert serving("start", "--port", str(server.port)) == server.url

    again = command(files, QUESTION, server, "--resume", str(tmp_path / "hasty" / "run"))
    resumed = finished(begun(again, environment(tmp_path / "hasty", **STEADY)))
    waited = finished(runs["patient"], timeout=900)
    for name, ran in (("hasty", resumed), ("patient", waited)):
        assert ran.report is not None, ran.error
        assert compared(ran.report) == expected, name
        seen = events(tmp_path / name / "run")
        assert verify(tmp_path / name / "run" / "trace.jsonl").ok
        finished_calls = [event.data["call"] for event in seen if event.kind == Kind.TOOL_END]
        assert len(finished_calls) == len(set(finished_calls)), name
    assert sum(event.kind == Kind.RUN_RESUME for event in events(tmp_path / "hasty" / "run")) == 1
    assert sum(event.kind == Kind.RUN_RESUME for event in events(tmp_path / "patient" / "run")) == 0
