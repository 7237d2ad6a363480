"""Typed values that tools return. Nothing downstream parses prose: it reads these.

A piece of `Evidence` is one value of one target, with its unit, method, version, state and uncertainty. Its id
is derived from its content, so an altered value no longer matches its id.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Scalar = bool | int | float | str | None


class State(StrEnum):
    """The four states of every quantity and structure; they never collapse into each other."""

    MEASURED = "measured"
    """Present, and the value is given."""
    ABSENT = "absent"
    """Looked for by something able to see it, and not there."""
    NOT_MEASURABLE = "not_measurable"
    """Seen, but cut off, too small, or in the wrong contrast phase."""
    NOT_ASSESSED = "not_assessed"
    """Nothing able to see it has looked."""


class Evidence(BaseModel):
    """One typed fact, made by one tool call.

    Attributes:
        id: content-derived identifier, ``<quantity>.<target>.<hash>``.
        tool: name of the tool that made it.
        arguments: the full arguments of that call.
        quantity: what was determined ("volume", "hu_mean", "exists", "verdict", …).
        target: canonical structure or rule id, "scan" for the scan as a whole.
        value: the value, in `unit`; None unless measured (a verdict of a bound may be measured too).
        unit: UCUM-like unit: cm3, ml, l, mm3, mm, cm, HU, %, 1 (a ratio or a count), or None.
        state: one of the four states.
        uncertainty: half width of the interval that the resolution leaves open, in `unit`.
        lower_bound: what is certain although the value is not measurable, in `unit`.
        reason: why it is not measured, or what limits it, as one clause.
        method: how it was determined, in words.
        version: version of the tool.
        slice: axial slice it rests on, as an index into the scan as given by the user, or None.
        artifact: path of a picture of it, relative to the run's folder.
        inputs: ids of the evidence it was derived from.
        details: further typed values (thresholds, per-lesion rows, limits); never needed to read the value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    tool: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    quantity: str
    target: str
    value: Scalar = None
    unit: str | None = None
    state: State
    uncertainty: float | None = None
    lower_bound: float | None = None
    reason: str | None = None
    method: str
    version: str
    slice: int | None = None
    artifact: str | None = None
    inputs: tuple[str, ...] = ()
    details: dict[str, JsonValue] = Field(default_factory=dict)

    @classmethod
    def make(cls, **fields: Any) -> Evidence:
        """Build evidence and derive its id from its content."""
        draft = cls(id="", **fields)
        return draft.model_copy(update={"id": draft.expected_id()})

    def expected_id(self) -> str:
        """The id that this content must carry."""
        content = self.model_dump(mode="json", exclude={"id", "artifact"})
        return f"{self.quantity}.{self.target}.{content_hash(content)[:10]}"


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no white space, no NaN.

    Raises:
        ValueError: for NaN or infinity, which JSON cannot carry.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
