"""Guideline passages: short texts in our own words, each with its citations, read from reviewed data files.

A passage is data for a reader or a model and never an instruction; it decides no claim.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent.errors import UsageError

Phase = Literal["native", "arterial", "portal", "delayed"]
Polarity = Literal["presence", "absence", "neutral"]
Topic = Literal[
    "staging", "threshold", "differential", "resectability", "response", "category", "follow_up", "reporting",
    "measurement", "limits",
]  # fmt: skip
Ident = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[-_][a-z0-9]+)*$", max_length=80)]

MAX_FILE_BYTES = 1_000_000
MAX_PASSAGES = 5_000
_SENTENCE = re.compile(r"[.!?](?=\s|$)")
_SUPPORT = "_"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Citation(_Row):
    """Where a statement is from: a key of ``_sources.yaml``, and the section that says it ("" for the whole)."""

    source: Ident
    section: str = Field(default="", max_length=200)


class Source(_Row):
    """A published work: its full reference and its year."""

    text: str = Field(min_length=10, max_length=400)
    year: int = Field(ge=1950, le=2100)


class Fact(_Row):
    """Numbers of a clinical rule that a passage repeats; a test holds them equal to the rule's."""

    rule: Ident
    values: tuple[float, ...] = Field(min_length=1, max_length=12)


class Passage(_Row):
    """One passage.

    Attributes:
        id: identifier, unique over all files.
        title: one line.
        text: two to five sentences in our own words.
        organs: canonical structures that it speaks of; empty for any.
        phases: contrast phases that it holds for; empty for any.
        lesion_types: canonical types of lesions; empty for any.
        topic: what kind of knowledge it is.
        polarity: whether it speaks of something being there (presence), of something not being there or not shown
            (absence), or of neither.
        facts: rules whose numbers it repeats.
        citations: what it rests on.
        reviewed: day of its last review.
        reviewer: role of who reviewed it.
    """

    id: Ident
    title: str = Field(min_length=8, max_length=100)
    text: str = Field(min_length=80, max_length=900)
    organs: tuple[Ident, ...] = Field(default=(), max_length=12)
    phases: tuple[Phase, ...] = Field(default=(), max_length=4)
    lesion_types: tuple[Ident, ...] = Field(default=(), max_length=8)
    topic: Topic
    polarity: Polarity = "neutral"
    facts: tuple[Fact, ...] = Field(default=(), max_length=4)
    citations: tuple[Citation, ...] = Field(min_length=1, max_length=6)
    reviewed: date
    reviewer: Literal["project", "radiologist", "oncologist", "surgeon"]

    @field_validator("title", "text")
    @classmethod
    def _plain(cls, value: str) -> str:
        value = " ".join(value.split())
        if not value.isprintable():
            raise ValueError("a passage is printable text")
        return value

    @field_validator("text")
    @classmethod
    def _short(cls, value: str) -> str:
        count = len(_SENTENCE.findall(value))
        if not 2 <= count <= 5:
            raise ValueError(f"a passage has two to five sentences, this one has {count}")
        return value


class _File(_Row):
    reviewed: date
    reviewer: str
    passages: tuple[dict[str, Any], ...] = Field(max_length=MAX_PASSAGES)


class _Sources(_Row):
    sources: dict[Ident, Source]


class Corpus(_Row):
    """All passages and what they cite.

    Attributes:
        passages: in the order of their ids.
        sources: cited works by key.
    """

    passages: tuple[Passage, ...] = Field(min_length=1, max_length=MAX_PASSAGES)
    sources: dict[Ident, Source]

    @model_validator(mode="after")
    def _whole(self) -> Corpus:
        for ident, count in Counter(one.id for one in self.passages).items():
            if count > 1:
                raise ValueError(f"two passages are called {ident}")
        for one in self.passages:
            check_cited(one.id, one.citations, self.sources)
        return self

    @property
    def by_id(self) -> Mapping[str, Passage]:
        """Passages by identifier."""
        return MappingProxyType({one.id: one for one in self.passages})

    def get(self, ident: str) -> Passage:
        """The passage with this identifier.

        Raises:
            UsageError: if there is none.
        """
        found = self.by_id.get(ident)
        if found is None:
            raise UsageError(
                f"There is no guideline passage {ident[:80]!r}; `tumortrace guidelines search` finds their ids."
            )
        return found

    def cited(self, passage: Passage) -> tuple[str, ...]:
        """Full references of a passage, with the section of each."""
        return tuple(cited(one, self.sources) for one in passage.citations)


def cited(citation: Citation, sources: Mapping[str, Source]) -> str:
    """One full reference, with its section."""
    text = sources[citation.source].text
    return f"{text}, {citation.section}" if citation.section else text


def check_cited(ident: str, citations: Iterable[Citation], sources: Mapping[str, Source]) -> None:
    """Refuse citations of works that nobody described.

    Raises:
        ValueError: naming the passage or edge and the key.
    """
    for one in citations:
        if one.source not in sources:
            raise ValueError(f"{ident} cites {one.source}, which _sources.yaml doesn't know")


# The one written in C where the package has it: ten times faster, and every run reads all knowledge.
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def read_yaml(entry: Traversable) -> Any:
    """Content of a small YAML file.

    Raises:
        UsageError: for a file that is too large or no YAML.
    """
    with entry.open("rb") as stream:
        raw = stream.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"The knowledge file {entry.name} is larger than {MAX_FILE_BYTES} bytes; split it.")
    try:
        return yaml.load(raw.decode("utf-8"), LOADER)  # noqa: S506  (a SafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"The knowledge file {entry.name} is not readable as YAML ({reason}); mend it.") from None


def read_corpus(folder: Traversable) -> Corpus:
    """All passages of the YAML files of a folder; ``_sources.yaml`` holds what they cite.

    Args:
        folder: a folder; files whose names begin with an underscore hold no passages.

    Raises:
        UsageError: for a file that cannot be read or a passage that breaks a limit.
    """
    rows: list[Passage] = []
    name = "_sources.yaml"
    try:
        sources = _Sources.model_validate(read_yaml(folder.joinpath(name))).sources
        for entry in sorted(folder.iterdir(), key=lambda one: one.name):
            if entry.name.startswith(_SUPPORT) or not entry.name.endswith(".yaml"):
                continue
            name = entry.name
            file = _File.model_validate(read_yaml(entry))
            head = {"reviewed": file.reviewed, "reviewer": file.reviewer}
            rows += [Passage.model_validate({**head, **row}) for row in file.passages]
        name = "set as a whole"
        return Corpus(passages=tuple(sorted(rows, key=lambda one: one.id)), sources=sources)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise UsageError(f"The guideline file {name} has a wrong {where}: {first['msg']}; mend it.") from None


def guidelines_folder() -> Traversable:
    """Where the passages are."""
    return files("retrieval").joinpath("knowledge/guidelines")


@cache
def load_corpus() -> Corpus:
    """The passages of ``retrieval/knowledge/guidelines``, read once per process."""
    return read_corpus(guidelines_folder())
