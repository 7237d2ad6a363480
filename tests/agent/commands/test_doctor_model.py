from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import build_app
from agent.commands.doctor_model import MEASURED_TOKENS, PARALLEL, examine
from agent.models.endpoint import Endpoint
from evals.serving.replies import Reply
from evals.serving.scripted_server import ScriptedServer

STORY = "Once upon a time there was a sailor who went far. " * 8
FITTING = Reply.of({"colour": "red", "count": 2, "words": ["one"]})


def able(request: dict[str, Any]) -> Reply:
    """A server that can do everything."""
    if "tools" in request:
        return Reply.of({"organ": "liver"}).but(tool="measure")
    if "response_format" in request:
        return FITTING
    return Reply.of(STORY[: 4 * (request["max_tokens"] - 1)]).but(delay=0.05)


def bare(request: dict[str, Any]) -> Reply:
    """A server that can only talk."""
    if "tools" in request:
        return Reply(status=400)
    return Reply.of(STORY).but(usage=None, at_most=1)


def states(server: ScriptedServer, **settings: Any) -> dict[str, tuple[str, str]]:
    endpoint = Endpoint(url=server.url, timeout_s=5, connect_s=1, wait_s=0.2, retries=0, **settings)
    return {check.name: (check.state, check.found) for check in examine(endpoint)}


def test_a_server_that_can_do_everything() -> None:
    with ScriptedServer(able, context=8192) as server:
        found = states(server, max_tokens=64)
    assert {name for name, (state, _) in found.items() if state != "ok"} <= {"throughput"}, found
    assert "tokens/s" in found["throughput"][1]  # how fast is a matter of the machine
    assert found["context"][1] == "8192 tokens"
    assert "first token after" in found["latency"][1]
    assert PARALLEL / 2 < server.most <= PARALLEL
    assert all(request["max_tokens"] <= MEASURED_TOKENS for request in server.requests)


def test_a_server_that_can_only_talk() -> None:
    with ScriptedServer(bare, sees=False, context=2048) as server:
        found = states(server)
    assert [name for name, (state, _) in found.items() if state == "ok"] == ["server", "latency"]
    assert not [name for name, (state, _) in found.items() if state == "problem"]
    assert "malformed" in found["JSON schema"][1]


@pytest.mark.parametrize("fault", [Reply(status=500), Reply(texts=("x",), endless=True), Reply(body=b"<html>")])
def test_a_broken_server_ends_in_findings(fault: Reply) -> None:
    with ScriptedServer(fault) as server:
        endpoint = Endpoint(url=server.url, timeout_s=0.5, wait_s=0.2, retries=0)
        found = examine(endpoint)
    assert found[0].state == "ok"
    assert {check.state for check in found[1:]} & {"missing", "problem"}


# -- the command --------------------------------------------------------------------------------------------------


def doctor(*arguments: str) -> tuple[int, str]:
    made = CliRunner().invoke(build_app("doctor"), ["doctor", *arguments])
    assert made.exception is None or isinstance(made.exception, SystemExit), made.exception
    return made.exit_code, made.output


def test_the_table_says_a_sentence_for_what_is_missing() -> None:
    with ScriptedServer(bare, sees=False) as server:
        code, text = doctor("--model", f"{server.url}#scripted")
    assert code == 0
    for words in ("JSON schema", "missing", "prefix cache", "images: needed for"):
        assert words in text


def test_json_is_all_that_is_printed() -> None:
    with ScriptedServer(able) as server:
        code, text = doctor("--model", server.url, "--json")
    rows = json.loads(text)
    assert code == 0
    assert [row["name"] for row in rows][:2] == ["server", "latency"]
    assert {"name", "state", "found", "enables", "how"} == set(rows[0])


def test_a_server_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMORTRACE_MODEL_WAIT_S", "0.1")
    server = ScriptedServer(able)
    server.start()
    server.stop()
    code, text = doctor("--model", server.url)
    assert code == 1
    assert "cannot be reached" in " ".join(text.split())
