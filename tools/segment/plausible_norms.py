"""The table of what a mask can be: ``retrieval/knowledge/organ_norms.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.ontology import load_ontology

Limits = tuple[float, float]


class Norm(BaseModel):
    """What the mask of one structure can be; a field that is None isn't judged.

    Attributes:
        usual, possible: volume limits in ml; outside of `usual` is noted, outside of `possible` refused.
        hu: limits of the median HU in any phase.
        hu_by_phase: narrower limits where the phase is known.
        fat_share: largest share of voxels below -50 HU.
        pieces: "one" if the organ is one piece.
        clip: whether to look for flat faces that a crop left.
        may_lack: whether people live without it.
        near: neighbours, beside those that the ontology names.
        may_overlap: structures that it may share voxels with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    usual: Limits | None = None
    possible: Limits | None = None
    hu: Limits | None = None
    hu_by_phase: dict[str, Limits] = Field(default_factory=dict)
    fat_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    pieces: Literal["one", "any"] = "any"
    clip: bool = False
    may_lack: bool = False
    near: tuple[str, ...] = ()
    may_overlap: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for limits in (self.usual, self.possible, self.hu, *self.hu_by_phase.values()):
            if limits is not None and limits[0] >= limits[1]:
                raise ValueError(f"the lower limit {limits[0]:g} is not below the upper limit {limits[1]:g}")
        return self


class Relation(BaseModel):
    """Where one structure lies to another: above, left of, or with its surface within `slack` mm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    one: str
    direction: Literal["above", "left_of", "within"] = Field(alias="is")
    other: str
    slack: Annotated[float, Field(ge=0, le=300)]


class Norms(BaseModel):
    """The whole table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    structures: dict[str, Norm]
    relations: tuple[Relation, ...]

    @model_validator(mode="after")
    def _known(self) -> Self:
        ontology = load_ontology()
        named = [*self.structures, *(name for row in self.relations for name in (row.one, row.other))]
        named += [name for norm in self.structures.values() for name in (*norm.near, *norm.may_overlap)]
        unknown = [name for name in named if name not in ontology.structures]
        if unknown:
            raise ValueError(f"the ontology has no structure {unknown[0]!r}")
        sided = [row for row in self.relations if row.direction == "left_of" for name in (row.one, row.other)
                 if ontology.get(name).side]  # fmt: skip
        if sided:
            raise ValueError(f"left_of must not name the paired structure in {sided[0].one!r}, {sided[0].other!r}")
        return self

    def of(self, structure: str) -> Norm:
        """The norm of a structure, or of the pair that it is a side of; an empty one where there is none."""
        return self.structures.get(structure) or self.structures.get(load_ontology().get(structure).base) or Norm()


@cache
def load_norms() -> Norms:
    """The table, read once per process."""
    text = files("retrieval").joinpath("knowledge/organ_norms.toml").read_text(encoding="utf-8")
    return Norms.model_validate(tomllib.loads(text))
