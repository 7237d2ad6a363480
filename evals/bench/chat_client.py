"""One chat session against a server: questions with follow-ups, timed from the moment they are sent."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

_PATIENCE = 600.0


@dataclass(frozen=True)
class Asked:
    """One question.

    Attributes:
        question: the words.
        answer: what came back; None where it failed.
        told: seconds to the first event, which says that the question arrived.
        step: seconds to the first step of the work itself.
        answered: seconds to the answer.
        error: what went wrong.
    """

    question: str
    answer: str | None
    told: float
    step: float
    answered: float
    error: str | None = None


def open_scan(client: httpx.Client, source: str, labels: str) -> str:
    """Open a scan and wait until it is ready."""
    made = client.post("/api/scans", json={"source": source, "labels": [labels]}).raise_for_status().json()
    while made["state"] == "opening":
        time.sleep(0.02)
        made = client.get(f"/api/scans/{made['id']}").raise_for_status().json()
    if made["state"] != "ready":
        raise RuntimeError(str(made["error"]))
    return str(made["id"])


def session(base: str, scan: str, questions: Sequence[str]) -> list[Asked]:
    """Ask questions of one conversation, one after the other."""
    with httpx.Client(base_url=base, timeout=_PATIENCE) as client:
        talk = client.post("/api/conversations", json={"scan": scan}).raise_for_status().json()["id"]
        return [_ask(client, {"scan": scan, "conversation": talk, "question": one}) for one in questions]


def _ask(client: httpx.Client, asked: dict[str, Any]) -> Asked:
    begin = time.perf_counter()
    sent = client.post("/api/runs", json=asked)
    if sent.is_error:
        return Asked(asked["question"], None, 0, 0, 0, sent.text[:200])
    run = sent.json()["id"]
    told = step = 0.0
    last: dict[str, Any] = {}
    with client.stream("GET", f"/api/runs/{run}/events") as stream:
        for line in stream.iter_lines():
            told = told or time.perf_counter() - begin
            if line == "event: step":
                step = step or time.perf_counter() - begin
            elif line.startswith("data:"):
                last = json.loads(line[5:])
    error = None if last.get("state") == "done" else json.dumps(last)[:200]
    return Asked(asked["question"], last.get("answer"), told, step, time.perf_counter() - begin, error)
