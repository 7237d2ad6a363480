from __future__ import annotations

import gc
import json
import logging
import pickle
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from agent.errors import ModelUnavailable, UsageError
from agent.models.client import Client, Prompt
from agent.models.endpoint import Endpoint
from agent.models.usage import Ledger, Usage
from evals.serving.replies import Reply, always, images_of, last_user_text, system_text
from evals.serving.scripted_server import ScriptedServer
from tests.agent.models.client_make import NO, PROMPT, SCHEMA, YES, client_of

PNG = b"\x89PNG\r\n\x1a\n not really"


def test_samples_come_back_in_order_and_the_request_is_what_was_meant() -> None:
    reply = Reply.of({"answer": "yes"}, {"answer": "no"}, "prose")
    with ScriptedServer(reply) as server, client_of(server, seed=5, max_tokens=99, extra={"top_k": 3}) as client:
        made = client.ask(PROMPT, SCHEMA, Ledger(), samples=3, temperature=0.7)
    assert [(one.data, one.problem) for one in made] == [
        ({"answer": "yes"}, None), ({"answer": "no"}, None), (None, "malformed"),
    ]  # fmt: skip
    (request,) = server.requests
    assert (system_text(request), last_user_text(request)) == (PROMPT.system, PROMPT.user)
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert (request["model"], request["n"], request["temperature"], request["seed"]) == ("scripted", 3, 0.7, 5)
    assert (request["max_tokens"], request["top_k"]) == (99, 3)
    assert "max_completion_tokens" not in request
    assert request["response_format"] == {
        "type": "json_schema", "json_schema": {"name": "conclude", "schema": SCHEMA, "strict": True},
    }  # fmt: skip


def test_each_sample_keeps_its_own_end() -> None:
    """The library gives all choices the finish reason of the last one."""
    body = {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": '{"answer": "yes"}'}, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": '{"answer": "no"}'}, "finish_reason": "stop"},
            {"index": 2, "message": {"role": "assistant", "refusal": "No."}, "finish_reason": "stop"},
        ],
        "object": "chat.completion", "id": "1", "created": 0, "model": "scripted",
    }  # fmt: skip
    with ScriptedServer(Reply(body=json.dumps(body).encode())) as server, client_of(server) as client:
        made = client.ask(PROMPT, SCHEMA, Ledger(), samples=3)
    assert [one.problem for one in made] == ["length", None, "refusal"]


