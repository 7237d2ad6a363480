from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from pydantic import JsonValue
from typer.testing import CliRunner

from agent.commands.trace import register
from agent.errors import UsageError
from agent.files import atomic_write
from agent.runs import RunFolder, Runs
from agent.trace import TraceWriter

EVIDENCE: dict[str, JsonValue] = {
    "quantity": "volume",
    "target": "spleen",
    "value": 314.2,
    "unit": "cm3",
    "state": "measured",
}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("TUMORTRACE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TUMORTRACE_TRACE_KEY", raising=False)
    program = typer.Typer()
    register(program)
    return program


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write(tmp_path)


def write(folder: Path, key: bytes | None = None, end: bool = True) -> RunFolder:
    made = Runs(folder / "home").create()
    digest = atomic_write(made.report_json, "{}")
    with TraceWriter.open(made.trace, made.id, key=key) as trace:
        start: dict[str, JsonValue] = {
            "run_id": made.id,
            "question": "[red]Is\x1b[31m the spleen large?",
            "version": "1",
        }
        trace.append("run.start", {**start, "inputs": {"scan": "ab" * 32}})
        trace.append("round", {"round": 1})
        trace.append("plan", {"round": 1, "tasks": [{"tool": "measure", "target": "spleen"}]})
        trace.append("tool.start", {"call": "c", "tool": "measure", "target": "spleen"})
        trace.append(
            "tool.end",
            {"call": "c", "tool": "measure", "target": "spleen", "seconds": 0.5, "evidence": [EVIDENCE]},
        )
        verdict: dict[str, JsonValue] = {"round": 1, "gate": "grounding", "outcome": "fail", "reason": "314 is not 341"}
        trace.append("verdict", verdict)
        if end:
            trace.finish("consistent", {"report.json": digest})
    return made


def test_show_is_a_plain_timeline(app: typer.Typer, run: RunFolder) -> None:
    result = CliRunner().invoke(app, ["trace", "show", run.id])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == 7
    assert "\x1b" not in result.output
    assert "[red]Is" in lines[0]
    assert "measure spleen: volume of spleen = 314.2 cm3 in 0.500 s" in lines[4]
    assert "r1 tool.end" in lines[4]
    assert "grounding: fail – 314 is not 341" in lines[5]
    assert "consistent after 7 events; report.json" in lines[6]


def test_show_by_kind_and_as_json(app: typer.Typer, run: RunFolder) -> None:
    result = CliRunner().invoke(app, ["trace", "show", str(run.folder), "--kind", "tool"])
    assert [line.split()[3] for line in result.output.splitlines()] == ["tool.start", "tool.end"]
    result = CliRunner().invoke(app, ["trace", "show", run.id, "--json", "--kind", "verdict"])
    data = json.loads(result.output)
    assert data["run_id"] == run.id
    assert [event["kind"] for event in data["events"]] == ["verdict"]
    failed = CliRunner().invoke(app, ["trace", "show", run.id, "--kind", "tools"])
    assert isinstance(failed.exception, UsageError)


def test_show_survives_lines_that_are_no_events(app: typer.Typer, run: RunFolder) -> None:
    run.trace.write_bytes(run.trace.read_bytes() + b"rubbish\n")
    result = CliRunner().invoke(app, ["trace", "show", run.id])
    assert result.exit_code == 0
    assert "line 8: the line is not an event" in result.output


def test_verify_says_ok(app: typer.Typer, run: RunFolder) -> None:
    result = CliRunner().invoke(app, ["trace", "verify", run.id])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"OK: run {run.id}, 7 events and 1 files match")


def test_verify_names_what_is_wrong(app: typer.Typer, run: RunFolder) -> None:
    run.trace.write_bytes(run.trace.read_bytes().replace(b"314.2", b"341.2"))
    run.report_json.write_text("{ }")
    result = CliRunner().invoke(app, ["trace", "verify", run.id])
    assert result.exit_code == 1
    assert "line 5, event 4 (tool.end): it does not match its hash" in result.output
    assert "line 7, event 6 (run.end): the artifact 'report.json' is not the file" in result.output
    assert "FAILED" in result.output


def test_verify_tells_incomplete_from_broken(app: typer.Typer, tmp_path: Path) -> None:
    made = write(tmp_path, end=False)
    result = CliRunner().invoke(app, ["trace", "verify", made.id])
    assert result.exit_code == 1
    assert "INCOMPLETE" in result.output
    assert "FAILED" not in result.output


def test_verify_with_a_key(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = write(tmp_path, key=b"secret")
    assert CliRunner().invoke(app, ["trace", "verify", made.id]).exit_code == 1
    monkeypatch.setenv("TUMORTRACE_TRACE_KEY", "secret")
    result = CliRunner().invoke(app, ["trace", "verify", made.id])
    assert result.exit_code == 0
    assert "keyed" in result.output


def test_an_unknown_run_is_a_usage_error(app: typer.Typer) -> None:
    assert isinstance(CliRunner().invoke(app, ["trace", "verify", "nope"]).exception, UsageError)


def test_list_names_runs_and_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMORTRACE_HOME", str(tmp_path))
    runs = Runs(tmp_path)
    first, second = runs.create(), runs.create(tmp_path / "elsewhere")
    runs.set_status(first.id, "consistent")
    app = typer.Typer()
    register(app)
    shown = CliRunner().invoke(app, ["trace", "list"])
    assert shown.exit_code == 0
    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "consistent" in lines[first.id]
    assert "running" in lines[second.id]
    assert str(second.folder) in lines[second.id]
