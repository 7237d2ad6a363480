"""What a served model sees of a run: its evidence as a compact table with short aliases, and the questions.

An alias is the place of a piece of evidence among all of the run's ("e7" is the seventh), so it stays the same in
later rounds, and a table only grows at its end: the server's prefix cache goes on to hit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pydantic import JsonValue

from agent.claims import answer_for
from agent.query import Query, load_kinds
from agent.state import Claim, Objection, RunState, Target
from agent.telling import telling
from agent.wording import describe
from tools.registry import load_tools
from tools.types import Evidence, Scalar, State
from tools.units import number_text, symbol

MOST_ROWS = 40
MOST_CHARACTERS = 5000
"""Bounds of a table; some 2000 tokens."""
MOST_IMPRESSIONS = 10
"""Impressions of a report that the model is asked for; what it is not shown, the evidence tells by itself."""
_NOTE = 200
_LONGEST_VALUE = 60
NONE = "none"
COLUMNS = ("id", "what", "of", "value", "unit", "state", "as", "note")


@dataclass(frozen=True)
class Row:
    """One piece of evidence as the model sees it.

    Attributes:
        alias: "e7".
        one: the evidence.
        role: "finding" or "impression" in a report, "answer" for what decides a question, else empty.
        value: its value as text; empty where it has none.
        note: its sentence, where the columns don't say all of it.
    """

    alias: str
    one: Evidence
    role: str
    value: str
    note: str

    @property
    def unit(self) -> str:
        """Symbol of the unit."""
        return symbol(self.one.unit)

    def cells(self) -> list[JsonValue]:
        """In the order of `COLUMNS`."""
        one = self.one
        return [self.alias, one.quantity, one.target, self.value, self.unit, one.state.value, self.role, self.note]

    def restated(self) -> dict[str, JsonValue]:
        """As an answer restates it."""
        return {"evidence": self.alias, "value": self.value, "unit": self.unit, "state": self.one.state.value}


@dataclass(frozen=True)
class Asked:
    """One question that evidence decides.

    Attributes:
        number: from 1, as the model is asked.
        target: what decides it.
        query: the question.
        decisive: the evidence that decides it.
        right: the answer that follows from the evidence.
    """

    number: int
    target: Target
    query: Query
    decisive: Evidence
    right: Claim


@dataclass(frozen=True)
class Table:
    """The evidence that a model concludes from.

    Attributes:
        rows: in the order in which the evidence was made.
        asked: the questions that can be answered.
        left_out: pieces of evidence that did not fit.
    """

    rows: tuple[Row, ...]
    asked: tuple[Asked, ...]
    left_out: int
    _told: tuple[Claim, ...] = field(repr=False, default=())

    @cached_property
    def by_alias(self) -> dict[str, Row]:
        """Rows by alias."""
        return {row.alias: row for row in self.rows}

    @cached_property
    def by_id(self) -> dict[str, Row]:
        """Rows by id of the evidence."""
        return {row.one.id: row for row in self.rows}

    def told(self, role: str) -> dict[str, Claim]:
        """Claims of a report that the model is asked for ("finding", "impression"), by alias."""
        return {
            self.by_id[claim.evidence[0]].alias: claim
            for claim in self._told
            if claim.level == role and claim.evidence[0] in self.by_id
        }

    def untold(self) -> tuple[Claim, ...]:
        """Claims of a report whose evidence did not fit into the table."""
        return tuple(claim for claim in self._told if claim.evidence[0] not in self.by_id)

    def document(self) -> dict[str, JsonValue]:
        """For the prompt. How many rows were left out stands in `round_document`: here it would break the prefix."""
        rows: list[JsonValue] = [row.cells() for row in self.rows]
        columns: list[JsonValue] = list(COLUMNS)
        return {"columns": columns, "rows": rows}

    def questions(self, state: RunState) -> list[JsonValue]:
        """The questions for the prompt; the words are the user's.

        This part of a prompt is new with every question, so that no cache has it: what says nothing is left out.
        """
        made: list[JsonValue] = []
        for asked in self.asked:
            kind = load_kinds()[asked.query.kind]
            one: dict[str, JsonValue] = {
                "q": asked.number,
                "asked": asked.query.text or state.request.question or "",
                "asks": kind.says,
                "form": "boolean" if asked.query.wanted else kind.answer.form,
                # Small models find a row by its number only with luck.
                "row": self.by_id[asked.decisive.id].restated(),
            }
            if asked.query.negated:
                one["negated"] = True
            if state.request.options:
                one["options"] = [f"{chr(65 + at)}: {text}" for at, text in enumerate(state.request.options)]
            made.append(one)
        return made

    def round_document(self, state: RunState) -> dict[str, JsonValue]:
        """The round's number, what was left out, and the objections to the round before."""
        made: dict[str, JsonValue] = {"round": max(state.round, 1)}
        if self.left_out:
            made["left_out"] = self.left_out
        if state.objections:
            made["objections"] = [self._objection(one, state) for one in state.objections[:MOST_IMPRESSIONS]]
        return made

    def _objection(self, one: Objection, state: RunState) -> JsonValue:
        """Which claim, which evidence, why, and what would have passed, where evidence decides that."""
        claim = one.claim or ""
        level, _, rest = claim.partition("-")
        right: dict[str, JsonValue] | None = None
        if level == "answer" and rest.isdigit():
            asked = next((asked for asked in self.asked if asked.target.query == int(rest) - 1), None)
            claim = f"answer {asked.number}" if asked else ""
            right = self._right(asked, state) if asked else None
        elif rest in self.by_id:
            claim = f"{level} {self.by_id[rest].alias}"
            right = self.by_id[rest].restated() if level == "impression" else None
        elif claim != "pathology":
            claim = ""
        row = self.by_id.get(one.evidence or "")
        told: dict[str, JsonValue] = {
            "claim": claim, "evidence": row.alias if row else "", "gate": one.gate, "why": one.expected,
        }  # fmt: skip
        return told | ({"expected": right} if right else {})

    def _right(self, asked: Asked, state: RunState) -> dict[str, JsonValue]:
        """The answer that follows from the evidence, as a model would give it."""
        row = self.by_id[asked.decisive.id].restated()
        value = asked.right.value
        said: dict[str, JsonValue] = {"value": shown(value, asked.right.unit)} if isinstance(value, bool) else {}
        return row | said | ({"option": asked.right.option or NONE} if state.request.options else {})


