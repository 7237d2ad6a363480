from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Timer
from typing import Any

import pytest

from agent.errors import ModelUnavailable, TumorTraceError
from agent.models.usage import Ledger
from evals.serving.replies import BROKEN, CUT, ENDLESS, PROSE, REFUSED, TOO_MANY, TRUNCATED, Reply, first
from evals.serving.scripted_server import ScriptedServer
from tests.agent.models.client_make import PROMPT, SCHEMA, YES, client_of

DROPPED = YES.but(drop=40)
SILENT = YES.but(delay=30)


@pytest.fixture(params=["whole", "streamed"])
def how(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"progress": lambda count: None} if request.param == "streamed" else {}


@pytest.fixture
def bounded() -> Iterator[None]:
    """No fault may hang."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 90


pytestmark = pytest.mark.usefixtures("bounded")


@pytest.mark.parametrize("fault", [TOO_MANY, BROKEN, DROPPED, BROKEN.but(status=503), YES.but(status=502)])
def test_what_passes_is_tried_again(fault: Reply, how: dict[str, Any]) -> None:
    with ScriptedServer(first(3, fault, YES)) as server, client_of(server) as client:
        ledger = Ledger()
        (made,) = client.ask(PROMPT, SCHEMA, ledger, samples=1, **how)
    assert made.data == {"answer": "yes"}
    assert ledger.take()[0].attempts == len(server.requests) == 4


@pytest.mark.parametrize("fault", [BROKEN, DROPPED])
def test_what_stays_broken_is_given_up_in_one_sentence(fault: Reply, how: dict[str, Any]) -> None:
    with ScriptedServer(fault) as server, client_of(server, retries=2) as client:
        ledger = Ledger()
        with pytest.raises(ModelUnavailable, match="The model server at 127") as lost:
            client.ask(PROMPT, SCHEMA, ledger, samples=1, **how)
    assert len(server.requests) == 3
    assert isinstance(lost.value, TumorTraceError)
    assert lost.value.exit_code == 2
    assert not lost.value.refused
    assert "\n" not in str(lost.value)
    assert ledger.take() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_no_is_final(status: int, how: dict[str, Any]) -> None:
    with ScriptedServer(YES.but(status=status)) as server, client_of(server) as client:
        with pytest.raises(ModelUnavailable, match=str(status)) as refused:
            client.ask(PROMPT, SCHEMA, Ledger(), samples=1, **how)
        assert refused.value.refused
    assert len(server.requests) == 1


def test_a_busy_server_is_waited_for_as_long_as_set() -> None:
    with ScriptedServer(TOO_MANY) as server, client_of(server, wait_s=0.5) as client:
        begun = time.monotonic()
        with pytest.raises(ModelUnavailable, match="too busy"):
            client.ask(PROMPT, SCHEMA, Ledger(), samples=1)
        assert 0.5 <= time.monotonic() - begun < 10


@pytest.mark.parametrize("after", ["0.4", "1", "99999", "-5", "soon", "Wed, 21 Oct 2065 07:28:00 GMT", "nan", "inf"])
def test_retry_after_is_honoured_within_bounds(after: str) -> None:
    reply = TOO_MANY.but(retry_after=after)
    with ScriptedServer(first(1, reply, YES)) as server, client_of(server, wait_s=0.6) as client:
        begun = time.monotonic()
        assert client.ask(PROMPT, SCHEMA, Ledger(), samples=1)[0].problem is None
        took = time.monotonic() - begun
    assert took < 8
    if after in {"0.4", "1", "99999"}:
        assert took >= 0.4


def test_silence_is_cut_and_tried_again(how: dict[str, Any]) -> None:
    with ScriptedServer(first(1, SILENT, YES)) as server, client_of(server, timeout_s=0.5) as client:
        (made,) = client.ask(PROMPT, SCHEMA, Ledger(), samples=1, **how)
    assert made.data == {"answer": "yes"}
    with ScriptedServer(SILENT) as server, client_of(server, timeout_s=0.3, retries=1) as client:
        with pytest.raises(ModelUnavailable, match=r"no answer within 0\.3 seconds"):
            client.ask(PROMPT, SCHEMA, Ledger(), samples=1, **how)
        assert len(server.requests) <= 2  # on a busy machine one may not even have arrived


@pytest.mark.parametrize(
    "reply",
    [ENDLESS, YES.but(pause=0.2, piece=5), Reply(texts=("x" * 3_000_000,)), CUT, Reply(body=b" " * 3_000_000)],
    ids=["endless", "trickling", "huge", "cut", "padding"],
)
def test_what_is_too_long_or_too_slow_is_cut(reply: Reply, how: dict[str, Any]) -> None:
    with ScriptedServer(reply) as server, client_of(server, timeout_s=0.8, max_tokens=64) as client:
        begun = time.monotonic()
        ledger = Ledger()
        made = client.ask(PROMPT, SCHEMA, ledger, samples=2, **how)
        assert time.monotonic() - begun < 10
    assert [one.problem for one in made] == ["length", "length"]
    (call,) = ledger.take()
    assert call.problems == ("length", "length")
    assert call.result == [None, None]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (REFUSED, "refusal"),
        (TRUNCATED, "malformed"),
        (PROSE, "malformed"),
        (Reply.of({"answer": "perhaps"}), "schema"),
        (Reply.of({"answer": "yes", "by the way": "no"}), "schema"),
        (Reply(texts=("",)), "empty"),
        (Reply(body=b'{"choices": [{"mess'), "malformed"),
        (Reply(body=b"<html>Bad gateway</html>"), "malformed"),
        (Reply(body=b'{"error": {"message": "no"}}'), "malformed"),
        (Reply(body=b'{"choices": null}'), "malformed"),
        (Reply(body=b'{"choices": [{"index": 0}]}'), "malformed"),
        (Reply(body=b"[1, 2]"), "malformed"),
        (Reply(body=b""), "malformed"),
        (Reply(body=b"\xff\xfe"), "malformed"),
    ],
)
def test_what_cannot_be_used_says_why_and_is_not_asked_again(reply: Reply, problem: str, how: dict[str, Any]) -> None:
    with ScriptedServer(reply) as server, client_of(server) as client:
        (made,) = client.ask(PROMPT, SCHEMA, Ledger(), samples=1, **how)
    assert (made.data, made.problem) == (None, problem)
    assert len(server.requests) == 1


def test_a_prompt_longer_than_the_context_is_a_matter_of_length() -> None:
    with ScriptedServer(YES, context=256) as server, client_of(server, max_tokens=250) as client:
        assert [one.problem for one in client.ask(PROMPT, SCHEMA, Ledger())] == ["length", "length"]
    assert len(server.requests) == 1


def test_a_server_that_is_away_is_waited_for() -> None:
    server = ScriptedServer(YES)
    server.start()
    server.stop()
    with client_of(server) as client:
        begin = Timer(0.5, server.start)
        begin.start()
        try:
            assert client.ask(PROMPT, SCHEMA, Ledger(), samples=1)[0].data == {"answer": "yes"}
        finally:
            begin.join()
            server.stop()


def test_a_server_killed_in_the_midst_of_an_answer_and_started_again_answers() -> None:
    server = ScriptedServer(first(1, SILENT, YES))
    server.start()

    def restart() -> None:
        server.stop()
        time.sleep(0.3)
        server.start()

    with client_of(server) as client:
        assert client.name == "scripted"
        killer = Timer(0.3, restart)
        killer.start()
        try:
            assert client.ask(PROMPT, SCHEMA, Ledger(), samples=1)[0].data == {"answer": "yes"}
        finally:
            killer.join()
            server.stop()


def test_a_server_that_stays_away_is_given_up() -> None:
    server = ScriptedServer(YES)
    server.start()
    server.stop()
    with client_of(server, wait_s=0.3) as client, pytest.raises(ModelUnavailable, match="cannot be reached"):
        _ = client.name


def test_a_redirect_is_not_followed_with_the_key() -> None:
    with ScriptedServer(YES.but(status=307)) as server, client_of(server, key="hunter2") as client:
        with pytest.raises(ModelUnavailable, match="307"):
            client.ask(PROMPT, SCHEMA, Ledger(), samples=1)
        assert len(server.requests) == 1