def test_a_call_is_counted_with_its_tokens_time_and_cost() -> None:
    usage = {
        "prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 900},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }  # fmt: skip
    reply = YES.but(usage=usage, reasoning="because")
    with ScriptedServer(reply) as server, client_of(server, price_in=2, price_out=10) as client:
        ledger = Ledger(Usage(calls=1, prompt_tokens=1))
        client.ask(PROMPT, SCHEMA, ledger, samples=1)
    (call,) = ledger.take()
    assert (call.model, call.purpose, call.template) == ("scripted", "conclude", "conclude@1#abc")
    assert (call.prompt_tokens, call.cached_tokens, call.output_tokens, call.reasoning_tokens) == (1000, 900, 50, 7)
    assert call.cost == pytest.approx(0.0025)
    assert (call.attempts, call.samples, call.problems, call.reasoning) == (1, 1, (), ("because",))
    assert call.result == [{"answer": "yes"}]
    assert 0 < call.seconds < 60
    assert len(call.prompt) == 64
    assert ledger.spent.prompt_tokens == 1001
    assert server.url not in call.model_dump_json()


@pytest.mark.parametrize(
    "usage",
    [None, {"prompt_tokens": -1}, {"prompt_tokens": 10**30}, {"prompt_tokens": None}],
)
def test_a_server_may_say_anything_about_tokens(usage: dict[str, Any] | None) -> None:
    with ScriptedServer(YES.but(usage=usage)) as server, client_of(server, price_in=1.0) as client:
        ledger = Ledger()
        for progress in (None, lambda count: None):
            (made,) = client.ask(PROMPT, SCHEMA, ledger, samples=1, progress=progress)
            assert made.data == {"answer": "yes"}
    assert [call.prompt_tokens for call in ledger.take()] == [None, None]


def test_a_stream_tells_how_far_it_is_and_gives_the_same() -> None:
    told: list[int] = []
    reply = Reply.of({"answer": "yes"}, {"answer": "no"}).but(piece=5, reasoning="hm")
    with ScriptedServer(reply) as server, client_of(server) as client:
        ledger = Ledger()
        made = client.ask(PROMPT, SCHEMA, ledger, samples=2, progress=told.append)
    assert [one.data for one in made] == [{"answer": "yes"}] * 2
    assert [one.reasoning for one in made] == ["hm", "hm"]
    assert told == sorted(told)
    assert told[-1] == 2 * len('{"answer": "yes"}')
    assert {request["seed"] for request in server.requests} == {0, 1}
    assert all(request["stream"] for request in server.requests)
    (call,) = ledger.take()
    assert call.prompt_tokens is not None
    assert (call.samples, call.attempts) == (2, 2)


def test_a_server_that_gives_one_answer_at_a_time_is_asked_again_for_the_others() -> None:
    with ScriptedServer(YES.but(at_most=1)) as server, client_of(server) as client:
        assert [one.problem for one in client.ask(PROMPT, SCHEMA, Ledger(), samples=3)] == [None] * 3
        assert [request.get("n") for request in server.requests] == [3, None, None]
        assert [one.problem for one in client.ask(PROMPT, SCHEMA, Ledger(), samples=2)] == [None] * 2
    assert len(server.requests) == 5
    assert sorted(request["seed"] for request in server.requests) == [0, 0, 1, 1, 2]


def test_a_server_that_refuses_several_answers_is_asked_for_single_ones() -> None:
    def script(request: dict[str, Any]) -> Reply:
        return YES.but(status=400) if request.get("n", 1) > 1 else YES

    with ScriptedServer(script) as server, client_of(server) as client:
        assert len(client.ask(PROMPT, SCHEMA, Ledger(), samples=2)) == 2


def test_a_further_call_of_a_run_has_another_seed_and_a_resumed_run_the_same() -> None:
    with ScriptedServer(YES) as server, client_of(server, seed=1) as client:
        ledger = Ledger()
        client.ask(PROMPT, SCHEMA, ledger, samples=1)
        client.ask(PROMPT, SCHEMA, ledger, samples=1)
        client.ask(PROMPT, SCHEMA, Ledger(Usage(calls=1)), samples=1)
    seeds = [request["seed"] for request in server.requests]
    assert seeds[0] != seeds[1]
    assert seeds[1] == seeds[2]


def test_pictures_come_first_as_data() -> None:
    with ScriptedServer(YES) as server, client_of(server) as client:
        client.ask(PROMPT, SCHEMA, Ledger(), images=[PNG, PNG])
        client.ask(PROMPT, SCHEMA, Ledger())
    parts = server.requests[0]["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]
    assert all(url.startswith("data:image/png;base64,") for url in images_of(server.requests[0]))
    assert images_of(server.requests[1]) == []


@pytest.mark.parametrize(("setting", "sees", "result"), [
    ("auto", True, True), ("auto", False, False), ("on", False, True), ("off", True, False),
])  # fmt: skip
def test_whether_it_sees_is_asked_once(setting: str, sees: bool, result: bool) -> None:
    with ScriptedServer(YES, sees=sees) as server, client_of(server, images=setting) as client:
        assert client.sees() is result
        assert client.sees() is result
    assert len(server.requests) == (1 if setting == "auto" else 0)


# -- names --------------------------------------------------------------------------------------------------------


def test_the_only_model_needs_no_name_and_one_of_several_does() -> None:
    with ScriptedServer(YES, context=4096) as server, client_of(server) as client:
        assert (client.name, client.context_tokens) == ("scripted", 4096)
    with ScriptedServer(YES, names=("other",)) as server:
        with client_of(server) as client, pytest.raises(UsageError, match="other, scripted"):
            client.ask(PROMPT, SCHEMA, Ledger())
        with client_of(server, name="other", context_tokens=512) as client:
            assert client.ask(PROMPT, SCHEMA, Ledger())
            assert (client.name, client.context_tokens) == ("other", 512)
        with client_of(server, name="absent") as client, pytest.raises(ModelUnavailable, match="does not exist"):
            client.ask(PROMPT, SCHEMA, Ledger())


def test_no_model_at_all_is_said() -> None:
    with ScriptedServer(YES) as server, client_of(server) as client:
        server.names = ()
        with pytest.raises(UsageError, match="lists no model"):
            _ = client.name


# -- keys ---------------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(YES, key="hunter2") as server:
        with client_of(server, key="hunter2") as client:
            ledger = Ledger()
            assert client.ask(PROMPT, SCHEMA, ledger)
            assert server.headers[0]["authorization"] == "Bearer hunter2"
            texts = [repr(client), repr(client.endpoint), *(call.model_dump_json() for call in ledger.take())]
        for wrong in ({}, {"key": "wrong-key"}):
            with client_of(server, name="scripted", **wrong) as client:
                with pytest.raises(ModelUnavailable, match="does not accept the key") as refused:
                    client.ask(PROMPT, SCHEMA, Ledger())
                assert refused.value.refused
                texts += [str(refused.value)]
        assert len(server.requests) == 1
    texts += [record.getMessage() for record in caplog.records]
    assert not [text for text in texts if "hunter2" in text or "wrong-key" in text]


def test_a_server_that_repeats_the_key_in_its_error_does_not_get_it_printed() -> None:
    reply = Reply(body=b"", status=400)

    def script(request: dict[str, Any]) -> Reply:
        return reply

    with ScriptedServer(script, name="hunter2") as server, client_of(server, key="hunter2", name="x") as client:
        server.key = "hunter2"
        with pytest.raises(ModelUnavailable) as refused:
            client.ask(Prompt("conclude", "", "", ""), SCHEMA, Ledger())
    assert "hunter2" not in str(refused.value)


def test_nothing_of_the_environment_of_another_provider_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "LANGSMITH_GATEWAY_API_KEY"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("LANGSMITH_GATEWAY", "http://127.0.0.1:9")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    with ScriptedServer(YES) as server, client_of(server) as client:
        assert client.ask(PROMPT, SCHEMA, Ledger())
    sent = server.headers[0]
    assert "hunter2" not in json.dumps(sent)
    assert "authorization" not in sent
    assert [name for name in sent if name.startswith(("openai", "x-stainless"))] in ([], ["x-stainless-raw-response"])


# -- many at once -------------------------------------------------------------------------------------------------


def test_all_runs_share_one_bound_and_nothing_crosses() -> None:
    def script(request: dict[str, Any]) -> Reply:
        return Reply.of(*[{"answer": "yes" if "even" in last_user_text(request) else "no"}] * 2).but(delay=0.05)

    with ScriptedServer(script) as server, client_of(server, concurrency=4) as client:

        def ask(number: int) -> bool:
            prompt = Prompt("conclude", "", f"number {number} is {'even' if number % 2 == 0 else 'odd'}")
            ledger = Ledger()
            samples = client.ask(prompt, SCHEMA, ledger)
            return [one.data for one in samples] == [{"answer": "no" if number % 2 else "yes"}] * 2

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(24)))
    assert 2 <= server.most <= 4