def build_table(state: RunState, *, most_characters: int = MOST_CHARACTERS) -> Table:
    """The table of a state: for questions what their answers rest on, for a report what is worth telling.

    Args:
        state: the run.
        most_characters: bound of the rows' text; what decides a question is always in.
    """
    asked = tuple(_asked(state))
    told = telling(state) if state.request.question is None else ()
    wanted = _of_report(state, told) if state.request.question is None else _of_questions(state, asked)
    alias = {ident: f"e{number}" for number, ident in enumerate(state.evidence, start=1)}
    rows: list[Row] = []
    left_out = characters = 0
    needed = {one.decisive.id for one in asked}
    for one, role in wanted:
        row = Row(alias[one.id], one, role, shown(one.value, one.unit), _note(one, state))
        size = sum(len(str(cell)) + 3 for cell in row.cells())
        if one.id not in needed and (len(rows) >= MOST_ROWS or characters + size > most_characters):
            left_out += 1
            continue
        characters += size
        rows.append(row)
    rows.sort(key=lambda row: int(row.alias[1:]))
    table = Table(tuple(rows), asked, left_out, told)
    return replace(table, left_out=len(table.untold())) if told else table


def shown(value: Scalar, unit: str | None) -> str:
    """A value as the report prints it, or its beginning where it is long."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number_text(value, unit) if isinstance(value, int | float) else _cut(value, _LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _asked(state: RunState) -> Iterator[Asked]:
    number = 0
    for target in state.targets:
        query, decisive, right = state.queries[target.query], state.lookup(target.decisive), answer_for(state, target)
        if isinstance(query, Query) and decisive is not None and right is not None:
            number += 1
            yield Asked(number, target, query, decisive, right)


def _of_questions(state: RunState, asked: Sequence[Asked]) -> list[tuple[Evidence, str]]:
    """What decides the questions, then what is told beside it, then what these rest on."""
    found: dict[str, tuple[Evidence, str]] = {one.decisive.id: (one.decisive, "answer") for one in asked}
    refs = [ref for one in asked for ref in one.target.also]
    queue = [one for one, _ in found.values()] + [one for one in state.lookup_all(refs) if one is not None]
    while queue:
        one = queue.pop(0)
        found.setdefault(one.id, (one, ""))
        queue += [state.evidence[i] for i in one.inputs if i in state.evidence and i not in found]
    return list(found.values())


def _of_report(state: RunState, told: Sequence[Claim]) -> list[tuple[Evidence, str]]:
    """Impressions first, which are what there is to judge, then findings; each in the order of the report."""
    impressions = [claim for claim in told if claim.level == "impression"][:MOST_IMPRESSIONS]
    findings = [claim for claim in told if claim.level == "finding"]
    return [(state.evidence[claim.evidence[0]], claim.level) for claim in (*impressions, *findings)]


def _note(one: Evidence, state: RunState) -> str:
    """The sentence of what is derived, unmeasured or bounded; a plain measurement is told by its columns."""
    tool = load_tools().get(one.tool)
    plain = one.state is State.MEASURED and one.value is not None and not (tool and tool.derives)
    # Where a rule comes from is no part of what it found.
    text = "" if plain else describe(one, state.evidence).text.partition(" Source: ")[0]
    return _cut(text, _NOTE)
