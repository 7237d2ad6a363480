"""Conversations: what was asked about a scan, in order."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Response
from pydantic import BaseModel

from agent.web.database import Row
from agent.web.faults import Refused, missing
from agent.web.routes.deps import PartsOf
from agent.web.run_shapes import ConversationAsk, ConversationOut, RunRow
from agent.web.shapes import Ident

router = APIRouter(prefix="/api/conversations", tags=["conversations"])


class ConversationName(BaseModel):
    """A conversation in a list; `turns` is how many questions it has."""

    id: str
    scan: str
    scan_name: str
    title: str
    created: str
    updated: str
    turns: int


class ConversationList(BaseModel):
    """All conversations, the one last used first."""

    conversations: list[ConversationName]


@router.post("", status_code=201)
def begin(ask: ConversationAsk, at: PartsOf) -> ConversationOut:
    """Begin a conversation about a scan."""
    at.scans.get(ask.scan)
    ident = f"talk-{secrets.token_hex(8)}"
    at.database.add_conversation(ident, ask.scan)
    return _out(at, at.database.conversation(ident), [])


@router.get("")
def list_conversations(at: PartsOf) -> ConversationList:
    """What was talked about."""
    rows = at.database.conversations()
    return ConversationList(conversations=[ConversationName(**row, scan_name=_name(at, row["scan"])) for row in rows])


@router.get("/{conversation}")
def get_conversation(conversation: Ident, at: PartsOf) -> ConversationOut:
    """One conversation with its questions and answers."""
    return _out(at, at.database.conversation(conversation), at.work.rows(conversation=conversation))


@router.delete("/{conversation}", status_code=204)
def drop_conversation(conversation: Ident, at: PartsOf) -> Response:
    """Take a conversation from the list; its runs and their traces stay."""
    if at.database.conversation(conversation) is None:
        raise missing("conversation")
    if any(row.state in {"queued", "running"} for row in at.work.rows(conversation=conversation)):
        raise Refused(409, "busy", "This conversation is still answering: wait for the answer, or cancel it.")
    at.database.drop_conversation(conversation)
    return Response(status_code=204)


def _out(at: PartsOf, row: Row | None, turns: list[RunRow]) -> ConversationOut:
    if row is None:
        raise missing("conversation")
    return ConversationOut(**row, scan_name=_name(at, row["scan"]), turns=turns)


def _name(at: PartsOf, scan: str) -> str:
    try:
        return at.scans.get(scan).name
    except Refused:
        return "a scan that was removed"
