"""A model's reading of a question in the canonical words of a question kind.

The embedded interpreter reads these words back: a model can only ask what the kinds can answer, and what it asks can be
shown to the user.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

from agent.errors import UsageError
from agent.interpret import interpret
from agent.interpret.categories import category
from agent.interpret.nearest import filled
from agent.interpret.scan_words import tokenise
from agent.models.schemas import ReadingForm
from agent.query import Kind, Query, load_kinds
from tools.ontology import load_ontology

_MOST_STRUCTURES = 4
_MOST_WORDINGS = 60
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?: ?(?:ml|cm|mm|HU|%|degrees))?(?=[ ?])")
_NUMBERED = re.compile(r"(\S.*?) ?#? ?([1-9]\d{0,2})")
"""A lesion with its number in the lesion table."""
_LOWER = {
    "larger": "smaller", "greater": "smaller", "more": "fewer", "above": "below", "longer": "shorter",
    "denser": "less dense",
}  # fmt: skip
_HIGHER = {"less": "more", "below": "above"}
_COMPARED = re.compile(r"\b(larger|greater|more|above|longer|denser|less|below)\b( than)?")
_UNITS = {"deg": "degrees", "cm3": "cm³", "mm3": "mm³"}


@dataclass(frozen=True)
class Canonical:
    """A model's reading in canonical words, with the query that they stand for."""

    words: str
    query: Query


def canonical(form: ReadingForm, available: Collection[str] = ()) -> Canonical | None:
    """A model's reading in words that the embedded interpreter reads back to the same; None where there are none."""
    kind = load_kinds().get(form.kind)
    structures = [_identifier(text, available) for text in form.structures[:_MOST_STRUCTURES]]
    if (
        kind is None
        or None in structures
        or len(form.structures) > _MOST_STRUCTURES
        or (form.number is None) != (kind.number == "none")
    ):
        return None
    named = tuple(one for one in structures if one is not None)
    ontology = load_ontology()
    organs = tuple(ontology.get(one).organ or one for one in named)
    for structures_named in dict.fromkeys([named, organs]):
        for words in islice(_wordings(kind, form, structures_named), _MOST_WORDINGS):
            query = _one(words, available)
            if query is not None and _says(query, form, named):
                return Canonical(words, query)
    return None


def equal(one: float | None, other: float | None) -> bool:
    """Whether two numbers, either of which may not be given, are the same."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-6 * max(1.0, abs(one))


def _identifier(text: str, available: Collection[str]) -> str | None:
    ontology = load_ontology()
    plain = text.removeprefix("the ") if len(text) <= 100 else ""
    if (numbered := _NUMBERED.fullmatch(plain)) is not None:
        lesion = ontology.normalise(numbered[1])
        if lesion is not None and ontology.get(lesion).kind == "lesion":
            return f"{lesion}#{int(numbered[2])}"
    return ontology.normalise(plain) or (text if text in available else None)


def _wordings(kind: Kind, form: ReadingForm, structures: Sequence[str]) -> Iterator[str]:
    """The kind's example about these structures and numbers, in a few variants of comparison, category, negation."""
    for example in _numbered(kind.example, form):
        # From the end: "tumour burden" at the beginning names a lesion that is none of the structures.
        choices = reversed(list(combinations(range(_MOST_STRUCTURES + 1), len(structures))))
        plain = [filled(example, structures, places) for places in choices]
        plain += [example, _renamed(example, structures)]
        for asked in (one for words in dict.fromkeys(plain) for one in _wanting(words, form)):
            for words in _negations(asked) if form.negated else (asked,):
                yield words
                if form.unit is not None:
                    yield f"{words.rstrip('?')} in {_UNITS.get(form.unit, form.unit)}?"


