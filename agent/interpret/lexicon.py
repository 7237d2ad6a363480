"""The words of questions, read from ``words/*.toml``: phrases of concepts, fillers, units, number words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence, Set
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.query import AnswerForm, Comparator
from tools.text import plural, words

FillerClass = Literal[
    "article", "preposition", "aux", "what", "request", "scan", "polite", "tag", "about", "joint", "stop",
    "mark", "pronoun",
]  # fmt: skip
Phrase = tuple[str, ...]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Group(_Data):
    """Phrases that stand for the same concepts; the fields are explained at the head of the data file."""

    concepts: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    comparator: Comparator | None = None
    superlative: bool = False
    marker: bool = False
    post: bool = False
    negates: bool = False
    structures: tuple[str, ...] = ()
    weak: tuple[AnswerForm, ...] = ()
    mask: bool = False
    category: str | None = None
    answer: bool = False
    relates: bool = False
    asks: Literal["value", "name"] | None = None


class Filler(_Data):
    """Words that say nothing, always or beside one of the concepts in `beside`."""

    role: FillerClass = Field(alias="class")
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    beside: tuple[str, ...] = Field(default=(), alias="with")
    without_number: bool = False
    beside_structures: bool = False


class UnitWords(_Data):
    """Names of a unit and what it measures."""

    dimension: str
    names: tuple[str, ...]


class Elsewhere(_Data):
    """Concepts that mean another thing beside structures of a kind (or these), unless a further concept is there."""

    concepts: tuple[str, ...]
    kind: str | None = None
    structures: tuple[str, ...] = ()
    reason: str
    unless: tuple[str, ...] = ()


class Lexicon(_Data):
    """All of it, with its indices from phrase (a tuple of words) to meaning."""

    group: tuple[Group, ...]
    filler: tuple[Filler, ...]
    units: dict[str, UnitWords]
    dimensions: dict[str, str]
    implied: dict[str, str]
    numbers: dict[str, float]
    categories: dict[str, str] = Field(default_factory=dict)
    covers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    opposes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    leans: dict[str, str] = Field(default_factory=dict)
    elsewhere: tuple[Elsewhere, ...] = ()

    @cached_property
    def groups_of(self) -> dict[Phrase, Group]:
        """Concept phrases; plurals of nouns included."""
        return {
            phrase: group
            for group in self.group
            for phrase in _phrases([*group.phrases, *group.nouns, *map(plural, group.nouns)])
        }

    @cached_property
    def fillers_of(self) -> dict[Phrase, tuple[Filler, ...]]:
        """Filler phrases; one phrase may be a filler under several conditions."""
        found: dict[Phrase, tuple[Filler, ...]] = {}
        for filler in self.filler:
            for phrase in _phrases(filler.phrases):
                found[phrase] = (*found.get(phrase, ()), filler)
        return found

    @cached_property
    def unit_of(self) -> dict[Phrase, str]:
        """Unit names."""
        return {p: unit for unit, names in self.units.items() for p in _phrases([*names.names, unit])}

    @cached_property
    def longest(self) -> int:
        """Words of the longest phrase."""
        return max(map(len, [*self.groups_of, *self.fillers_of, *self.unit_of]))

    @cached_property
    def patterns(self) -> tuple[tuple[re.Pattern[str], Group], ...]:
        """Patterns of whole words, each with its group."""
        return tuple((re.compile(f"(?:{one})(?= |$)"), group) for group in self.group for one in group.patterns)

    @cached_property
    def filler_patterns(self) -> tuple[tuple[re.Pattern[str], Filler], ...]:
        """Patterns of whole words that say nothing, each with its filler."""
        return tuple((re.compile(f"(?:{one})(?= |$)"), filler) for filler in self.filler for one in filler.patterns)

    def patterned_filler(self, texts: Sequence[str], around: Set[str]) -> tuple[int, Filler] | None:
        """The longest filler pattern that the words begin with and that may stand there: its words, and the filler."""
        rest = " ".join(texts)
        told = [
            (len(match.group(0).split()), filler)
            for one, filler in self.filler_patterns
            if (not filler.beside or around & set(filler.beside)) and (match := one.match(rest))
        ]
        return max(told, key=lambda one: one[0], default=None)

    def patterned(self, texts: Sequence[str]) -> dict[int, tuple[int, Group]]:
        """Where patterns match the words of a sentence, the longest first: one past the last word, and the group."""
        found: dict[int, tuple[int, Group]] = {}
        for at in range(len(texts)):
            rest = " ".join(texts[at:])
            told = [(len(match.group(0).split()), group) for one, group in self.patterns if (match := one.match(rest))]
            if told:
                size, group = max(told, key=lambda one: one[0])
                found[at] = (at + size, group)
        return found

    def dimension(self, unit: str | None) -> str | None:
        """What a unit measures, or None for no unit and for units that are none (ratios, counts)."""
        return self.units[unit].dimension if unit in self.units else None


def _phrases(texts: Iterable[str]) -> list[Phrase]:
    return [tuple(words(text)) or (text,) for text in texts]


@cache
def load_lexicon() -> Lexicon:
    """The lexicon of ``agent/interpret/words/*.toml``, read once per process."""
    data: dict[str, Any] = {}
    for entry in sorted(files("agent.interpret").joinpath("words").iterdir(), key=lambda path: path.name):
        if not entry.name.endswith(".toml"):
            continue
        for key, value in tomllib.loads(entry.read_text(encoding="utf-8")).items():
            if isinstance(value, list):
                data.setdefault(key, []).extend(value)
            else:
                data.setdefault(key, {}).update(value)
    return Lexicon.model_validate(data)
