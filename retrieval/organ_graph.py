"""Organ knowledge graph: what a finding in one structure opens in others, as reviewed data with a citation per edge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import UsageError
from retrieval.passages import Citation, Ident, Source, check_cited, cited, load_corpus, read_yaml

Side = Literal["left", "right"]
Check = Literal["presence", "measure", "vessel_contact", "distance", "lesions"]
Relation = Literal["contains", "adjacent", "drains", "supplied_by", "spreads_to", "receives_from", "affects"]
Template = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(?:_\$side|_\$other)?$", max_length=80)]
TriggerName = Annotated[str, Field(pattern=r"^@?[a-z][a-z0-9_]*$", max_length=80)]

_SIDES: tuple[Side, Side] = ("left", "right")


class Condition(StrEnum):
    """What was found of a structure; the last four are verdicts of the rules on the topic of the same name."""

    PRESENT = "present"
    MULTIPLE = "multiple"
    DILATED = "dilated"
    ENLARGED = "enlarged"
    SMALL = "small"
    FATTY = "fatty"
    PORTAL_HYPERTENSION = "portal_hypertension"


RULE_CONDITIONS = (Condition.ENLARGED, Condition.SMALL, Condition.FATTY, Condition.PORTAL_HYPERTENSION)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trigger(_Row):
    """The finding that opens an edge: a structure or ``@class``, its condition, and its part if that matters."""

    structure: TriggerName
    condition: Condition
    part: Ident | None = None


class Opening(_Row):
    """A check that is opened; ``$side`` and ``$other`` stand for the finding's side and the other one."""

    structure: Template
    check: Check
    why: str = Field(min_length=8, max_length=160)


class Edge(_Row):
    """From a finding to the checks that follow; priority 1 comes first."""

    id: Ident
    priority: int = Field(ge=1, le=9)
    trigger: Trigger
    opens: tuple[Opening, ...] = Field(min_length=1, max_length=12)
    citations: tuple[Citation, ...] = Field(min_length=1, max_length=6)


class Related(_Row):
    """A structure that an organ has to do with."""

    structure: Ident
    relation: Relation
    citations: tuple[Citation, ...] = Field(min_length=1, max_length=6)


class Organ(_Row):
    """An organ: its parts, the quantities that describe it, and its relations."""

    id: Ident
    parts: tuple[Ident, ...] = Field(max_length=24)
    attributes: tuple[Ident, ...] = Field(min_length=1, max_length=24)
    related: tuple[Related, ...] = Field(max_length=24)


class OrganGraph(_Row):
    """The whole graph, with what it cites.

    Attributes:
        version, reviewed, reviewer: version of the data, day of the last review, and role of who made it.
        classes: identifiers that a trigger's ``@name`` stands for.
        organs: organs with parts, attributes and relations.
        edges: what findings open.
        sources: cited works by key.
    """

    version: str
    reviewed: date
    reviewer: str
    classes: dict[Ident, tuple[Ident, ...]]
    organs: tuple[Organ, ...] = Field(max_length=200)
    edges: tuple[Edge, ...] = Field(max_length=2_000)
    sources: dict[Ident, Source]

    @model_validator(mode="after")
    def _whole(self) -> OrganGraph:
        for ident, count in Counter([*(one.id for one in self.edges), *(one.id for one in self.organs)]).items():
            if count > 1:
                raise ValueError(f"two edges or organs are called {ident}")
        for edge in self.edges:
            check_cited(edge.id, edge.citations, self.sources)
            if edge.trigger.structure.startswith("@") and edge.trigger.structure[1:] not in self.classes:
                raise ValueError(f"edge {edge.id} names the class {edge.trigger.structure}, which there is not")
        for organ in self.organs:
            for related in organ.related:
                check_cited(organ.id, related.citations, self.sources)
        return self

    def members(self, trigger: Trigger) -> tuple[str, ...]:
        """Identifiers that a trigger stands for, without sides."""
        name = trigger.structure
        return self.classes[name[1:]] if name.startswith("@") else (name,)

    def cited(self, edge: Edge) -> tuple[str, ...]:
        """Full references of an edge."""
        return tuple(cited(one, self.sources) for one in edge.citations)


