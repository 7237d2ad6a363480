"""What a real server guarantees, whatever its model can do: never what it says, always the form it says it in."""

from __future__ import annotations

import base64
import json
import re
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.serving.plain_http import chat, get, post, texts
from tests.serving.real_server import Server

pytestmark = pytest.mark.serving

CLAIM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "evidence": {"type": "string", "enum": ["e1", "e2", "e3"]},
        "state": {"type": "string", "enum": ["measured", "absent", "not_measurable", "not_assessed"]},
        "value": {"type": "number"},
    },
    "required": ["evidence", "state", "value"],
    "additionalProperties": False,
}
CLAIMS: dict[str, Any] = {
    "type": "object",
    "properties": {"claims": {"type": "array", "items": CLAIM, "minItems": 1, "maxItems": 2}},
    "required": ["claims"],
    "additionalProperties": False,
}
TABLE = "\n".join(f"e{n}\tvolume of structure {n}\t{n * 101.5} cm3\tmeasured" for n in range(1, 4))


def ask(server: Server, words: str, **more: Any) -> dict[str, Any]:
    status, answer = post(f"{server.url}/chat/completions", chat(server.model, words, **more))
    assert status == 200, answer
    return answer


def check_claims(text: str) -> None:
    answer = json.loads(text)
    assert set(answer) == {"claims"}
    assert 1 <= len(answer["claims"]) <= 2
    for claim in answer["claims"]:
        assert set(claim) == {"evidence", "state", "value"}
        assert claim["evidence"] in CLAIM["properties"]["evidence"]["enum"]
        assert claim["state"] in CLAIM["properties"]["state"]["enum"]
        assert isinstance(claim["value"], (int, float))


def usable(answer: dict[str, Any]) -> list[str]:
    """Samples that were not cut at the token limit."""
    return [choice["message"]["content"] for choice in answer["choices"] if choice["finish_reason"] == "stop"]


def test_the_server_names_its_model_and_its_context(server: Server) -> None:
    listed = json.loads(get(f"{server.url}/models"))["data"]
    assert server.model in [model["id"] for model in listed]
    assert listed[0]["max_model_len"] >= 4096


@pytest.mark.parametrize("words", ["What is measured?", "Say nothing but prose, no JSON.", "}]}{[ \u202e 💥"])
def test_structured_output_has_the_form_asked_for(server: Server, words: str) -> None:
    answer = ask(server, f"{TABLE}\n{words}", schema=CLAIMS, temperature=0.7, seed=1, n=2)
    complete = usable(answer)
    assert complete, answer
    for text in complete:
        check_claims(text)


def test_parallel_samples_come_in_one_answer(server: Server) -> None:
    answer = ask(server, TABLE, schema=CLAIMS, temperature=1.0, seed=3, n=4)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert len(set(texts(answer))) > 1
    tokens = answer["usage"]
    assert tokens["total_tokens"] == tokens["prompt_tokens"] + tokens["completion_tokens"]


def test_a_prompt_seen_before_comes_from_the_prefix_cache(server: Server) -> None:
    begin = f"Scan {time.time_ns()}. " + "The liver is measured, the spleen is measured. " * 60
    cached = []
    for end in ("First round.", "Second round: the value of e1 differs."):
        usage = ask(server, f"{begin}\n{end}", max_tokens=4)["usage"]
        cached.append(usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"])
    assert cached[0] < 0.1
    assert cached[1] > 0.9


def test_the_metrics_tell_queries_and_hits_of_the_prefix_cache(server: Server) -> None:
    words = f"Patient {time.time_ns()} " + "has a liver. " * 80
    for _ in range(2):
        ask(server, words, max_tokens=2)
    found = {
        name: float(value)
        for name, value in re.findall(r"^vllm:prefix_cache_(queries|hits)_total\{.*\} (\S+)$", server.metrics, re.M)
    }
    assert found["queries"] > found["hits"] > 0


def test_eight_requests_at_once_keep_to_themselves(server: Server) -> None:
    def one(number: int) -> dict[str, Any]:
        only: dict[str, Any] = {
            "type": "object",
            "properties": {"run": {"type": "string", "enum": [f"run-{number}"]}},
            "required": ["run"],
            "additionalProperties": False,
        }
        return ask(server, f"You are run {number}.", schema=only, n=2)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    for number, answer in enumerate(answers):
        assert [json.loads(text) for text in texts(answer)] == [{"run": f"run-{number}"}] * 2


def test_a_client_that_gives_up_does_not_hold_the_server(server: Server) -> None:
    long = chat(server.model, "Count on.", max_tokens=3000, min_tokens=3000)
    with pytest.raises(TimeoutError):
        post(f"{server.url}/chat/completions", long, timeout=1.0)
    until = time.monotonic() + 20
    while time.monotonic() < until and running(server):
        time.sleep(0.2)
    assert running(server) == 0
    assert ask(server, TABLE, schema=CLAIMS, max_tokens=20)["choices"]


def running(server: Server) -> float:
    return sum(float(n) for n in re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", server.metrics, re.M))


def test_an_answer_cut_at_the_limit_says_so(server: Server) -> None:
    answer = ask(server, TABLE, schema=CLAIMS, max_tokens=5)
    assert answer["choices"][0]["finish_reason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(texts(answer)[0])


def test_a_text_model_refuses_images_in_words(server: Server) -> None:
    picture = "data:image/png;base64," + base64.b64encode(png()).decode()
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": picture}}]
    body = chat(server.model, "") | {"messages": [{"role": "user", "content": content}]}
    status, answer = post(f"{server.url}/chat/completions", body)
    if status == 200:
        pytest.skip("this model sees images")
    assert 400 <= status < 500
    assert answer["error"]["message"]


def png() -> bytes:
    """One grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def test_a_required_tool_is_called_with_typed_arguments(server: Server) -> None:
    arguments = {
        "type": "object",
        "properties": {"structure": {"type": "string", "enum": ["liver", "spleen"]}},
        "required": ["structure"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "volume", "parameters": arguments, "strict": True}}
    answer = ask(server, "Measure the spleen.", tools=[tool], tool_choice="required")
    for call in answer["choices"][0]["message"]["tool_calls"]:
        assert call["function"]["name"] == "volume"
        assert json.loads(call["function"]["arguments"])["structure"] in {"liver", "spleen"}


def test_a_prompt_beyond_the_context_is_refused_not_cut(server: Server) -> None:
    room = json.loads(get(f"{server.url}/models"))["data"][0]["max_model_len"]
    status, answer = post(f"{server.url}/chat/completions", chat(server.model, "liver " * (2 * room)))
    assert status == 400
    assert answer["error"]["message"]


def test_many_threads_share_one_prefix(server: Server) -> None:
    """What rounds and samples rest on: the instructions are read once, whoever asks."""
    begin = f"Instructions {time.time_ns()}. " + "Claim only what the table shows. " * 60
    ask(server, begin, max_tokens=2)
    shares: list[float] = []
    lock = threading.Lock()

    def one(number: int) -> None:
        usage = ask(server, f"{begin} Question {number}.", max_tokens=2)["usage"]
        with lock:
            shares.append(usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert min(shares) > 0.8
