"""Questions that may be asked next: understood for certain, answerable in this scan, and not asked before.

``agent/suggestions.toml`` says which question may follow which; here its rows are filled with what the scan shows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.interpret import interpret
from agent.interpret.asking_back import as_pairs, lesions, spoken_of
from agent.interpret.other_side import opposite, sides_of
from agent.query import Query, load_kinds
from tools.ontology import Structure, load_ontology
from tools.rules.model import rules_for
from tools.types import Evidence, State

About = Literal["scan", "same", "other side", "its lesions", "its organ", "lesions", "organs", "unseen lesions"]


class Row(BaseModel):
    """One question of the table; its file says what the fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    about: About
    after: tuple[str, ...] = ()
    first: bool = False
    kinds: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    least: int = 0
    true: str | None = None
    unless: str | None = None
    needs: str | None = None


class Table(BaseModel):
    """The table: its rows, and the organs in the order in which they are spoken of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organs: tuple[str, ...]
    row: tuple[Row, ...]


@cache
def load_table() -> Table:
    """The table of ``agent/suggestions.toml``, read once per process."""
    text = files("agent").joinpath("suggestions.toml").read_text(encoding="utf-8")
    return Table.model_validate(tomllib.loads(text))


def suggestions(
    case_structures: Sequence[str],
    asked: Sequence[Query],
    evidence: Mapping[str, Evidence],
    limit: int = 4,
    *,
    engines_see: Sequence[str] = (),
) -> list[str]:
    """Complete questions that may be asked next, the best first; no number of a finding is in them.

    Args:
        case_structures: canonical ids of the structures that are labelled in the scan.
        asked: all questions of the conversation so far, the last one last; none for a scan that was just opened.
        evidence: what was found so far, by id.
        limit: most questions.
        engines_see: canonical ids of the structures that a segmentation engine could look for.
    """
    seen = _Seen.of(case_structures, engines_see, asked, evidence)
    last = asked[-1].kind if asked else None
    table = load_table().row
    following = [row for row in table if (row.first if last is None else last in row.after)]
    always = [row for row in table if not row.after and not row.first]
    found: dict[str, str] = {}
    # At first one question of each kind, then whatever else there is.
    for varied in (True, False):
        for row in (*following, *always):
            for said, kind in _filled(row, seen):
                if len(found) >= limit:
                    return list(found)
                if said not in found and not (varied and kind in found.values()):
                    found[said] = kind
                    if varied:
                        break
    return list(found)


@dataclass(frozen=True)
class _Seen:
    """What a conversation about a scan has to go by.

    Attributes:
        there: structures of the scan.
        could: structures that engines could look for.
        asked: the questions so far.
        last: structures of the last question.
        evidence: what was found.
    """

    there: tuple[str, ...]
    could: frozenset[str]
    asked: tuple[Query, ...]
    last: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @classmethod
    def of(
        cls, structures: Sequence[str], could: Sequence[str], asked: Sequence[Query], evidence: Mapping[str, Evidence]
    ) -> _Seen:
        told = tuple(evidence.values())
        looked = {one.target: one.value for one in told if one.quantity == "exists" and "+" not in one.target}
        ontology = load_ontology()
        # Lesions that an engine saw are no less there than labelled ones; what was seen may be asked for by any name.
        labelled = [one for i in structures if (one := ontology.get(i)).kind == "lesion"]
        more = [
            i for i, there in looked.items()
            if there is True and (new := ontology.get(i)).organ is not None
            and not any(_is_a(one, str(new.lesion_type)) and _same_organ(one, new) for one in labelled)
        ]  # fmt: skip
        there = tuple(i for i in dict.fromkeys([*structures, *more]) if looked.get(i) is not False)
        together = [query for query in asked if query.text == asked[-1].text] if asked else []
        last = tuple(dict.fromkeys(i for query in together for i in query.structures))
        return cls(there, frozenset(could), tuple(asked), last, told)

    def subjects(self, about: About) -> list[str]:
        """The structures that a row may be about, the foremost first."""
        ontology = load_ontology()
        if about == "same":
            return list(self.last)
        if about == "other side":
            return [other for i in self.last if (other := opposite(i)) is not None and other not in self.last]
        if about == "its organ":
            return as_pairs([organ for i in self.last if (organ := ontology.get(i).organ) is not None])
        if about == "its lesions":
            near = {side for i in self.last for side in _with_sides(i)}
            return [i for i in self._lesions() if (organ := ontology.get(i).organ) and near & _with_sides(organ)]
        if about == "lesions":
            return self._lesions()
        if about == "unseen lesions":
            looked = {*self.there, *(one.target for one in self.evidence if one.quantity == "exists")}
            return lesions([i for i in self.could if i not in looked])
        order = load_table().organs
        found = [i for i in spoken_of([*self.there, *self.could]) if ontology.get(i).kind != "lesion"]
        return sorted(found, key=lambda i: order.index(_base(i)) if _base(i) in order else len(order))

    def _lesions(self) -> list[str]:
        """The lesions of the scan, tumours before cysts."""
        return sorted(lesions(self.there), key=lambda i: not _is_a(load_ontology().get(i), "tumor"))

    def shows(self, ident: str) -> bool:
        """Whether a structure, a side of it or a more special lesion is there or could be looked for."""
        ontology = load_ontology()
        one = ontology.get(ident)
        if _with_sides(ident) & {*self.there, *self.could} or any(part in self.there for part in one.parts):
            return True
        return one.kind == "lesion" and any(
            other.kind == "lesion" and one.organ in {None, other.organ} and _is_a(other, one.lesion_type or "lesion")
            for other in map(ontology.get, self.there)
        )

    def says(self, quantity: str, target: str) -> bool:
        """Whether some evidence says yes."""
        return any(e.quantity == quantity and e.target == target and e.value is True for e in self.evidence)

    def count(self, ident: str) -> int:
        """The number of lesions of a class as it was counted, a lower bound included; none before."""
        for one in self.evidence:
            number = one.value if one.value is not None else one.lower_bound
            if one.quantity == "lesion_count" and one.target == ident and isinstance(number, int | float):
                return int(number)
        return 0

    def known(self, query: Query) -> bool:
        """Whether the same was asked, of the structure itself or of both sides at once."""
        return any(
            one.kind == query.kind
            and (one.structures == query.structures or (len(one.structures) == 1 and _covers(one, query)))
            for one in self.asked
        )


def _filled(row: Row, seen: _Seen) -> Iterator[tuple[str, str]]:
    """The questions of a row, each with its kind."""
    if row.unless is not None and seen.says(row.unless, "scan"):
        return
    if row.needs is not None and not any(e.quantity == row.needs and e.state is State.MEASURED for e in seen.evidence):
        return
    if row.about == "scan" and not _has(row.types, seen):
        return
    for ident in [None] if row.about == "scan" else seen.subjects(row.about):
        if ident is not None and not _takes(row, ident, seen):
            continue
        one = load_ontology().get(ident) if ident is not None else None
        said = row.ask.format(name=one.name, names=one.names) if one is not None else row.ask
        read = interpret(said, available=seen.there)
        queries = [query for query in read if isinstance(query, Query)]
        answered = len(queries) == len(read) and all(_answerable(query, seen) for query in queries)
        if answered and not all(map(seen.known, queries)):
            yield said, queries[0].kind


def _has(types: Sequence[str], seen: _Seen) -> bool:
    """Whether the scan shows a lesion of one of these types."""
    return not types or any(_is_a(load_ontology().get(i), kind) for i in seen.there for kind in types)


def _takes(row: Row, ident: str, seen: _Seen) -> bool:
    """Whether a row may be about a structure."""
    one = load_ontology().get(ident)
    asked = [load_ontology().get(i) for i in seen.last] if row.about == "its organ" else [one]
    return (
        seen.shows(ident)
        and (not row.kinds or one.kind in row.kinds)
        and (not row.of or _base(one.organ or ident) in row.of)
        and (not row.types or any(_is_a(each, kind) for each in asked for kind in row.types))
        and not any(_is_a(each, kind) for each in asked for kind in row.besides)
        and (not row.least or seen.count(ident) >= row.least)
        and (row.true is None or any(seen.says(row.true, side) for side in _with_sides(ident)))
    )


def _answerable(query: Query, seen: _Seen) -> bool:
    """Whether the scan shows what a question speaks of, and some rule decides what it asks."""
    if not all(map(seen.shows, query.structures)):
        return False
    topics = [step.topic for step in load_kinds()[query.kind].chain if step.topic is not None]
    if not topics or not query.structures:
        return True
    one = load_ontology().get(query.structures[0])
    kind = one.lesion_type if one.kind == "lesion" else None
    return all(rules_for(topic, _base(one.organ or one.id), kind) for topic in topics)


def _covers(one: Query, query: Query) -> bool:
    """Whether a question about a pair asked about each of these."""
    return set(query.structures) <= _with_sides(one.structures[0])


def _with_sides(ident: str) -> set[str]:
    """A structure, and both sides of a pair or of the lesions in one."""
    return {ident} if opposite(ident) is not None else {ident, *sides_of(ident)}


def _is_a(one: Structure, kind: str) -> bool:
    return one.lesion_type is not None and kind in load_ontology().ancestors(one.lesion_type)


def _same_organ(one: Structure, other: Structure) -> bool:
    return one.organ is not None and other.organ is not None and _base(one.organ) == _base(other.organ)


def _base(ident: str) -> str:
    one = load_ontology().get(ident)
    return one.base or ident
