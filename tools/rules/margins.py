"""Margins and limits that deriving tools cite: single numbers with a source, one file each.

They are no threshold rules on one structure (those live in ``tools/rules/data/``): they say how two values are
compared, or which lesions count. A file ``tools/rules/margins/ID.toml`` holds ``id``, ``version``, ``source``,
``citation``, ``value``, ``unit`` and ``note``; the note says what happens at exactly the value.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agent.errors import UsageError


class Margin(BaseModel):
    """One cited number.

    Attributes:
        id: identifier, equal to the file's name.
        version: raised on every change.
        source: short name of the source, used in sentences.
        citation: where it is published; says so where it is this project's own default.
        value: the number, in `unit`.
        unit: its unit; "1" for a factor or a count.
        note: what it is for, and which side the value itself belongs to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: str
    source: str
    citation: str
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: str
    note: str = ""

    @property
    def details(self) -> dict[str, JsonValue]:
        """What evidence that rests on it carries of it."""
        return {"rule": self.id, "rule_version": self.version, "source": self.source, "citation": self.citation}


@cache
def load_margins() -> Mapping[str, Margin]:
    """All margins by identifier, read once per process from ``tools/rules/margins/*.toml``."""
    found: dict[str, Margin] = {}
    for entry in sorted(files("tools").joinpath("rules/margins").iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".toml"):
            one = Margin.model_validate(tomllib.loads(entry.read_text(encoding="utf-8")))
            found[one.id] = one
    return MappingProxyType(found)


def margin(ident: str) -> Margin:
    """The margin with this identifier.

    Raises:
        UsageError: if there is none.
    """
    try:
        return load_margins()[ident]
    except KeyError:
        raise UsageError(f"There is no margin {ident!r} under tools/rules/margins.") from None
