from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import build_app
from agent.commands.chat import in_order
from agent.errors import ModelUnavailable
from agent.models.embedded import EmbeddedReasoner
from agent.models.protocol import ReasoningModel
from agent.models.usage import Usage
from evals.serving.replies import Reply
from evals.serving.scripted_server import ScriptedServer
from tests.agent.loop_make import write_case


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": tmp_path, "CACHE": tmp_path, "MODEL_RETRIES": 0, "MODEL_WAIT_S": 0.1}.items():
        monkeypatch.setenv(f"TUMORTRACE_{name}", str(value))


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_run_whose_server_fails_ends_with_the_way_to_resume_it(tmp_path: Path) -> None:
    scan, labels = write_case(tmp_path)
    with ScriptedServer(Reply(status=500)) as server:
        arguments = ["ask", str(scan), "How large is the liver?", "--labels", str(labels), "--model", server.url]
        made = CliRunner().invoke(build_app("ask"), [*arguments, "--json"])
        assert server.requests
        assert isinstance(made.exception, ModelUnavailable)
        said = str(made.exception)
        assert made.exception.exit_code == 2
        assert said.endswith(".")
        assert "HTTP 500" in said
        run = said.rpartition("--resume ")[2].rstrip(".")
        assert (tmp_path / "runs" / run).is_dir()


class Says(EmbeddedReasoner):
    """Chooses sentences."""

    def __init__(self, numbers: list[int] | None) -> None:
        self.numbers = numbers

    def begin(self, spent: Usage) -> ReasoningModel:
        return self

    def reply(self, sentences: object, question: str) -> list[int]:
        if self.numbers is None:
            raise ModelUnavailable("The model server is away.")
        return self.numbers


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([2, 0], ["c", "a"]),
        ([0, 1, 2], ["a", "b", "c"]),
        ([], ["a", "b", "c"]),
        ([0, 0], ["a", "b", "c"]),
        ([3], ["a", "b", "c"]),
        ([-1], ["a", "b", "c"]),
        (None, ["a", "b", "c"]),
    ],
)
def test_a_chat_says_sentences_of_the_report_and_nothing_else(numbers: list[int] | None, said: list[str]) -> None:
    assert in_order(Says(numbers), ["a", "b", "c"], "and then?") == said
    assert in_order(Says(numbers), ["a"], "and then?") == ["a"]
