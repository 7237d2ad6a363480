"""Which kind of question a clause asks: the one that every word of it fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.interpret.compare import Comparison, compared, number_fits
from agent.interpret.lexicon import load_lexicon
from agent.interpret.meaning import Meaning, Slot
from agent.interpret.slots import Assignment, Unresolved, assign, resolve
from agent.query import Kind, Query, load_kinds
from tools.ontology import is_pair, load_ontology

_CHOOSING = frozenset({
    "LARGER", "SMALLER", "LARGEST", "SMALLEST", "DENSER", "LESS_DENSE", "DENSEST", "LEAST_DENSE", "HIGHER", "LOWER",
    "HIGHEST", "LOWEST",
})  # fmt: skip


_BOTH = re.compile(r"\b(both|bilateral|left and (the )?right|right and (the )?left)\b")


@dataclass(frozen=True)
class Misfit:
    """A clause that no kind fits: why, and the words that are unknown."""

    reason: str
    unknown: tuple[str, ...] = ()
    concepts: frozenset[str] = frozenset()
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit:
    """The queries of one clause, all of one kind."""

    queries: tuple[Query, ...]
    elliptical: bool = False


@dataclass(frozen=True)
class _Candidate:
    kind: Kind
    rank: tuple[int, bool]
    structures: Assignment
    comparison: Comparison


def match(meaning: Meaning, before: Sequence[str], text: str, *, fill: bool = False) -> Fit | Misfit:
    """Match one clause.

    Args:
        meaning: the clause, analysed.
        before: structures asked about before, for pronouns and sides; they also stand in for structures that
            the clause leaves out, if `fill` is set.
        text: the words of the question, for the query.
        fill: whether missing structures may be taken from `before`.

    Returns:
        the queries, or the reason why none fits or more than one does.
    """
    problem = _problem(meaning)
    slots = resolve(meaning, before)
    ids = tuple(i for s in meaning.slots if s.role == "structure" for i in s.ids)
    concepts = meaning.concepts() | meaning.soft()
    if problem:
        return Misfit(problem, meaning.unknown, concepts, ids)
    if isinstance(slots, Unresolved):
        without = [s for s in meaning.slots if s.role != "pronoun"]
        found = _candidates(meaning, ()) if not without else []
        if not found:
            return Misfit(slots.reason, (), concepts, ids)
        slots = ()
    else:
        found = _candidates(meaning, slots)
        if not found and all(slot.role == "referred" for slot in slots):
            found = _candidates(meaning, ())
    elliptical = False
    if not found and fill and before and not slots and not meaning.scan:
        slots = tuple(Slot((i,), -1, -1, joined=n > 0) for n, i in enumerate(before))
        found, elliptical = _candidates(meaning, slots, elliptical=True), True
    best = [c for c in found if c.rank == max(d.rank for d in found)]
    if len(best) > 1:
        said = " or ".join(f"as {c.kind.says}" for c in best)
        return Misfit(f"This can be read {said}", (), concepts, ids)
    if not best:
        return Misfit(_nothing_fits(meaning, slots), (), concepts, ids)
    if reason := _means_another_thing(best[0], concepts) or _each_or_all(best[0], meaning):
        return Misfit(reason, (), concepts, ids)
    return Fit(tuple(_query(best[0], one, meaning, text) for one in best[0].structures), elliptical)


def _problem(meaning: Meaning) -> str | None:
    """What makes a clause unanswerable whatever its kind."""
    if meaning.unknown:
        quoted = ", ".join(f'"{word}"' for word in meaning.unknown)
        return f"I don't know what {quoted} means here"
    if meaning.numbers > 1:
        return "It has more than one number"
    if meaning.units > 1:
        return "It asks for more than one unit"
    if meaning.denials > 1:
        return "It is unclear what is negated"
    return None


def _candidates(meaning: Meaning, slots: Sequence[Slot], *, elliptical: bool = False) -> list[_Candidate]:
    found: list[_Candidate] = []
    soft = meaning.soft()
    spoken = meaning.concepts()
    both = any(_BOTH.search(item.text) for item in meaning.items if item.role in {"structure", "side"})
    which = bool(meaning.chosen and spoken & _CHOOSING and "THAN" not in spoken and not meaning.numbers)
    for kind in load_kinds().values():
        if not _form_fits(kind, meaning, which) or not number_fits(kind, meaning, slots):
            continue
        hard = meaning.concepts(kind.answer.form) - {"EACH"}
        hard |= {"WHICH"} if which and not hard & {"WHICH"} else set()
        alternatives = [
            alt for alt in map(frozenset, kind.requires)
            if alt <= hard | soft and hard - alt <= set(kind.optional)
            and (alt or _may_be_bare(meaning, slots, elliptical))
        ]  # fmt: skip
        if not alternatives:
            continue
        assigned = assign(kind, slots, spoken | {"EACH"} if both and _each_side(kind, meaning) else spoken)
        if assigned is None:
            continue
        comparison = compared(kind, meaning, slots, assigned[0])
        if comparison is not None:
            rank = (max(map(len, alternatives)), assigned[1])
            found.append(_Candidate(kind, rank, comparison.structures, comparison))
    return found


def _each_side(kind: Kind, meaning: Meaning) -> bool:
    """Whether a yes or no about "both kidneys" has to be given for each: that of the pair would say less, or more.

    What joins its sides by "all", and is asked as it stands, says it of both; so does "no" to what joins by "any".
    """
    if kind.answer.form != "boolean":
        return False
    return kind.number == "required" or kind.structures.max > 1 or (kind.answer.join == "all") == meaning.negated


def _may_be_bare(meaning: Meaning, slots: Sequence[Slot], elliptical: bool) -> bool:
    """Whether a lesion's name alone is a question ("liver metastases?"), which "what is the lesion" is not."""
    named = [slot for slot in slots if slot.role == "structure"]
    apart = any(b.at != a.end and not b.joined for a, b in pairwise(named))
    wordless = meaning.given is None and not meaning.implied and not elliptical
    no_volume = not any("volume" in item.text.split() for item in meaning.items if item.role == "structure")
    return wordless and no_volume and not (meaning.request or meaning.led or apart) and len(named) == len(slots)


