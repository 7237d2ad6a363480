"""What a trace is made of: the one description that its writer, its verifier and its viewer share.

A trace is a file of JSON lines. Each line is one event in canonical JSON, ended by a line feed, with the
fields ``seq`` (0, 1, 2 …), ``time`` (UTC, ISO 8601, milliseconds), ``kind``, ``data``, ``prev`` (the hash of
the event before it, 64 zeros for the first) and ``hash``, which is taken over the canonical JSON of all the
others. With a key the hash is an HMAC (RFC 2104), else a plain SHA-256; its prefix says which.
What `data` carries is in `agent.trace_data`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator

from tools.types import canonical_json

FIRST_PREV = "0" * 64
MAX_LINE_BYTES = 16 * 2**20
MAX_TRACE_BYTES = 256 * 2**20
TRACE_NAME = "trace.jsonl"

RunStatus = Literal["consistent", "unresolved", "needs_review", "failed", "cancelled"]
RESUMABLE = ("failed", "cancelled")
"""How a run ends that goes on where it stopped."""
REVIEWABLE = ("consistent", "unresolved", "needs_review")
"""How a run ends that has its report; only a person's review can follow."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Kind(StrEnum):
    """Every kind of event that a trace can hold."""

    RUN_START = "run.start"
    RUN_RESUME = "run.resume"
    INTAKE = "intake"
    PLAN = "plan"
    ROUND = "round"
    HOPS = "hops"
    MASK_REFUSED = "mask.refused"
    TOOL_START = "tool.start"
    TOOL_END = "tool.end"
    TOOL_REUSED = "tool.reused"
    TOOL_FAILED = "tool.failed"
    MODEL_CALL = "model.call"
    USAGE = "usage"
    VERDICT = "verdict"
    REVIEW = "review"
    REPORT = "report"
    RUN_END = "run.end"
    RECOVERED = "trace.recovered"


def may_follow(kind: str, status: str) -> bool:
    """Whether an event may follow a run.end of a status: a report can be reviewed, an interrupted run resumed."""
    if kind == Kind.RECOVERED:
        return True
    return kind == Kind.RUN_RESUME if status in RESUMABLE else kind == Kind.REVIEW


class Event(BaseModel):
    """One line of a trace."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    seq: Count
    time: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    kind: str
    data: dict[str, JsonValue]
    prev: str
    hash: str

    def expected_hash(self, key: bytes | None) -> str:
        """The hash that this content must carry."""
        return chain_hash(self.model_dump(exclude={"hash"}), key)

    def line(self) -> bytes:
        """The one way to write this event, with its line feed."""
        return canonical_json(self.model_dump()).encode() + b"\n"

    def when(self) -> datetime:
        """The time of the event, UTC."""
        return datetime.fromisoformat(self.time)

    @field_validator("time")
    @classmethod
    def _exists(cls, value: str) -> str:
        datetime.fromisoformat(value)
        return value


def chain_hash(content: dict[str, Any], key: bytes | None) -> str:
    """Hash of an event's content without its own hash: ``sha256:…``, or ``hmac-sha256:…`` with a key."""
    text = canonical_json(content).encode()
    if key is None:
        return "sha256:" + hashlib.sha256(text).hexdigest()
    return "hmac-sha256:" + hmac.new(key, text, hashlib.sha256).hexdigest()


def parse_line(line: bytes) -> Event:
    """Read one line of a trace.

    Raises:
        ValueError: where it is not one event in canonical JSON, with the reason as a clause.
    """
    if not line.endswith(b"\n"):
        raise ValueError("the line is torn (it does not end in a line feed)")
    try:
        raw = json.loads(line)
        event = Event.model_validate(raw)
        canonical = event.line()
    except (ValueError, RecursionError) as error:
        raise ValueError("the line is not an event") from error
    if canonical != line:
        raise ValueError("the line is not written in canonical form")
    return event
