"""What a server sends, whatever it is, ends neither in a traceback nor on a terminal."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cohort import Job, run_cohort
from agent.errors import ModelUnavailable, UsageError
from agent.models.exchange import MAX_BYTES, Request, _receipt
from agent.models.usage import Ledger
from agent.models.vllm import ServedModel
from agent.settings import Settings
from evals.serving.replies import Reply
from evals.serving.scripted_server import ScriptedServer
from tests.agent.loop_make import write_case
from tests.agent.models.client_make import PROMPT, SCHEMA, YES, client_of
from tests.agent.models.raw_server import RawServer

SAID = '{"answer": "yes"}'
DEEP = "[" * 3000
ESCAPE = "\x1b[31mNo metastasis “at all”"


def choice(**changes: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"} | changes


def completion(*choices: Any, **changes: Any) -> bytes:
    return json.dumps(
        {"id": "1", "object": "chat.completion", "choices": list(choices) or [choice()]} | changes
    ).encode()


def message(**changes: Any) -> bytes:
    return completion(choice(message={"role": "assistant", "content": SAID} | changes))


def stream(*chunks: Any) -> bytes:
    texts = [one if isinstance(one, str) else json.dumps(one) for one in chunks]
    return "".join(f"data: {text}\n\n" for text in [*texts, "[DONE]"]).encode()


def chunk(delta: Any = None, finish: Any = None, **changes: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}]} | changes


TOLD, END = chunk({"role": "assistant", "content": SAID}), chunk(finish="stop")


@pytest.mark.parametrize(
    "body",
    [
        completion(choice(finish_reason={"a": 1})), completion(choice(finish_reason=["stop"])), completion("text"),
        completion(None), completion(choices=5), completion(choices={"a": 1}), completion(*[choice()] * 17),
        completion(choice(message=None)), message(role="user"), message(content=5), message(content=[{"type": "text"}]),
        message(tool_calls=5), b'{"a":' * 3000 + b"1" + b"}" * 3000, f'{{"choices": {DEEP}'.encode(),
        b'{"a": ' + b"9" * 5000 + b"}", completion(choices=[]), b"null", b'"text"', b"\xff\xfe",
        message(tool_calls=[{"function": {"name": "f", "arguments": DEEP + "]" * 3000}}]),
    ],
)  # fmt: skip
def test_an_odd_answer_is_one_in_which_nothing_can_be_read(body: bytes) -> None:
    with ScriptedServer(Reply(body=body)) as server, client_of(server) as client:
        (made,) = client.ask(PROMPT, SCHEMA, Ledger(), samples=1)
    assert (made.data, made.problem) == (None, "malformed")
    assert len(server.requests) == 1


def test_an_odd_choice_takes_nothing_from_the_others() -> None:
    body = completion(choice(finish_reason=[]), choice())
    with ScriptedServer(Reply(body=body)) as server, client_of(server) as client:
        assert [one.problem for one in client.ask(PROMPT, SCHEMA, Ledger(), samples=2)] == ["malformed", None]


@pytest.mark.parametrize(
    "body",
    [
        completion(usage=[1]), completion(usage={"prompt_tokens": {"a": 1}, "prompt_tokens_details": 5}),
        completion(model={"a": 1}, id=[1], service_tier=[1], created="x"), message(audio=5, function_call=5),
        message(refusal={"a": 1}, reasoning_content=[5]), completion(choice(logprobs=5, index="x")),
        message(content=[{"type": "text", "text": SAID}]), message(tool_calls=[5, {"function": 5}]),
    ],
)  # fmt: skip
def test_what_is_odd_but_not_used_does_not_matter(body: bytes) -> None:
    with ScriptedServer(Reply(body=body)) as server, client_of(server) as client:
        assert client.ask(PROMPT, SCHEMA, Ledger(), samples=1)[0].data == {"answer": "yes"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (stream(chunk("hi"), END), "malformed"), (stream(chunk([1]), END), "malformed"),
        (stream(chunk({"content": 5}), END), "malformed"), (stream(chunk(choices=5), END), "malformed"),
        (stream(chunk(choices={"a": 1}), END), "malformed"), (stream(chunk(choices=[None]), END), "malformed"),
        (stream(TOLD, chunk(finish={"a": 1})), "malformed"), (stream('"x"', END), "malformed"),
        (stream("null"), "malformed"), (stream("[]", END), "malformed"), (stream(DEEP, END), "malformed"),
        (stream('{"a": ' + "9" * 5000 + "}", END), "malformed"), (stream("{", END), "malformed"),
        (stream(), "malformed"), (b"data: \xff\xfe\n\n", "malformed"),
        (stream(chunk({"role": "tool"}), END), "malformed"),
        (stream(chunk(choices=None), TOLD, END), None), (stream(TOLD, END, chunk(choices=[], usage="x")), None),
        (stream(chunk({"tool_calls": 5, "function_call": 5}), TOLD, END), None),
        (stream(chunk({"refusal": True, "reasoning": 1.5}), chunk({"refusal": 1.5}), TOLD, END), None),
        (stream(chunk({}, model=5, id=[5], service_tier=1.5), chunk({}, model={}, id={}), TOLD, END), None),
        (stream(chunk({"content": [{"type": "text", "text": SAID}]}), END)[: -len(b"data: [DONE]\n\n")], None),
        (stream(TOLD, END).replace(b"\n", b"\r\n"), None), (stream(TOLD, END).rstrip(), None),
        (stream(*[chunk({"content": " "})] * 6000, END), "length"),
    ],
)  # fmt: skip
def test_an_odd_stream_is_read_as_far_as_it_can_be(body: bytes, problem: str | None) -> None:
    with ScriptedServer(Reply(body=body)) as server, client_of(server) as client:
        (made,) = client.ask(PROMPT, SCHEMA, Ledger(), samples=1, progress=lambda count: None)
    assert made.problem == problem
    assert made.data == (None if problem else {"answer": "yes"})
    assert len(server.requests) == 1


def test_a_stream_does_not_warn_with_the_server_s_words() -> None:
    body = stream(chunk({"content": SAID, "refusal": [ESCAPE]}, usage=ESCAPE, model=[ESCAPE]), chunk(finish=ESCAPE))
    with ScriptedServer(Reply(body=body)) as server, client_of(server) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        (made,) = client.ask(PROMPT, SCHEMA, Ledger(), samples=1, progress=lambda count: None)
    assert made.data == {"answer": "yes"}


def test_our_own_mistake_still_surfaces() -> None:
    def wrong(count: int) -> None:
        raise KeyError("ours")

    with ScriptedServer(YES) as server, client_of(server) as client, pytest.raises(KeyError, match="ours"):
        client.ask(PROMPT, SCHEMA, Ledger(), samples=1, progress=wrong)


# -- bounds -------------------------------------------------------------------------------------------------------


def test_the_bytes_that_are_read_grow_with_what_is_asked_for_up_to_a_limit() -> None:
    few = Request("m", [], {}, 2, 0.0, 0, 700)
    many = Request("m", [], {}, 16, 0.0, 0, 131072)
    assert _receipt(few).limit < 400_000
    assert _receipt(many).limit == MAX_BYTES


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": -1}, {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": 1.5, "completion_tokens": "7"}, {"prompt_tokens": 10**12, "completion_tokens": 5000},
    ],
)  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True])
def test_numbers_of_tokens_that_cannot_be_are_left_out(usage: dict[str, Any], streamed: bool) -> None:
    further = {"prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": {"reasoning_tokens": 9}}
    ledger, progress = Ledger(), (lambda count: None) if streamed else None
    with ScriptedServer(YES.but(usage=usage | further)) as server, client_of(server) as client:
        client.ask(PROMPT, SCHEMA, ledger, samples=1, progress=progress)
    (call,) = ledger.take()
    assert (call.prompt_tokens, call.output_tokens, call.cached_tokens, call.reasoning_tokens) == (None,) * 4


def test_no_more_is_cached_than_was_read() -> None:
    usage = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}
    ledger = Ledger()
    with ScriptedServer(YES.but(usage=usage)) as server, client_of(server) as client:
        client.ask(PROMPT, SCHEMA, ledger, samples=1)
    (call,) = ledger.take()
    assert (call.prompt_tokens, call.cached_tokens) == (10, None)


# -- lists of models ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b'{"data": "\xff"}', b"[]", b"null", b'{"data": 5}', b'{"data": null}', DEEP.encode(),
     b'{"data": ' + b"9" * 5000 + b"}", json.dumps({"data": [{"id": str(one)} for one in range(1001)]}).encode(),
     b" " * 5_000_000],
)  # fmt: skip
def test_a_list_of_models_that_cannot_be_read_is_said(body: bytes) -> None:
    with (
        RawServer(lambda path: (200, body, {})) as server,
        server.client() as client,
        pytest.raises(ModelUnavailable, match=r"list of models that cannot be read\.$"),
    ):
        _ = client.name


@pytest.mark.parametrize("name", [ESCAPE, "m" * 301, "\ud800", " ", 5, None])
def test_a_name_that_cannot_be_shown_is_not_taken(name: object) -> None:
    def serve(*names: object) -> Callable[[str], tuple[int, bytes, dict[str, str]]]:
        return lambda path: (
            200,
            json.dumps({"data": [{"id": one, "max_model_len": True} for one in names]}).encode(),
            {},
        )

    with RawServer(serve(name, "m")) as server, server.client() as client:
        assert (client.name, client.context_tokens) == ("m", None)
    with RawServer(serve(name)) as server, server.client() as client, pytest.raises(UsageError, match="lists no model"):
        _ = client.name


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_a_list_can_be_used_with_a_name(status: int) -> None:
    def answer(path: str) -> tuple[int, bytes, dict[str, str]]:
        return (status, b"{}", {}) if path.endswith("/models") else (200, completion(), {})

    with RawServer(answer) as server:
        with server.client(name="m") as client:
            assert client.context_tokens is None
            assert client.context_tokens is None
            assert len(server.headers) == 1
            assert client.ask(PROMPT, SCHEMA, Ledger())[0].data == {"answer": "yes"}
        with server.client() as client, pytest.raises(ModelUnavailable):
            _ = client.context_tokens


# -- headers and errors -------------------------------------------------------------------------------------------


def test_no_header_of_the_environment_is_sent_and_no_cookie_back(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = "Authorization: Bearer hunter2\nX-Leak: hunter2\nUser-Agent: hunter2\nCookie: hunter2=1\nHost: hunter2"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", theirs)
    body = completion()
    with RawServer(lambda path: (200, body, {"Set-Cookie": "hunter2=2; Path=/"})) as server:
        for key in (None, "none", "ours"):
            with server.client(name="m", key=key) as client:
                assert client.ask(PROMPT, SCHEMA, Ledger())[0].problem is None
                assert client.ask(PROMPT, SCHEMA, Ledger())[0].problem is None
    assert "hunter2" not in json.dumps(server.headers)
    sent = [headers.get("authorization") for headers in server.headers]
    assert sent == [None, None, "Bearer none", "Bearer none", "Bearer ours", "Bearer ours"]
    assert all(headers["user-agent"] == "tumortrace" for headers in server.headers)


def test_the_server_s_words_stand_only_in_a_quotation() -> None:
    body = json.dumps({"error": {"message": ESCAPE + " x" * 300}}).encode()
    with (
        RawServer(lambda path: (400, body, {})) as server,
        server.client(name="m") as client,
        pytest.raises(ModelUnavailable) as refused,
    ):
        client.ask(PROMPT, SCHEMA, Ledger())
    said = str(refused.value)
    ours, _, theirs = said.partition("the server said: “")
    assert ours.endswith("refuses the request (HTTP 400; ")
    assert "metastasis" in theirs
    assert theirs.endswith("…”).")
    assert theirs.count("”") == 1
    assert len(theirs) < 210
    assert said.isprintable()


def test_the_server_s_words_get_into_no_table(tmp_path: Path) -> None:
    body = json.dumps({"error": {"message": "metastasis of 32 mm"}}).encode()
    scan, labels = write_case(tmp_path)
    job = Job(case="a", scan=scan, labels=(labels,), question="Which vegetable resembles it?")
    settings = Settings(home=tmp_path / "runs", cache=tmp_path / "cache")
    with RawServer(lambda path: (400, body, {})) as server, server.client(name="m", context_tokens=8000) as client:
        (made,) = run_cohort([job], tmp_path / "out", settings, model=ServedModel(client))
        assert server.headers
    assert made.error is not None
    assert "refuses" in made.error
    assert "metastasis" not in (tmp_path / "out" / "results.csv").read_text() + made.error


@pytest.mark.parametrize("body", [b"", DEEP.encode(), b'{"error": 5}', b'{"error": {"message": {}}}', b" " * 100_000])
def test_an_odd_refusal_is_a_refusal(body: bytes) -> None:
    kind = {"Content-Type": "text/plain; charset=undefined"}
    with (
        RawServer(lambda path: (400, body, kind)) as server,
        server.client(name="m") as client,
        pytest.raises(ModelUnavailable, match=r"refuses the request \(HTTP 400\)\.$"),
    ):
        client.ask(PROMPT, SCHEMA, Ledger())


@pytest.mark.parametrize(
    "after",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
     "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 2020 00:00:00 +99999999999999", "9" * 400],
)  # fmt: skip
def test_an_absurd_time_to_wait_is_none(after: str) -> None:
    with (
        RawServer(lambda path: (503, b"", {"Retry-After": after})) as server,
        server.client(name="m") as client,
        pytest.raises(ModelUnavailable, match="not ready"),
    ):
        client.ask(PROMPT, SCHEMA, Ledger())
