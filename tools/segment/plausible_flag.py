"""What is wrong with a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "empty", "clipped_by_roi", "duplicated_side", "swapped_sides", "volume", "hu", "position", "fragments",
    "outside_body", "overlap"
]  # fmt: skip
Severity = Literal["refuse", "note"]
Value = float | int | str


@dataclass(frozen=True)
class Flag:
    """One thing that is wrong with one structure's mask.

    Attributes:
        structure: canonical id.
        kind: what sort of thing it is.
        severity: "refuse" where the mask must not be used, "note" where disease may explain it.
        reason: one clause: what was found, and what is expected, with units.
        measured: the values behind it.
    """

    structure: str
    kind: Kind
    severity: Severity
    reason: str
    measured: Mapping[str, Value] = field(default_factory=dict)
