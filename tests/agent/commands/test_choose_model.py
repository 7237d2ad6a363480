from __future__ import annotations

import subprocess
import sys

import pytest

from agent.commands.options import choose_model
from agent.errors import UsageError
from agent.models.embedded import EmbeddedReasoner
from evals.serving.replies import Reply
from evals.serving.scripted_server import ScriptedServer


def test_the_embedded_model_and_a_served_one() -> None:
    assert isinstance(choose_model("embedded"), EmbeddedReasoner)
    with ScriptedServer(Reply(), names=("other",)) as server:
        model = choose_model(f"{server.url}#other")
        assert model.name == "vllm:other"
        assert not model.deterministic
        with pytest.raises(UsageError, match="several models"):
            choose_model(server.url)


@pytest.mark.parametrize("name", ["", "gpt", "Embedded", "127.0.0.1:8000/v1", "http://", "http://host"])
def test_anything_else_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        choose_model(name)
    assert str(refused.value).endswith(".")


@pytest.mark.slow
def test_who_uses_the_embedded_model_does_not_load_the_libraries_of_servers() -> None:
    code = (
        "import sys; from agent.commands.options import choose_model; choose_model('embedded'); "
        "import agent.commands.ask, agent.commands.doctor, agent.cohort; "
        "sys.exit(any(name in sys.modules for name in ('openai', 'langchain_openai')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