def _renamed(example: str, structures: Sequence[str]) -> str:
    """An example with its organs' names replaced by others, wherever they stand ("lesions in the liver")."""
    ontology = load_ontology()

    def organ(ident: str) -> str:
        return ontology.get(ontology.get(ident).organ or ident).name

    own = _one(example, ())
    if own is None or len(own.structures) != len(structures):
        return example
    names = {organ(old): organ(new) for old, new in zip(own.structures, structures, strict=True)}
    return re.sub("|".join(map(re.escape, names)) or "$^", lambda found: names[found.group(0)], example)


def _numbered(example: str, form: ReadingForm) -> Iterator[str]:
    match = _COMPARED.search(example)
    if form.number is None:
        yield example
        if match:
            word = match.group(1)
            yield _put(example, match, (_LOWER | _HIGHER).get(word, word) + (match.group(2) or ""))
        return
    place = _NUMBER.search(example)
    if place is None:
        return
    unit = _UNITS.get(form.unit or "", form.unit or "")
    amount = f"{form.number:.6g} {unit}".rstrip()
    if form.upper is not None:
        ends = f"between {form.number:.6g} and {form.upper:.6g} {unit}".rstrip()
        whole = re.compile(f"{_COMPARED.pattern} {re.escape(place.group(0))}").search(example)
        yield _put(example, whole or place, ends)
        return
    numbered = _put(example, place, amount)
    if match is None:
        yield numbered
        return
    word, than = match.group(1), match.group(2) or ""
    match = _COMPARED.search(numbered)
    assert match is not None
    least = {"ge": "at least", "le": "at most"}.get(form.comparator or "")
    words = (least,) if least else (word + than, (_LOWER | _HIGHER).get(word, word) + than)
    for comparison in words:
        yield _put(numbered, match, comparison)


def _put(text: str, where: re.Match[str], words: str) -> str:
    return text[: where.start()] + words + text[where.end() :]


def _wanting(words: str, form: ReadingForm) -> Iterator[str]:
    yield words
    own = _one(words, ())
    if form.wanted and own is not None and own.wanted:
        for said in (own.wanted, own.wanted.replace("_", " ")):
            if said in words:
                yield words.replace(said, form.wanted)


def _negations(words: str) -> Iterator[str]:
    """A question turned round: "any" to "no", or "not" after one of its first names."""
    if " any " in words:
        yield words.replace(" any ", " no ", 1)
    tokens = tokenise(words)
    for mention in load_ontology().mentions([token.text for token in tokens]):
        end = tokens[mention.end - 1].end
        yield words[:end] + " not" + words[end:]
    yield re.sub(r"^(Is|Are|Does|Do|Has) (this|there|the patient)\b", r"\1 \2 not", words)


def _one(words: str, available: Collection[str]) -> Query | None:
    try:
        found = interpret(words, available=available)
    except UsageError:
        return None
    return found[0] if len(found) == 1 and isinstance(found[0], Query) else None


def _says(query: Query, form: ReadingForm, structures: Sequence[str]) -> bool:
    unit = query.threshold_unit if form.number is not None else query.unit
    return (
        query.kind == form.kind
        and _about(query.structures, structures)
        and equal(query.threshold, form.number)
        and equal(query.upper, form.upper)
        and unit == form.unit
        and query.negated == form.negated
        and (form.comparator in {None, query.comparator} or form.upper is not None)
        and (not form.wanted or (query.wanted is not None and category(form.wanted) == category(query.wanted)))
    )


def _about(asked: Sequence[str], named: Sequence[str]) -> bool:
    """Whether a query is about the structures that were named: these, their sides, or the lesions in them."""
    if tuple(asked) == tuple(named):
        return True
    ontology = load_ontology()

    def near(one: str, other: str) -> bool:
        first, second = ontology.get(one), ontology.get(other)
        return other in {one, first.organ} or one == second.organ or one in second.parts

    if len(asked) == len(named):
        # "Is A larger than B?" is not "is B larger than A?".
        return all(map(near, asked, named))
    return bool(named) and all(
        any(near(*pair) for pair in product(*sides))
        for sides in ([*(([one], named) for one in asked), *((asked, [one]) for one in named)])
    )