def test_a_client_can_be_sent_to_another_process_and_opened_again() -> None:
    with ScriptedServer(YES) as server, client_of(server) as client:
        assert client.ask(PROMPT, SCHEMA, Ledger())
        client.close()
        client.close()
        assert client.ask(PROMPT, SCHEMA, Ledger())
        other: Client = pickle.loads(pickle.dumps(client))  # noqa: S301 - our own bytes
        with other:
            assert other.ask(PROMPT, SCHEMA, Ledger())


def test_a_client_that_is_forgotten_closes_its_connections() -> None:
    before = {thread.name for thread in threading.enumerate()}
    with ScriptedServer(YES) as server:
        client = client_of(server)
        assert client.ask(PROMPT, SCHEMA, Ledger())
        (thread,) = [one for one in threading.enumerate() if one.name == "model" and one.name not in before]
        del client
        gc.collect()
        thread.join(10)
        assert not thread.is_alive()


def test_a_client_works_within_a_running_event_loop() -> None:
    import asyncio

    async def inside(client: Client) -> int:
        return len(client.ask(PROMPT, SCHEMA, Ledger()))

    with ScriptedServer(YES) as server, client_of(server) as client:
        assert asyncio.run(inside(client)) == 2


def test_making_a_client_asks_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    Client(Endpoint(url=url)).close()


def test_an_answer_that_is_waited_for_in_one_thread_holds_up_no_other() -> None:
    slow, go = Event(), Event()

    def script(request: dict[str, Any]) -> Reply:
        if "slow" in last_user_text(request):
            slow.set()
            go.wait(10)
        return NO

    with ScriptedServer(script) as server, client_of(server) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.ask, Prompt("conclude", "", "slow"), SCHEMA, Ledger())
        assert slow.wait(10)
        assert client.ask(PROMPT, SCHEMA, Ledger())
        assert not waiting.done()
        go.set()
        assert waiting.result()


def test_the_script_s_own_mistake_surfaces() -> None:
    def script(request: dict[str, Any]) -> Reply:
        raise KeyError("mistake")

    with (
        pytest.raises(KeyError, match="mistake"),
        ScriptedServer(script) as server,
        client_of(server, retries=0) as client,
        pytest.raises(ModelUnavailable),
    ):
        client.ask(PROMPT, SCHEMA, Ledger())
    assert always(YES)({}) is YES
