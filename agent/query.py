"""Typed questions: what is asked, of which structures, in which unit, with which options.

A question kind is one small file under ``agent/kinds/``: the concepts whose words ask it, the structures it takes,
the chain of tool calls that its answer needs, and which of their results is the answer. The interpreter turns
words into a `Query`; the planner turns a `Query` and its `Kind` into tasks. Neither knows any kind by name.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Comparator = Literal["gt", "lt", "ge", "le"]
AnswerForm = Literal["number", "boolean", "name", "category", "text"]


class Query(BaseModel):
    """One question, understood.

    Attributes:
        kind: identifier of the question kind.
        structures: canonical identifiers in the order in which the question names them.
        unit: unit asked for ("ml", "cm", …), None for the kind's own.
        comparator: for comparisons: "is the first greater (gt) / less (lt) …".
        threshold: number to compare with, in `threshold_unit`.
        threshold_unit: its unit; None where the question names none.
        negated: whether the question asks for the opposite ("is the liver free of lesions?").
        text: the words of this question as the user put them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    structures: tuple[str, ...] = ()
    unit: str | None = None
    comparator: Comparator | None = None
    threshold: float | None = None
    threshold_unit: str | None = None
    negated: bool = False
    text: str = ""


class NotUnderstood(BaseModel):
    """A question that no kind covers; nothing else is answered in its place.

    Attributes:
        text: the words that were not understood.
        reason: one sentence: which words are unknown, or which readings compete.
        nearest: up to three questions that can be answered and are closest to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    reason: str
    nearest: tuple[str, ...] = ()


class StructureNeed(BaseModel):
    """Which structures a kind takes.

    Attributes:
        min: fewest.
        max: most; more than that is split into one query each when `each` is set.
        kinds: structure kinds allowed ("organ", "lesion", …); empty for any.
        only: exact tuples of identifiers allowed (in this order); empty for any.
        each: with several structures, ask the question of each one separately.
        parts: a pair or group counts as its parts ("which kidney is larger?").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = 1
    max: int = 1
    kinds: tuple[str, ...] = ()
    only: tuple[tuple[str, ...], ...] = ()
    each: bool = False
    parts: bool = False


class Step(BaseModel):
    """One link of an evidence chain.

    Exactly one of `tool` and `topic` is set. Arguments may hold placeholders: ``$structure`` (the first),
    ``$second``, ``$structures``, ``$organ`` (of a lesion), ``$unit``, ``$comparator``, ``$threshold``,
    ``$threshold_unit``, and ``@step.quantity`` for the evidence that an earlier step made; ``over`` runs the
    step once per structure, and ``@step.quantity`` then stands for the list of all.

    Attributes:
        step: name within the chain.
        tool: tool to call.
        topic: rules to apply: every rule of this topic for the structure, with the inputs that each declares.
        args: arguments with placeholders.
        over: to run once for each of them: "structures"; "parts" (none for a structure without parts); "sides" (both
            sides of a pair, else the structure itself).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    tool: str | None = None
    topic: str | None = None
    args: dict[str, JsonValue] = Field(default_factory=dict)
    over: Literal["structures", "parts", "sides"] | None = None


class AnswerSpec(BaseModel):
    """Which evidence is the answer, and in which form it is given.

    Attributes:
        form: what the answer is.
        step: step of the chain that makes it.
        quantity: quantity of the evidence that is the answer.
        unit: its unit.
        join: for a step that runs once per part: whether the answer is yes if any part's is, or only if all are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: AnswerForm
    step: str
    quantity: str
    unit: str | None = None
    join: Literal["any", "all"] = "any"


class Kind(BaseModel):
    """One kind of question, as its file declares it.

    Attributes:
        id: identifier, equal to the file's name.
        says: what it asks, completing "I can tell you …".
        example: a question of this kind.
        requires: alternatives; each is a set of concepts that must all be in the question.
        optional: concepts that may be in it as well.
        number: "required" if a number must be given (thresholds), "none" if there must be none.
        structures: what it takes.
        chain: the evidence that an answer needs.
        answer: which of it is the answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    says: str
    example: str
    requires: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()
    number: Literal["required", "none"] = "none"
    structures: StructureNeed = StructureNeed()
    chain: tuple[Step, ...]
    answer: AnswerSpec


@cache
def load_kinds() -> dict[str, Kind]:
    """All question kinds, by identifier, read once per process from ``agent/kinds/*.toml``."""
    kinds: dict[str, Kind] = {}
    for entry in sorted(files("agent").joinpath("kinds").iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".toml"):
            kind = Kind.model_validate(tomllib.loads(entry.read_text(encoding="utf-8")))
            kinds[kind.id] = kind
    return kinds
