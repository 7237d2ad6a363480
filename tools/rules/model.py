"""Clinical rules as data: thresholds with source, validity and boundary behaviour.

A rule is one file under ``tools/rules/data/``, of one of two kinds: a `Rule` names quantities and the edges between
verdicts, a `TableRule` (a file with ``[[rows]]``) is a decision table. The functions here turn a value, or the
interval that is known of it, into a verdict of a `Rule`. Nothing is filled in: an input that is missing leaves the
rule undecided.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import UsageError
from tools.intervals import Interval
from tools.ontology import load_ontology
from tools.rules.decide import evaluate
from tools.rules.table import ANY_ORGAN, Implied, TableRule, Verdict

Edge = Literal["lower", "upper"]


class Source(BaseModel):
    """A measured quantity of a structure; ``$structure`` stands for the structure that the rule is applied to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str = "measure_structure"
    structure: str
    quantity: str


class Criterion(BaseModel):
    """One quantity, or a ratio of two, with the edges between its verdicts.

    Attributes:
        measure: the quantity.
        over: divisor, for a ratio.
        unit: unit of the edges.
        edges: ascending limits between bands.
        verdicts: one per band, lowest values first.
        at_edge: which band a value equal to an edge belongs to; one for all edges, or one per edge.
        severity: rank of each verdict, for rules that take the worse of several criteria; order of bands if empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Source
    over: Source | None = None
    unit: str
    edges: tuple[float, ...] = Field(min_length=1)
    verdicts: tuple[bool | str, ...]
    at_edge: Edge | tuple[Edge, ...]

    @model_validator(mode="after")
    def _shape(self) -> Criterion:
        if isinstance(self.at_edge, tuple) and len(self.at_edge) != len(self.edges):
            raise ValueError("a criterion needs one boundary decision for all edges or one per edge")
        if len(self.verdicts) != len(self.edges) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError("a criterion needs ascending edges and one verdict more than edges")
        return self

    def band(self, value: float) -> int:
        """Index of the band that a value falls into."""
        sides = self.at_edge if isinstance(self.at_edge, tuple) else (self.at_edge,) * len(self.edges)
        return sum(
            value > edge if side == "lower" else value >= edge for edge, side in zip(self.edges, sides, strict=True)
        )


class Rule(BaseModel):
    """One clinical rule.

    Attributes:
        id: identifier, equal to the file's name.
        version: raised on every change.
        topic: what it decides ("enlarged", "fatty", …).
        structure: the structure that it applies to; a pair applies to each side.
        source: short name of the source, used in sentences.
        citation: where it is published.
        priority: the rule with the smallest number is the answer where several apply, unless configured otherwise.
        phases: contrast phases in which it is valid; empty for any.
        quantity: quantity of the evidence that it makes.
        criteria: with more than one, the most severe verdict counts.
        severity: verdicts from harmless to worst, needed with several criteria.
        text: how each verdict completes "the {structure} …".
        normal: verdicts that call for no attention; a report tells the others first.
        noun: what is decided, for rules whose verdict is no yes or no ("grade of steatosis").
        implies: what its verdicts mean for questions that rules on other topics decide.
        note: limits and boundary decisions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: str
    topic: str
    structure: str
    source: str
    citation: str
    priority: int = 1
    phases: tuple[str, ...] = ()
    quantity: Literal["verdict"] = "verdict"
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    severity: tuple[bool | str, ...] = ()
    text: dict[str, str]
    noun: str | None = None
    implies: tuple[Implied, ...] = ()
    normal: tuple[bool | str, ...] = (False,)
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        verdicts = {verdict for criterion in self.criteria for verdict in criterion.verdicts}
        if {verdict_key(verdict) for verdict in verdicts} - set(self.text):
            raise ValueError(f"rule {self.id}: every verdict needs a text")
        if self.noun is None and "true" not in self.text:
            raise ValueError(f"rule {self.id}: a rule that grades needs a noun for what it grades")
        if len(self.criteria) > 1 and verdicts - set(self.severity):
            raise ValueError(f"rule {self.id}: several criteria need the severity of every verdict")
        return self

    def worse(self, verdicts: Sequence[bool | str]) -> bool | str:
        """The most severe of several verdicts."""
        if len(verdicts) == 1:
            return verdicts[0]
        return max(verdicts, key=self.severity.index)


def possible_verdicts(criterion: Criterion, known: Interval) -> tuple[bool | str, ...]:
    """Verdicts of every band that the interval reaches, lowest band first, without repetition."""
    first, last = criterion.band(known.low), criterion.band(known.high)
    return tuple(dict.fromkeys(criterion.verdicts[first : last + 1]))


def decide(criterion: Criterion, known: Interval) -> bool | str | None:
    """Verdict of a criterion: that of the point value, or of a bound that decides; None if undecided."""
    if known.value is not None:
        return criterion.verdicts[criterion.band(known.value)]
    reachable = possible_verdicts(criterion, known)
    return reachable[0] if len(reachable) == 1 else None


def verdict_key(verdict: bool | str) -> str:
    """How a verdict is written as a key of `Rule.text`."""
    return verdict if isinstance(verdict, str) else str(verdict).lower()


AnyRule = Rule | TableRule


