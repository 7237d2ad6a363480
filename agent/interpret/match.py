"""Which kind of question a clause asks: the one that every word of it fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.interpret.categories import category
from agent.interpret.compare import Comparison, compared, number_fits
from agent.interpret.meaning import Meaning, Slot
from agent.interpret.numbered import same_numbers
from agent.interpret.refusals import means_another_thing, nothing_fits, problem_of
from agent.interpret.slots import Assigned, Assignment, Unresolved, assign, resolve
from agent.interpret.sole_organ import sole_organ
from agent.query import Kind, Query, load_kinds
from tools.ontology import is_pair, load_ontology

_CHOOSING = frozenset({
    "LARGER", "SMALLER", "LARGEST", "SMALLEST", "DENSER", "LESS_DENSE", "DENSEST", "LEAST_DENSE", "HIGHER", "LOWER",
    "HIGHEST", "LOWEST", "BURDENED",
})  # fmt: skip


_WORDED = frozenset({"category", "name", "names"})
_BOTH = re.compile(r"\b(both|bilateral|left and (the )?right|right and (the )?left)\b")


@dataclass(frozen=True)
class Misfit:
    """A clause that no kind fits, or more than one does.

    Attributes:
        reason: why.
        unknown: the words that are unknown.
        concepts: what its words say.
        structures: what it names.
        meant: structures of which one is meant, where only that is open; empty where it may be any; else None.
        readings: what it may ask, where several kinds fit.
    """

    reason: str
    unknown: tuple[str, ...] = ()
    concepts: frozenset[str] = frozenset()
    structures: tuple[str, ...] = ()
    meant: tuple[str, ...] | None = None
    readings: tuple[Query, ...] = ()


@dataclass(frozen=True)
class Fit:
    """The queries of one clause, all of one kind."""

    queries: tuple[Query, ...]
    elliptical: bool = False


@dataclass(frozen=True)
class _Candidate:
    kind: Kind
    rank: tuple[int, bool, bool, bool]
    structures: Assignment
    comparison: Comparison
    types: tuple[str, ...] = ()


def match(
    meaning: Meaning, before: Sequence[str], text: str, *, fill: bool = False, choices: Sequence[str] = ()
) -> Fit | Misfit:
    """Match one clause.

    Args:
        meaning: the clause, analysed.
        before: structures asked about before, for pronouns and sides; they also stand in for structures that
            the clause leaves out, if `fill` is set.
        text: the words of the question, for the query.
        fill: whether missing structures may be taken from `before`.
        choices: structures that the options of a multiple choice name, for questions that choose among several and
            name too few.

    Returns:
        the queries, or the reason why none fits or more than one does.
    """
    problem = problem_of(meaning)
    slots = resolve(meaning, before)
    ids = tuple(i for s in meaning.slots if s.role == "structure" for i in s.ids)
    concepts = meaning.concepts() | meaning.soft()
    if problem:
        return Misfit(problem, meaning.unknown, concepts, ids)
    if isinstance(slots, Unresolved):
        without = [s for s in meaning.slots if s.role != "pronoun"]
        found = [c for c in _candidates(meaning, without) if not without or c.types]
        if not found:
            return Misfit(slots.reason, (), concepts, ids, slots.meant if slots.meant or concepts else None)
        slots = ()
    else:
        found = _candidates(meaning, slots)
        if not found and all(slot.role == "referred" for slot in slots):
            found = _candidates(meaning, ())
        if not found and choices:
            listed = tuple(Slot((i,), 10_000 + n, 10_000 + n, joined=True) for n, i in enumerate(choices))
            found = [c for c in _candidates(meaning, (*slots, *listed)) if c.kind.structures.min > 1]
    elliptical = False
    if not found and fill and before and not slots and not meaning.scan:
        slots = tuple(Slot((i,), -1, -1, joined=n > 0) for n, i in enumerate(before))
        found, elliptical = _candidates(meaning, slots, elliptical=True), True
    best = [c for c in found if c.rank == max(d.rank for d in found)]
    if len(best) > 1:
        said = " or ".join(f"as {c.kind.says}" for c in best)
        readings = tuple(_query(c, one, meaning, text) for c in best for one in c.structures)
        return Misfit(f"This can be read {said}", (), concepts, ids, readings=readings)
    if not best:
        unnamed = not slots and not meaning.scan and bool(concepts)
        return Misfit(nothing_fits(meaning, slots), (), concepts, ids, () if unnamed else None)
    if reason := means_another_thing(best[0].structures, concepts) or _each_or_all(best[0], meaning):
        return Misfit(reason, (), concepts, ids)
    return Fit(tuple(_query(best[0], one, meaning, text) for one in best[0].structures), elliptical)


def _candidates(meaning: Meaning, slots: Sequence[Slot], *, elliptical: bool = False) -> list[_Candidate]:
    found: list[_Candidate] = []
    soft = meaning.soft()
    spoken = meaning.concepts()
    both = any(_BOTH.search(item.text) for item in meaning.items if item.role in {"structure", "side"})
    # "Hypodense, isodense or hyperdense" chooses among words, not among structures.
    worded = len(meaning.categories) > 1
    which = bool(meaning.chosen and spoken & _CHOOSING and not worded and "THAN" not in spoken and not meaning.numbers)
    for kind in load_kinds().values():
        if not _form_fits(kind, meaning, which) or not number_fits(kind, meaning, slots):
            continue
        listing = any("EACH" in alt for alt in kind.requires)
        hard = meaning.concepts(kind.answer.form) - ({"EITHER"} if listing else {"EACH", "EITHER"})
        hard |= {"WHICH"} if which and not hard & {"WHICH"} else set()
        alternatives = [
            alt for alt in map(frozenset, kind.requires)
            if alt <= hard | soft and hard - alt <= set(kind.optional)
            and (alt or kind.structures.choices or kind.structures.places or _numbered_only(kind)
                 or _may_be_bare(meaning, slots, elliptical))
        ]  # fmt: skip
        if not alternatives or ("EITHER" in spoken and not _of_any_side(kind, slots)):
            continue
        # "Is the steatosis severe?" may be about an organ that is not graded; what asks for the grade is not.
        named = slots if slots or meaning.slots or meaning.categories else sole_organ(kind)
        if kind.structures.vessel and alternatives == [frozenset({"EXISTS"})] and not _spared(meaning):
            continue
        assigned = assign(kind, named, spoken | {"EACH"} if both and _each_side(kind, meaning) else spoken)
        if assigned is not None and meaning.negated and len(assigned.types) > 1:
            continue  # "is it a PNET and not a PDAC?"
        if assigned is None or not _types_fit(kind, meaning, alternatives, assigned, which):
            continue
        if not same_numbers(meaning.items, assigned.structures):
            continue
        comparison = compared(kind, meaning, assigned.slots, assigned.structures)
        if comparison is not None:
            worded = kind.answer.form in _WORDED and bool(meaning.categories)
            rank = (max(map(len, alternatives)) + len(assigned.types), worded, assigned.whole, kind.structures.lesions)
            found.append(_Candidate(kind, rank, comparison.structures, comparison, assigned.types))
    return found


def _types_fit(
    kind: Kind, meaning: Meaning, alternatives: Sequence[frozenset[str]], assigned: Assigned, which: bool
) -> bool:
    """Whether a kind that takes lesion types as answers is asked for them, by a word or by naming them."""
    if kind.structures.places:
        return bool(assigned.types) or any(alt - {"LARGEST"} for alt in alternatives)
    if not kind.structures.choices:
        return True
    if not _choices_hold(kind, meaning):
        return False
    if not assigned.types:
        return any(alternatives) and (meaning.asks != "yesno" or bool(meaning.categories))
    # "Cysts or tumours in the kidney?" asks whether there are any.
    several = len(assigned.types) > 1 and "PLURAL" not in meaning.implied
    asked = meaning.asks in {"yesno", "name"} or meaning.explain
    return bool(max(alternatives, key=len)) or asked or which or several


def _choices_hold(kind: Kind, meaning: Meaning) -> bool:
    """Whether the lesion types that adjectives name ("ductal", "cystic") are answers of this kind."""
    known = load_ontology().lesion_types
    named = [name for one in meaning.categories if (name := one.replace(" ", "_")) in known]
    general = {above for choice in kind.structures.choices for above in load_ontology().ancestors(choice)}
    return general.issuperset(named)


def _spared(meaning: Meaning) -> bool:
    """Whether a vessel is asked to be free of a tumour, which is to touch none of it."""
    return any(item.text.split()[0] in {"free", "clear", "devoid"} and item.group for item in meaning.items)


def _of_any_side(kind: Kind, slots: Sequence[Slot]) -> bool:
    """Whether "either kidney" can be answered: of a pair, by a kind that is true of it if it is of one side."""
    ontology = load_ontology()
    ids = [i for slot in slots for i in slot.ids]
    if len(ids) > 1 and kind.structures.each and kind.answer.form == "boolean":
        return True
    pairs = [is_pair(ontology.get(i).organ or i) for i in ids]
    joins = kind.answer.join == "any" and any(step.over == "sides" for step in kind.chain)
    return any(pairs) and kind.answer.form == "boolean" and (joins or kind.id == "lesion_exists")


def _each_side(kind: Kind, meaning: Meaning) -> bool:
    """Whether a yes or no about "both kidneys" has to be given for each: that of the pair would say less, or more.

    What joins its sides by "all", and is asked as it stands, says it of both; so does "no" to what joins by "any".
    """
    if kind.answer.form != "boolean":
        return False
    return kind.number == "required" or kind.structures.max > 1 or (kind.answer.join == "all") == meaning.negated


def _numbered_only(kind: Kind) -> bool:
    """Whether a kind is of single lesions, whose name alone is a question ("liver metastasis 2?")."""
    return kind.structures.kinds == ("numbered",)


def _may_be_bare(meaning: Meaning, slots: Sequence[Slot], elliptical: bool) -> bool:
    """Whether a lesion's name alone is a question ("liver metastases?"), which "what is the lesion" is not."""
    named = [slot for slot in slots if slot.role == "structure"]
    single = len(named) == 2 and len(named[1].ids) == 1 and not meaning.chosen
    marks = {item.start for item in meaning.items if single and item.is_filler("mark")}
    apart = any(set(range(a.end, b.at)) - marks and not b.joined for a, b in pairwise(named))
    wordless = meaning.given is None and not meaning.implied - {"PLURAL"} and not elliptical
    no_volume = not any("volume" in item.text.split() for item in meaning.items if item.role == "structure")
    return wordless and no_volume and not (meaning.request or meaning.led or apart) and len(named) == len(slots)


