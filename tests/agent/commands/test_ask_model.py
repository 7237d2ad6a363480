from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import build_app
from agent.errors import ModelUnavailable
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
