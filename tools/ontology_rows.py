"""Rows of the ontology's data file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Names = tuple[str, ...]
_ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StructureRow(_Row):
    """One structure; the file's head explains the fields."""

    id: str
    names: Names = Field(min_length=1)
    plurals: Names = ()
    adjectives: Names = ()
    kind: Literal["organ", "vessel", "bone", "muscle", "cavity", "finding"]
    tissue: Literal["soft", "air", "bone", "fat", "any"]
    region: Literal["head", "neck", "chest", "abdomen", "pelvis", "limb", "any"]
    sided: bool = False
    parts: Names = ()
    parts_left: Names = ()
    parts_right: Names = ()
    near: Names = ()
    near_left: Names = ()
    near_right: Names = ()
    regions: Names = ()
    regions_left: Names = ()
    regions_right: Names = ()
    values: tuple[str | int, ...] = ()

    def series(self) -> Iterator[StructureRow]:
        """The row itself, or one row per value of a numbered series."""
        if not self.values:
            yield self
        for value in self.values:
            roman = _ROMAN[value] if isinstance(value, int) and value < len(_ROMAN) else value
            names = tuple(dict.fromkeys(name.format(n=value, roman=roman) for name in self.names))
            yield self.model_copy(update={"id": self.id.format(n=value), "names": names, "values": ()})


class LesionRow(_Row):
    """One lesion type."""

    id: str
    names: Names = Field(min_length=1)
    plurals: Names = ()
    is_a: str | None = None
    organ: str | None = None


class OntologyFile(_Row):
    """The whole file."""

    version: str
    structures: tuple[StructureRow, ...]
    lesions: tuple[LesionRow, ...]