@cache
def load_rules() -> Mapping[str, AnyRule]:
    """All rules by identifier, read once per process from ``tools/rules/data/*.toml``.

    Raises:
        ValueError: for rules that contradict each other, or a table that nothing could evaluate.
    """
    rules: dict[str, AnyRule] = {}
    for entry in sorted(files("tools").joinpath("rules/data").iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".toml"):
            rule = read_rule(tomllib.loads(entry.read_text(encoding="utf-8")))
            rules[rule.id] = rule
    check_together(rules.values())
    return MappingProxyType(rules)


def check_together(rules: Iterable[AnyRule]) -> None:
    """Refuse rules of one topic that make different quantities, topics that rest on themselves, and verdicts that
    are said to mean what no rule decides.

    Raises:
        ValueError: naming the rule.
    """
    rules = tuple(rules)
    quantities: dict[str, str] = {}
    rests_on: dict[str, set[str]] = {}
    for rule in rules:
        if quantities.setdefault(rule.topic, rule.quantity) != rule.quantity:
            raise ValueError(f"rule {rule.id}: rules on “{rule.topic}” make another quantity")
        below = rests_on.setdefault(rule.topic, set())
        if isinstance(rule, TableRule):
            topics = {one.rule for one in rule.inputs.values() if one.rule is not None}
            below |= topics
            for one in rule.implies:
                rests_on.setdefault(one.topic, set()).update(topics)
    for rule in rules:
        _check_implied(rule, rules)
    try:
        TopologicalSorter(rests_on).prepare()
    except CycleError as error:
        raise ValueError(f"rules rest on themselves: {' on '.join(error.args[1])}") from None


def verdicts_of(rule: AnyRule) -> tuple[Verdict, ...]:
    """Every verdict that a rule can give."""
    if isinstance(rule, TableRule):
        return rule.verdicts
    return tuple(dict.fromkeys(verdict for criterion in rule.criteria for verdict in criterion.verdicts))


def _check_implied(rule: AnyRule, rules: Iterable[AnyRule]) -> None:
    for one in rule.implies:
        there = [other for other in rules if other.topic == one.topic and other.structure == rule.structure]
        known = {verdict for other in there for verdict in verdicts_of(other)}
        strange = set(one.verdicts) - {verdict_key(verdict) for verdict in verdicts_of(rule)}
        if one.topic == rule.topic or strange or set(one.verdicts.values()) - known:
            raise ValueError(f"rule {rule.id}: what it implies on “{one.topic}” is decided by no rule")


def read_rule(data: Mapping[str, Any]) -> AnyRule:
    """A rule from the content of its file.

    Raises:
        ValueError: for data that is no rule (pydantic's error among them).
    """
    if "rows" not in data:
        return Rule.model_validate(data)
    table = TableRule.model_validate(data)
    if table.lesion and table.lesion not in load_ontology().lesion_types:
        raise ValueError(f"rule {table.id}: {table.lesion} is no type of lesion")
    evaluate(table, {})  # what can be followed with nothing known can be followed with anything known
    return table


def get_rule(ident: str) -> AnyRule:
    """The rule with this identifier.

    Raises:
        UsageError: if there is none.
    """
    try:
        return load_rules()[ident]
    except KeyError:
        raise UsageError(f"There is no rule {ident!r}; `tumortrace rules list` shows all of them.") from None


def threshold_rule(ident: str) -> Rule:
    """The rule with this identifier, which has to be one of thresholds.

    Raises:
        UsageError: if there is none.
    """
    rule = get_rule(ident)
    if not isinstance(rule, Rule):
        raise UsageError(f"The rule {ident!r} is a table, not one of thresholds.")
    return rule


def table_rule(ident: str) -> TableRule:
    """The rule with this identifier, which has to be a table.

    Raises:
        UsageError: if there is none.
    """
    rule = get_rule(ident)
    if not isinstance(rule, TableRule):
        raise UsageError(f"The rule {ident!r} is one of thresholds, not a table.")
    return rule


def rules_for(topic: str, structure: str, lesion: str | None = None) -> list[AnyRule]:
    """Rules of a topic, first choice first; those for any organ only where the organ has none of its own.

    Args:
        topic: what they decide.
        structure: organ, without its side.
        lesion: type of the lesion that is asked about; rules on lesions of another type are left out. None for
            an organ, of which rules on any lesion are given.
    """
    fitting = [rule for rule in load_rules().values() if rule.topic == topic and _about(rule, lesion)]
    own = [rule for rule in fitting if rule.structure == structure]
    found = own or [rule for rule in fitting if rule.structure == ANY_ORGAN]
    return sorted(found, key=lambda rule: (rule.priority, rule.id))


def quantity_of(topic: str) -> str:
    """Quantity of the evidence that rules on a topic make; "verdict" where there is no rule."""
    return next((rule.quantity for rule in load_rules().values() if rule.topic == topic), "verdict")


def _about(rule: AnyRule, lesion: str | None) -> bool:
    """Whether a rule can be about a lesion: of its own type, a more special one, or a more general one.

    A mask of "tumours" may hold the carcinoma that the rule is about; a mask of cysts does not.
    """
    if lesion is None:
        return True
    if not isinstance(rule, TableRule):
        return False
    ontology = load_ontology()
    return not rule.lesion or rule.lesion in ontology.ancestors(lesion) or lesion in ontology.ancestors(rule.lesion)
