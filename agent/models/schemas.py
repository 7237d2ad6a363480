"""The small flat forms that a served model fills in: JSON schemas for the server, and how an answer is read.

At most two levels, every array, string and choice bounded: a tiny model may otherwise fill its whole budget. What a
server lets through is read again here, leniently in its length and strictly in its types.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.models.table import NONE, Table
from agent.query import load_kinds
from tools.types import State

Schema = dict[str, Any]

MOST_DIFFERENTIAL = 4
MOST_TASKS = 6
MOST_OBJECTIONS = 6
MOST_SENTENCES = 60
LONGEST_VALUE = 64
_LONGEST_WORDS = 60
UNITS = ("ml", "cm3", "mm3", "l", "mm", "cm", "m", "HU", "%", "deg")
COMPARATORS = ("gt", "lt", "ge", "le")

Why = Literal["value", "unit", "state", "structure", "beyond_evidence"]
REASONS: dict[str, str] = {
    "value": "its value is to be the one of its evidence",
    "unit": "its unit is to be the one of its evidence",
    "state": "its state is to be the one of its evidence",
    "structure": "it is to speak of the structure of its evidence",
    "beyond_evidence": "it is to claim no more than its evidence shows",
}
"""What a model critic may object; its own words are never shown."""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AnswerForm(_Form):
    """One answer; `value` is text as the table shows it, "yes" or "no"."""

    q: int
    evidence: str
    value: str = ""
    unit: str = ""
    state: str
    option: str = NONE


class ImpressionForm(_Form):
    """One impression, restated."""

    evidence: str
    value: str = ""
    unit: str = ""
    state: str


class ConcludeForm(_Form):
    """A conclusion; the fields that were not asked for are left out."""

    answers: list[AnswerForm] = Field(default_factory=list, max_length=64)
    findings: list[str] = Field(default_factory=list, max_length=256)
    impression: list[ImpressionForm] = Field(default_factory=list, max_length=64)
    t: str | None = None
    n: str | None = None
    m: str | None = None
    stage: str | None = None
    diagnosis: str | None = None
    differential: list[str] = Field(default_factory=list, max_length=64)


class ReadingForm(_Form):
    """How a model reads a question."""

    kind: str
    structures: list[str] = Field(default_factory=list, max_length=8)
    number: float | None = None
    upper: float | None = None
    unit: str | None = None
    comparator: str | None = None
    wanted: str | None = None
    negated: bool = False


class TaskForm(_Form):
    """One task that a model wishes."""

    tool: str
    structure: str


class PlanForm(_Form):
    """What a model wishes to be measured."""

    tasks: list[TaskForm] = Field(default_factory=list, max_length=64)


class ObjectionForm(_Form):
    """One objection of a model critic."""

    statement: str
    evidence: str
    why: Why


class CritiqueForm(_Form):
    """Objections of a model critic."""

    objections: list[ObjectionForm] = Field(default_factory=list, max_length=64)


class ReplyForm(_Form):
    """Numbers of the sentences to say, from 1."""

    sentences: list[int] = Field(max_length=1000)


def conclude_schema(table: Table, *, options: int, pathology: Sequence[str] | None) -> Schema:
    """The form of a conclusion.

    Args:
        table: the evidence; only its aliases can be named.
        options: number of choices of a multiple-choice question.
        pathology: lesion types that may be named; None where no pathology is asked for.
    """
    units = {row.unit for row in table.rows} | {""}
    restated = {"evidence": _one_of([row.alias for row in table.rows])}
    # What no row has is not asked for: a small model fills in something.
    if longest := _longest(table):
        restated["value"] = _text(longest)
    if len(units) > 1:
        restated["unit"] = _one_of(sorted(units))
    restated["state"] = _one_of([state.value for state in State])
    fields: Schema = {}
    if table.asked:
        numbers = [asked.number for asked in table.asked]
        answer: Schema = {"q": {"type": "integer", "enum": numbers}, **restated}
        if options:
            answer["option"] = _one_of([*(chr(65 + at) for at in range(options)), NONE])
        fields["answers"] = _array(_object(answer), len(numbers), len(numbers))
    findings, impression = list(table.told("finding")), list(table.told("impression"))
    if findings:
        fields["findings"] = _array(_one_of(findings), 0, len(findings))
    if impression:
        fields["impression"] = _array(_object(restated), 0, len(impression))
    if pathology is not None:
        fields |= {name: _text(8) for name in ("t", "n", "m", "stage")}
        fields["diagnosis"] = _one_of([*pathology, NONE])
        if pathology:
            fields["differential"] = _array(_one_of(pathology), 0, min(MOST_DIFFERENTIAL, len(pathology)))
    return _object(fields)


def _longest(table: Table) -> int:
    """Characters that a value may have: what the table's longest has, in steps of eight; 0 where nothing has one.

    A server compiles a form before it can fill it in, which takes it the longer the longer its texts may be: seconds
    of processor time for 64 characters, hundredths of one for 8.
    """
    rights = [asked.right.value for asked in table.asked if asked.right.value is not None]
    longest = max(map(len, [row.value for row in table.rows] + [str(right) for right in rights]), default=0)
    return min(LONGEST_VALUE, -(-longest // 8) * 8)


def reading_schema() -> Schema:
    """The form of a reading."""
    return _object(
        {
            "kind": _one_of([*load_kinds(), "unknown"]),
            "structures": _array(_text(_LONGEST_WORDS), 0, 4),
            "number": {"type": ["number", "null"]},
            "upper": {"type": ["number", "null"]},
            "unit": {"type": ["string", "null"], "enum": [*UNITS, None]},
            "comparator": {"type": ["string", "null"], "enum": [*COMPARATORS, None]},
            "wanted": {"type": ["string", "null"], "maxLength": 40},
            "negated": {"type": "boolean"},
        }
    )


def plan_schema(tools: Collection[str], structures: Collection[str]) -> Schema:
    """The form of a plan."""
    task = _object({"tool": _one_of(sorted(tools)), "structure": _one_of(sorted(structures))})
    return _object({"tasks": _array(task, 0, MOST_TASKS)})


def critique_schema(statements: Sequence[str], aliases: Sequence[str]) -> Schema:
    """The form of a critique."""
    one = {"statement": _one_of(statements), "evidence": _one_of(aliases), "why": _one_of(list(REASONS))}
    return _object({"objections": _array(_object(one), 0, MOST_OBJECTIONS)})


def reply_schema(sentences: int) -> Schema:
    """The form of a reply."""
    return _object({"sentences": _array({"type": "integer", "enum": list(range(1, sentences + 1))}, 1, sentences)})


def _object(fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _array(items: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _text(longest: int) -> Schema:
    return {"type": "string", "maxLength": longest}


def _one_of(choices: Sequence[Any]) -> Schema:
    return {"type": "string", "enum": list(choices)}