def _form_fits(kind: Kind, meaning: Meaning, which: bool) -> bool:
    form = kind.answer.form
    if (meaning.negated and form != "boolean") or (meaning.denials and form != "boolean"):
        return False
    if meaning.asks == "value":
        return form != "boolean" and (form != "name" or which)
    if meaning.asks == "name":
        return form in {"name", "category", "text"}
    if meaning.asks == "yesno":
        return form == "boolean" or (form == "name" and which)
    return True


def _means_another_thing(candidate: _Candidate, concepts: frozenset[str]) -> str | None:
    ontology = load_ontology()
    kinds = {ontology.get(i).kind for one in candidate.structures for i in one}
    for rule in load_lexicon().elsewhere:
        if rule.kind in kinds and concepts & set(rule.concepts) and rule.unless not in concepts:
            return rule.reason
    return None


def _each_or_all(candidate: _Candidate, meaning: Meaning) -> str | None:
    """Why "are the lesions larger than 2 cm?" is unclear: each one, any one, or all together."""
    concepts = meaning.concepts()
    pair = any(is_pair(i) for one in candidate.structures for i in one)
    joined = candidate.kind.answer.join == "all"
    if (
        pair
        and candidate.kind.answer.form == "boolean"
        and ((joined and ("ANY" in concepts or meaning.denials)) or ("ANY" in concepts and meaning.denials))
    ):
        return "It may ask about one side or about both"
    several = any(
        item.plural and any(load_ontology().get(i).kind == "lesion" for i in item.structures) for item in meaning.items
    )
    sizes = candidate.kind.answer.form == "boolean" and meaning.concepts() & {
        "LARGER", "SMALLER", "EXCEEDS", "UP_TO", "LONGER", "SHORTER", "HIGHER", "LOWER",
    }  # fmt: skip
    settled = meaning.concepts() & {"EXISTS", "ANY", "LARGEST", "VOLUME", "HU"}
    return "It may ask about each lesion or about all of them together" if several and sizes and not settled else None


def _nothing_fits(meaning: Meaning, slots: Sequence[Slot]) -> str:
    if not meaning.concepts() and not meaning.soft():
        return "It names a structure but not what to tell about it" if slots else "It doesn't say what is asked"
    if not slots and not meaning.scan:
        return "It doesn't say which structure is meant"
    return "I know these words, but no question that I can answer is made of all of them"


def _query(candidate: _Candidate, structures: tuple[str, ...], meaning: Meaning, text: str) -> Query:
    thresholds = candidate.kind.number == "required"
    return Query(
        kind=candidate.kind.id,
        structures=structures,
        unit=None if thresholds else meaning.unit,
        comparator=candidate.comparison.comparator,
        threshold=meaning.value if thresholds else None,
        threshold_unit=meaning.value_unit if thresholds else None,
        negated=meaning.negated,
        text=text,
    )
