"""What the words of one clause say together, before any kind of question is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.interpret.items import Item
from agent.interpret.lexicon import Group, load_lexicon
from agent.query import AnswerForm, Comparator, Query, load_kinds

_PLURAL_PRONOUNS = frozenset({"them", "they", "their", "these", "those"})


@dataclass(frozen=True)
class Slot:
    """A place for a structure: a mention, a side ("the left one"), or a pronoun, at word `at`.

    `joined` says that it follows the slot before it in a list ("liver and spleen"), `related` that at least a
    word relates the two ("from the liver to the spleen"), `owned` that it follows "and its" ("the liver and its
    lesions"), `added` that it is joined by the word "and" and no comma.
    """

    ids: tuple[str, ...]
    at: int
    end: int
    role: str = "structure"
    joined: bool = False
    related: bool = False
    owned: bool = False
    added: bool = False


@dataclass(frozen=True)
class Meaning:
    """A clause, analysed.

    Attributes:
        groups: the concept phrases.
        implied: concepts that only a unit says ("how many ml").
        slots: places for structures, in order.
        value: the number (and `upper` the other end of a range), `value_unit` its unit, `numbers` how many there are.
        unit: unit asked for, `units` how many different ones.
        negated: parity of the words that negate, `denials` how many of them are "not" or "no".
        asks: "value" (what, how much), "name" (which), "yesno" (is, does), or None for a fragment.
        request: the clause demands something ("give me", "what is") rather than names it.
        scan: the clause names the scan or the patient, so that a missing structure can't be filled in.
        led: it begins as a continuation ("and …", "what about …").
        bare: it has nothing but structures and articles.
        chosen: "or" stands between structures.
        unknown: words of no known meaning.
        explain: it asks what the answer rests on.
        given: concepts of an earlier question whose words are not here, `direction` its comparator, and `wanted` its
            category.
    """

    items: tuple[Item, ...]
    groups: tuple[Group, ...] = ()
    implied: frozenset[str] = frozenset()
    slots: tuple[Slot, ...] = ()
    value: float | None = None
    upper: float | None = None
    value_unit: str | None = None
    numbers: int = 0
    unit: str | None = None
    units: int = 0
    negated: bool = False
    denials: int = 0
    asks: str | None = None
    request: bool = False
    scan: bool = False
    led: bool = False
    bare: bool = False
    chosen: bool = False
    unknown: tuple[str, ...] = ()
    explain: bool = False
    given: frozenset[str] | None = None
    wanted: str | None = None
    direction: Comparator | None = None

    def concepts(self, form: AnswerForm | None = None) -> frozenset[str]:
        """Concepts that the question says; for a form of answer, without those that may say nothing there."""
        if self.given is not None:
            return self.given
        found = {c for g in self.groups if form is None or form not in g.weak for c in g.concepts}
        return _sized(frozenset(found), self)

    @property
    def categories(self) -> tuple[str, ...]:
        """Answers of category questions that its words are, in order."""
        return tuple(dict.fromkeys(group.category for group in self.groups if group.category))

    def soft(self) -> frozenset[str]:
        """Concepts that may be meant without having to be."""
        weak = {c for g in self.groups if g.weak for c in g.concepts}
        return frozenset(weak) | self.implied


def _sized(found: frozenset[str], meaning: Meaning) -> frozenset[str]:
    """A size in millilitres is a volume."""
    lexicon = load_lexicon()
    asked = {lexicon.dimension(meaning.unit), lexicon.dimension(meaning.value_unit)}
    return (found - {"SIZE"}) | {"VOLUME"} if "SIZE" in found and "volume" in asked else found


def of_query(query: Query, said: Meaning | None) -> Meaning:
    """The meaning of an earlier question without its structures, for a follow-up to fill.

    `said` is the reading of that question's own words; where those leave the concepts out because it was a
    follow-up itself, the kind's first alternative stands for them.
    """
    kind = load_kinds()[query.kind]
    known = said.concepts() | said.soft() if said else frozenset()
    allowed = known & ({c for alt in kind.requires for c in alt} | set(kind.optional))
    fitting = [alt for alt in kind.requires if alt and set(alt) <= known]
    fullest = max(fitting, key=len) if fitting else kind.requires[0]
    return Meaning(
        items=(), given=frozenset(fullest) | (allowed & set(kind.optional) if fitting else frozenset()),
        value=query.threshold, upper=query.upper, value_unit=query.threshold_unit, wanted=query.wanted,
        numbers=int(query.threshold is not None),
        unit=query.unit, units=int(query.unit is not None), negated=query.negated, direction=query.comparator,
    )  # fmt: skip


def with_slots(meaning: Meaning, slots: Sequence[Slot]) -> Meaning:
    """The same meaning of other structures."""
    return replace(meaning, slots=tuple(slots))


def is_plural_pronoun(item_text: str) -> bool:
    """Whether a pronoun stands for several structures."""
    return item_text in _PLURAL_PRONOUNS


def begins_anew(meaning: Meaning) -> bool:
    """Whether a continuation has an indefinite article ("and a cyst …"), which no earlier negation reaches."""
    return any(item.text in {"a", "an", "any", "some"} for item in meaning.items)
