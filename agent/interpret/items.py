"""The parts of a read sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.interpret.lexicon import Filler, Group

Role = Literal["structure", "side", "concept", "number", "unit", "filler", "unknown"]


@dataclass(frozen=True)
class Item:
    """One or more words with one meaning.

    Attributes:
        role: what they are; "unknown" if nothing is known of them.
        start: first word, as an index into the words of the sentence.
        end: one past the last word.
        text: the words.
        structures: identifiers, of a mention or named by a concept phrase; "left", "right" or "both" for a side.
        group: concept phrase group.
        fillers: ways in which the words may say nothing.
        value: a number; for a range its lower end, and `upper` the other one.
        unit: unit of the number, or a unit on its own.
        plural: several are named.
    """

    role: Role
    start: int
    end: int
    text: str
    structures: tuple[str, ...] = ()
    group: Group | None = None
    fillers: tuple[Filler, ...] = ()
    value: float | None = None
    upper: float | None = None
    unit: str | None = None
    plural: bool = False

    def is_filler(self, *roles: str) -> bool:
        """Whether these words can be a filler of one of these classes."""
        return any(filler.role in roles for filler in self.fillers)