def _form_fits(kind: Kind, meaning: Meaning, which: bool) -> bool:
    form = kind.answer.form
    both_ways = {"LESS_DENSE", "DENSER"} <= meaning.concepts()
    worded = form in _WORDED and (
        both_ways or bool(meaning.categories) or bool(kind.structures.choices) or kind.structures.places
    )
    if (meaning.negated or meaning.denials) and form != "boolean" and not (worded and len(meaning.categories) < 2):
        return False
    if "HOW_MUCH" in meaning.implied and form != "number":
        return False  # "how many Hounsfield units darker …"
    if meaning.asks == "value":
        return form != "boolean" and (
            form != "name" or which or bool(meaning.concepts() & {"SAME", "COMPARE"}) or worded
        )
    if meaning.asks == "name":
        return form in {"name", "names", "category", "text"}
    if meaning.asks == "yesno":
        return form == "boolean" or worded or (form == "name" and which)
    return True


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
    settled = meaning.concepts() & {"EXISTS", "ANY", "LARGEST", "VOLUME", "HU", "COUNT", "BURDEN", "PRIOR"}
    return "It may ask about each lesion or about all of them together" if several and sizes and not settled else None


def _query(candidate: _Candidate, structures: tuple[str, ...], meaning: Meaning, text: str) -> Query:
    thresholds = candidate.kind.number == "required"
    return Query(
        kind=candidate.kind.id,
        structures=structures,
        unit=None if thresholds or candidate.kind.answer.unit == "1" else meaning.unit,
        comparator=candidate.comparison.comparator,
        threshold=meaning.value if thresholds else None,
        upper=meaning.upper if thresholds else None,
        threshold_unit=meaning.value_unit if thresholds else None,
        wanted=_wanted(candidate, meaning),
        negated=meaning.negated,
        explain=meaning.explain,
        text=text,
    )


def _wanted(candidate: _Candidate, meaning: Meaning) -> str | None:
    """The one category that a yes/no question asks about; None where it asks which one of several."""
    if meaning.given is not None or candidate.kind.answer.form not in _WORDED:
        return meaning.wanted
    if "SAME" in meaning.concepts() and any(g.comparator and not g.superlative for g in meaning.groups):
        return None
    named = (*meaning.categories, *candidate.types)
    alike = len({category(one) for one in named}) == 1
    return named[0] if alike and meaning.asks in {"yesno", None} else None
