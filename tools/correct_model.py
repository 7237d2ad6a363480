"""What a person changes in masks, and what came of it: plain data, as it stands in requests, traces and reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_RADIUS_MM = 15.0
MOST_EDITS = 50

_Millimetres = Annotated[float, Field(ge=-1e5, le=1e5)]
Point = tuple[_Millimetres, _Millimetres, _Millimetres]
"""World mm, RAS+."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Edit(_Frozen):
    """One correction of a mask.

    Attributes:
        kind: take the component at the point away; approve it; or let a lesion grow from the point.
        structure: canonical id of the structure whose mask is meant.
        point: world mm, RAS+.
        radius_mm: how far an added lesion may reach from the point.
        beyond_organ: an added lesion may lie outside of its organ's mask: it grows out of the organ, or the mask is
            cut short.
    """

    kind: Literal["remove", "keep", "add"]
    structure: str = Field(min_length=1, max_length=100, pattern=r"^[^#\x00-\x1f]+$")
    point: Point
    radius_mm: float = Field(default=DEFAULT_RADIUS_MM, ge=1, le=100)
    beyond_organ: bool = False


class Amount(_Frozen):
    """How much of a structure its mask shows.

    Attributes:
        lesions: number of its 26-connected components, of any size.
        volume_cm3: their volume together.
    """

    lesions: int
    volume_cm3: float


class Change(_Frozen):
    """What became of the mask of one structure.

    Attributes:
        structure: canonical id.
        name: its name for reading.
        before, after: how much its mask shows.
        removed, added, kept: number of components that were taken away, grown and approved.
        note: what a reader should know of the result; empty where there is nothing.
    """

    structure: str
    name: str
    before: Amount
    after: Amount
    removed: int = 0
    added: int = 0
    kept: int = 0
    note: str = ""
