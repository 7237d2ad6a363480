"""A client that doesn't wait long, and what it asks."""

from __future__ import annotations

from typing import Any

from agent.models.client import Client, Prompt
from agent.models.endpoint import Endpoint
from evals.serving.replies import Reply
from evals.serving.scripted_server import ScriptedServer

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
PROMPT = Prompt("conclude", "Answer from the evidence alone.", "e1: the liver measures 1500 cm³.", "conclude@1#abc")
YES = Reply.of({"answer": "yes"})
NO = Reply.of({"answer": "no"})


def client_of(server: ScriptedServer, **settings: Any) -> Client:
    """A client of a server, quick to try again."""
    patience = {"timeout_s": 5.0, "wait_s": 5.0, "connect_s": 1.0}
    return Client(Endpoint(url=server.url, **{**patience, **settings}), first_pause=0.01)
