"""Two readings of a question: the embedded interpreter's and a model's, and the rule by which one is chosen."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.errors import UsageError
from agent.interpret import interpret
from agent.interpret.categories import category
from agent.interpret.items import Item
from agent.interpret.reading import read, user_names
from agent.interpret.scan_words import tokenise
from agent.models.canonical import Canonical, equal
from agent.query import NotUnderstood, Query, load_kinds
from tools.ontology import load_ontology

_ALL_KNOWN = "I know these words"
"""How the embedded interpreter begins where it knows every word and yet no kind is made of them."""
_HARMLESS = frozenset({
    "kindly", "quickly", "carefully", "briefly", "simply", "certainly", "obviously", "basically", "honestly",
    "frankly", "perhaps", "maybe", "possibly", "esteemed", "colleague", "friend", "sir", "madam", "guys", "folks",
    "team", "expert", "professional", "opinion", "judgement", "judgment", "thoughts", "curious", "happen", "happens",
    "believe", "reckon", "guess", "suppose", "anyway", "anyhow", "therefore", "thus", "hence", "quick", "answer",
    "reply", "respond",
})  # fmt: skip
"""Words that never change what is asked, wherever they stand."""
_FIGURE_OUT = re.compile(r"\bfigure out\b|\bhelp me\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Reading:
    """A question as understood.

    Attributes:
        query: what is asked, or why that is unclear.
        agreed: whether both readings ask the same; None where there is only one.
        note: how it was decided, for the trace.
    """

    query: Query | NotUnderstood
    agreed: bool | None
    note: str


def two_readings(
    text: str, embedded: Query | NotUnderstood, model: Canonical | None, available: Collection[str] = ()
) -> Reading:
    """The reading that counts.

    Args:
        text: the user's words.
        embedded: what the embedded interpreter made of them; it covers every word, or says so.
        model: what a model made of them; None where its reading could not be used.
        available: identifiers of the structures that are labelled.

    Returns:
        the embedded reading where there is one; else the model's if it covers every word that says something; else
        that the question is ambiguous, with the model's reading as the first question to ask instead.
    """
    if isinstance(embedded, Query):
        if model is None:
            return Reading(embedded, None, "the embedded reading; the model's could not be used")
        if same(embedded, model.query):
            return Reading(embedded, True, "both readings agree")
        return Reading(embedded, False, "the readings differ; the embedded one covers every word")
    if model is None:
        return Reading(embedded, None, "neither reading could be used")
    if covers(text, model.query, available):
        query = model.query.model_copy(update={"text": text, "read_as": model.words})
        return Reading(query, None, "the model's reading covers every word")
    nearest = tuple(dict.fromkeys([model.words, *embedded.nearest]))[:3]
    # A number that only the model said must not stand in a report.
    reason = f"ambiguous: it may mean “{_DIGITS.sub('…', model.words)}”"
    return Reading(
        NotUnderstood(text=embedded.text, reason=reason, nearest=nearest), None, "no reading covers every word"
    )


def same(one: Query, other: Query) -> bool:
    """Whether two queries ask the same thing, whatever the words."""
    fields = ("kind", "structures", "comparator", "negated", "unit", "threshold_unit")
    wanted = [category(query.wanted) if query.wanted else None for query in (one, other)]
    return (
        all(getattr(one, name) == getattr(other, name) for name in fields)
        and equal(one.threshold, other.threshold)
        and equal(one.upper, other.upper)
        and wanted[0] == wanted[1]
    )


def covers(text: str, query: Query, available: Collection[str] = ()) -> bool:
    """Whether a query accounts for every word of a text that says something.

    Either the embedded interpreter reads the same once the words that never change a meaning are left out, or every
    word that is left belongs to the query's kind and all structures, numbers and negations of both are the same.
    """
    names = user_names(available)
    tokens = [token for token in tokenise(_FIGURE_OUT.sub(" ", text)) if token.text not in _HARMLESS]
    left = " ".join(token.text for token in tokens)
    try:
        found = interpret(left, available=available)
    except UsageError:
        return False
    if len(found) != 1:
        return False
    if isinstance(found[0], Query):
        return same(found[0], query)
    if not found[0].reason.startswith(_ALL_KNOWN):
        return False
    return _accounted(read([token for token in tokens if token.text not in {"?", ".", "!"}], names), query)


def _accounted(items: Sequence[Item], query: Query) -> bool:
    """Whether every item belongs to the query, and everything in the query was said by an item."""
    kind, ontology = load_kinds()[query.kind], load_ontology()
    said = {concept for item in items if item.group is not None for concept in item.group.concepts}
    units = {item.unit for item in items if item.unit is not None}
    comparators = {item.group.comparator for item in items if item.group is not None}
    wanted = {item.group.category for item in items if item.group is not None}
    if not any(alternative and set(alternative) <= said for alternative in kind.requires):
        return False
    if query.comparator not in {None, *comparators} or query.wanted not in {None, *wanted}:
        return False
    if not {query.unit, query.threshold_unit} <= {None, *units}:
        return False
    concepts = {*(one for alternative in kind.requires for one in alternative), *kind.optional}
    structures: list[str] = []
    numbers: list[float] = []
    denials = 0
    for item in items:
        if item.role == "unknown":
            return False
        if item.role == "structure":
            structures += item.structures
        elif item.role == "side" and not all(ontology.get(i).side in item.structures for i in query.structures):
            return False
        elif item.role == "number":
            numbers += [number for number in (item.value, item.upper) if number is not None]
        elif item.role == "unit" and item.unit not in {query.unit, query.threshold_unit}:
            return False
        elif item.role == "concept" and item.group is not None and not item.fillers:
            denying = item.group.concepts in {("NOT",), ("NT",)}
            denials += denying or item.group.negates
            turned = item.group.comparator not in {None, query.comparator}
            if not denying and (turned or not set(item.group.concepts) <= concepts):
                return False
            if item.group.category is not None and item.group.category != query.wanted:
                return False
    given = [number for number in (query.threshold, query.upper) if number is not None]
    return tuple(structures) == query.structures and numbers == given and (denials % 2 == 1) == query.negated
