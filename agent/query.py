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
AnswerForm = Literal["number", "boolean", "name", "names", "category", "text"]
"""``names``: several structures count as right, those in the evidence's ``details.structures``."""


class Query(BaseModel):
    """One question, understood.

    Attributes:
        kind: identifier of the question kind.
        structures: canonical identifiers in the order in which the question names them.
        unit: unit asked for ("ml", "cm", …), None for the kind's own.
        comparator: for comparisons: "is the first greater (gt) / less (lt) …".
        threshold: number to compare with, in `threshold_unit`.
        upper: the other end where the question asks whether something lies between two numbers, in the same unit.
        threshold_unit: its unit; None where the question names none.
        wanted: the category asked about ("is it resectable?"); the answer is then yes or no.
        negated: whether the question asks for the opposite ("is the liver free of lesions?").
        explain: whether the answer is to tell all that it rests on ("why do you say that?").
        text: the words of this question as the user put them.
        read_as: the question as a model understood it, in other words; None where its own words say what is asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    structures: tuple[str, ...] = ()
    unit: str | None = None
    comparator: Comparator | None = None
    threshold: float | None = None
    upper: float | None = None
    threshold_unit: str | None = None
    wanted: str | None = None
    negated: bool = False
    explain: bool = False
    text: str = ""
    read_as: str | None = None


class NotUnderstood(BaseModel):
    """A question that no kind covers; nothing else is answered in its place.

    Attributes:
        text: the words that were not understood.
        reason: one sentence: which words are unknown, or which readings compete.
        nearest: up to three questions that can be answered and are closest to it.
        choices: up to six complete questions, one for each way to read it, where it is only unclear which is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    reason: str
    nearest: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class StructureNeed(BaseModel):
    """Which structures a kind takes.

    Attributes:
        min: fewest.
        max: most; more than that is split into one query each when `each` is set.
        kinds: structure kinds allowed ("organ", "lesion", …); empty for any.
        only: exact tuples of identifiers allowed (in this order); empty for any.
        each: with several structures, ask the question of each one separately.
        parts: a pair counts as its sides ("which kidney is larger?").
        located: a lesion must lie in an organ that is known.
        lesions: organs and their regions stand for the lesions in them ("which has more lesions, X or Y?").
        share: a lesion and its organ, of which one may follow from the other; the arguments name them as
            ``$lesion`` and ``$organ``.
        vessel: a lesion and a vessel, the lesion being any tumour where the question names none; the arguments name
            them as ``$lesion`` and ``$vessel``.
        organs: base identifiers of the organs that a lesion may lie in, or that may be meant; empty for any.
        default: structure that is meant where the question names none.
        choices: lesion types that the question may offer as answers ("is the mass a cyst or a tumour?").
        types: lesion types that a lesion must be one of, or more general than.
        regions: the organ must have sub-regions.
        places: regions of the lesion's organ may be named as possible answers ("is it in the head or the tail?").
        of: lesions whose type these may be; where the question names only the choices, the first one is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = 1
    max: int = 1
    kinds: tuple[str, ...] = ()
    only: tuple[tuple[str, ...], ...] = ()
    each: bool = False
    parts: bool = False
    located: bool = False
    lesions: bool = False
    share: bool = False
    vessel: bool = False
    organs: tuple[str, ...] = ()
    default: str | None = None
    choices: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    regions: bool = False
    places: bool = False
    of: tuple[str, ...] = ()


class Step(BaseModel):
    """One link of an evidence chain.

    Exactly one of `tool`, `topic`, `rule` and `everything` is set. Arguments may hold placeholders: ``$structure``
    (the first), ``$second``, ``$structures``, ``$organ`` (of a lesion), ``$unit``, ``$comparator``, ``$threshold``,
    ``$upper``, ``$threshold_unit``, ``$vessel``, and ``@step.quantity`` for the evidence that an earlier
    step made (``*`` for all of it); ``over`` runs the step once per structure, and ``@step.quantity`` then stands for
    the list of all, or, in a step over the same, for the one of the same structure.

    Attributes:
        step: name within the chain.
        tool: tool to call.
        topic: rules to apply: every rule of this topic for the structure, with the inputs that each declares; the
            argument ``structure`` says of which structure, the first of the query if it is not given.
        rule: one rule to apply, by its identifier.
        everything: all that a report without a question measures and judges.
        args: arguments with placeholders.
        over: to run once for each of them: "structures"; "parts" (both sides of a pair, none for anything else);
            "sides" (both sides of a pair, else the structure itself); "regions" (the sub-regions of the organ).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    tool: str | None = None
    topic: str | None = None
    rule: str | None = None
    everything: bool = False
    args: dict[str, JsonValue] = Field(default_factory=dict)
    over: Literal["structures", "parts", "sides", "regions"] | None = None


class AnswerSpec(BaseModel):
    """Which evidence is the answer, and in which form it is given.

    Attributes:
        form: what the answer is.
        step: step of the chain that makes it.
        quantity: quantity of the evidence that is the answer.
        unit: its unit.
        join: for a step that runs once per part: whether the answer is yes if any part's is, or only if all are.
        also: ``step.quantity`` of evidence that is told as well; ``*`` for all that the step makes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: AnswerForm
    step: str
    quantity: str
    unit: str | None = None
    join: Literal["any", "all"] = "any"
    also: tuple[str, ...] = ()


class Kind(BaseModel):
    """One kind of question, as its file declares it.

    Attributes:
        id: identifier, equal to the file's name.
        says: what it asks, completing "I can tell you …".
        example: a question of this kind.
        requires: alternatives; each is a set of concepts that must all be in the question.
        optional: concepts that may be in it as well.
        number: "required" if a number must be given (thresholds), "none" if there must be none.
        measures: quantity that the number is compared with; None takes it from the chain's ``item``.
        comparator: what the chain's ``$comparator`` is where the words don't say it.
        instead: kinds that a multiple choice turns the question to, by what its options say: "same" (one says that
            both are alike), "percent" (they are percentages), "places" (they name organs or regions), "words" (none is
            a number, or a yes or no).
        structures: what it takes.
        follows: whether what is found opens further checks by the organ knowledge graph.
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
    measures: str | None = None
    comparator: Comparator | None = None
    instead: dict[Literal["same", "percent", "places", "words"], str] = Field(default_factory=dict)
    structures: StructureNeed = StructureNeed()
    follows: bool = False
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