class Finding(_Row):
    """Something found in the scan.

    Attributes:
        structure: canonical structure or lesion class; a side at its end is taken as `side`.
        condition: what was found of it.
        side: side, for paired organs and their lesions; None where there is none or it isn't known.
        part: the part of the organ that it lies in, None if unknown.
        depth: number of hops that led to it; 0 for what the question itself asks.
    """

    structure: Ident
    condition: Condition
    side: Side | None = None
    part: Ident | None = None
    depth: int = Field(default=0, ge=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _sided(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(named := data.get("structure"), str):
            return data
        for side in _SIDES:
            if named.endswith(f"_{side}"):
                if data.get("side") not in {None, side}:
                    raise ValueError(f"{named} is not of the {data['side']} side")
                return {**data, "structure": named.removesuffix(f"_{side}"), "side": side}
        return data


class Hop(_Row):
    """One check that a finding opened.

    Attributes:
        edge: the edge that opened it.
        structure: canonical structure, with its side.
        check: what is to be done with it.
        why: the reason, as a clause.
        citations: full references.
        priority, depth: of the edge, 1 comes first; number of hops from what the question asks.
        source, condition, part: the finding that opened it: structure with its side, and what the edge asks of it.
    """

    edge: str
    structure: str
    check: Check
    why: str
    citations: tuple[str, ...]
    priority: int
    depth: int
    source: str
    condition: Condition
    part: str | None = None

    @property
    def key(self) -> str:
        """What is visited: the same check of the same structure is done once."""
        return f"{self.check}:{self.structure}"


class Limits(_Row):
    """How far findings lead: hops given at once, and hops from what the question asks."""

    max_hops: int = Field(default=24, ge=1, le=500)
    max_depth: int = Field(default=3, ge=1, le=20)


_DEFAULT = Limits()


def edges_for(
    findings: Iterable[Finding],
    visited: Collection[str],
    graph: OrganGraph | None = None,
    limits: Limits = _DEFAULT,
) -> list[Hop]:
    """Checks that findings open and that were not done yet, the most important first.

    A pure function of the set of findings. No key is given again once it is visited: following hops ends.

    Args:
        findings: what was found so far.
        visited: keys of hops that were done (`Hop.key`).
        graph: the graph; that of the package if None.
        limits: most hops and greatest depth.
    """
    known = graph or load_organ_graph()
    done = set(visited)
    opened = [one for found in set(findings) if found.depth < limits.max_depth for one in _opened(found, known)]
    hops: list[Hop] = []
    for one in sorted(opened, key=lambda one: one.rank):
        if len(hops) == limits.max_hops:
            break
        if one.key not in done:
            done.add(one.key)
            hops.append(one.hop(known))
    return hops


@dataclass(frozen=True)
class _Opened:
    """A hop before it is chosen: most are not."""

    edge: Edge
    opening: Opening
    structure: str
    finding: Finding

    @property
    def source(self) -> str:
        return "_".join(filter(None, (self.finding.structure, self.finding.side)))

    @property
    def key(self) -> str:
        return f"{self.opening.check}:{self.structure}"

    @property
    def rank(self) -> tuple[int, int, str, str, str, str]:
        return self.edge.priority, self.finding.depth, self.edge.id, self.structure, self.opening.check, self.source

    def hop(self, graph: OrganGraph) -> Hop:
        return Hop(
            edge=self.edge.id, structure=self.structure, check=self.opening.check, why=self.opening.why,
            citations=graph.cited(self.edge), priority=self.edge.priority, depth=self.finding.depth + 1,
            source=self.source, condition=self.edge.trigger.condition, part=self.edge.trigger.part,
        )  # fmt: skip


def _opened(finding: Finding, graph: OrganGraph) -> Iterator[_Opened]:
    for edge in graph.edges:
        trigger = edge.trigger
        fits = trigger.condition is finding.condition and finding.structure in graph.members(trigger)
        if fits and trigger.part in {None, finding.part}:
            for opening in edge.opens:
                for structure in sided(opening.structure, finding.side):
                    yield _Opened(edge, opening, structure, finding)


def sided(template: str, side: Side | None) -> tuple[str, ...]:
    """Identifiers that a template stands for: both sides where the finding has none."""
    base, mark, which = template.partition("_$")
    if not mark:
        return (template,)
    wanted = _SIDES if side is None else tuple(one for one in _SIDES if (one == side) == (which == "side"))
    return tuple(f"{base}_{one}" for one in wanted)


def read_organ_graph(entry: Traversable) -> OrganGraph:
    """The graph of a file.

    Raises:
        UsageError: for a file that cannot be read or a row that breaks a limit.
    """
    data = read_yaml(entry)
    try:
        return OrganGraph.model_validate({**data, "sources": load_corpus().sources} if isinstance(data, dict) else data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise UsageError(f"The organ graph {entry.name} has a wrong {where}: {first['msg']}; mend it.") from None


@cache
def load_organ_graph() -> OrganGraph:
    """The graph of ``retrieval/knowledge/organ_graph.yaml``, read once per process."""
    return read_organ_graph(files("retrieval").joinpath("knowledge/organ_graph.yaml"))
