"""``tumortrace review``: the same words as in the browser, on a run that `ask` made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from agent.commands.ask import register as register_ask
from agent.commands.review import register
from agent.errors import UsageError
from agent.trace import verify
from tests.agent.loop_make import write_case


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    program = typer.Typer()
    register(program)
    register_ask(program)
    return program


@pytest.fixture
def asked(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("TUMORTRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUMORTRACE_CACHE", str(tmp_path / "cache"))
    scan, labels = write_case(tmp_path / "case")
    words = [str(scan), "--labels", str(labels)]
    question = "What is the volume of the liver?"
    made = CliRunner().invoke(app, ["ask", words[0], question, *words[1:], "--out", str(tmp_path / "run"), "--json"])
    assert made.exit_code == 0, made.output
    return words


def reviewed(app: typer.Typer, asked: list[str], run: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["review", str(run), *asked, "--reviewer", "Dr. Roe", *words])


@pytest.mark.slow
def test_an_override_is_printed_beside_the_answer(app: typer.Typer, asked: list[str], tmp_path: Path) -> None:
    words = ["--override", "It is 700 cm³.", "--about", "answer-1", "--reason", "the dome is cut off"]
    result = reviewed(app, asked, tmp_path / "run", *words)
    assert result.exit_code == 0, result.output
    assert "Overridden by Dr. Roe: It is 700 cm³. (the dome is cut off)" in result.output
    assert "768.3" in result.output
    result = reviewed(app, asked, tmp_path / "run", "--approve", "--json")
    data = json.loads(result.stdout)
    assert [one["kind"] for one in data["reviews"]] == ["override", "approve"]
    assert verify(tmp_path / "run" / "trace.jsonl").ok


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give --approve or --override TEXT"),
        (["--approve", "--override", "No."], "give --approve or --override TEXT"),
        (["--override", "No."], "needs a reason"),
        (["--approve", "--about", "answer-2"], "There is no claim 'answer-2'"),
    ],
)
def test_what_cannot_be_taken_is_told(
    app: typer.Typer, asked: list[str], tmp_path: Path, words: list[str], told: str
) -> None:
    result = reviewed(app, asked, tmp_path / "run", *words)
    assert isinstance(result.exception, UsageError) and told in str(result.exception)
