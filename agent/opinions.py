"""Who takes which lesion for what: labels, rules, specialised models, and the reasoning model itself.

Sources conflict where they speak of the same lesion and no type that the one names can be one that the other names.
Which of several lesions a source means is often open; then nothing is held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from agent.gates.validity import closure
from agent.lesion_types import compatible, labelled_types, lesions, named_type, overlap
from agent.state import PathologyClaim, RunState
from tools.ontology import load_ontology
from tools.rules.model import load_rules
from tools.rules.subject import subject_of
from tools.rules.table import TableRule
from tools.types import Evidence, State

SPECIALIST = "lesion_type_opinion"
"""Quantity of a specialised model's or a retrieved case's opinion on a lesion's type.

Its details hold the `type` (of the ontology), the `source` in words, and the `probability` if there is one.
"""
LABELS = "the labels"
MODEL = "the model"
PREFER_LABELS = "labels"
"""What the user names to follow the labels where a rule differs."""
_LEAST_PROBABILITY = 0.5
_RULES = frozenset({"apply_rule", "apply_table"})
_WORDS = re.compile(r"[^A-Za-z -]+")
_LONGEST_SOURCE = 60


@dataclass(frozen=True)
class Opinion:
    """What one source takes a lesion for.

    Attributes:
        source: who says so, in words without numbers.
        organ: where the lesion lies; None where that is not said.
        kind: type of the class of lesions that it is about ("cyst" for the largest of the cysts).
        types: what it may be; several where the source names alternatives.
        preferred: whether the user chose this source to be followed where sources conflict.
        asked: whether a question asks for just this: what a rule makes of a lesion, whatever its label.
    """

    source: str
    organ: str | None
    kind: str
    types: tuple[str, ...]
    preferred: bool = False
    asked: bool = False


def opinions(state: RunState, prefer: Sequence[str] = ()) -> list[Opinion]:
    """The opinions that the evidence holds: of the labels, of rules, of specialised models.

    Args:
        state: the run's state.
        prefer: sources that the user chose to follow.
    """
    found = [
        Opinion(LABELS, load_ontology().get(one.target).organ, str(load_ontology().get(one.target).lesion_type),
                labelled_types(one), preferred=PREFER_LABELS in prefer)
        for one in lesions(state)
    ]  # fmt: skip
    decisive = [one.id for target in state.targets if (one := state.lookup(target.decisive)) is not None]
    asked = {one.id for one in closure(state, tuple(decisive))}
    for one in state.evidence.values():
        if one.state is not State.MEASURED:
            continue
        if (said := _ruled(one, prefer)) is not None:
            found.append(replace(said, asked=one.id in asked))
        elif (said := _special(one, prefer)) is not None:
            found.append(said)
    return list(dict.fromkeys(found))


def models_opinions(pathology: PathologyClaim, state: RunState) -> list[Opinion]:
    """What the pathology conclusion takes the lesions for that it cites: its diagnosis, and its differential."""
    stated = [(pathology.diagnosis,)] if pathology.diagnosis is not None else []
    found = []
    for texts in (*stated, pathology.differential):
        named = [one for text in texts if text is not None and (one := named_type(text)) is not None]
        if not named or len(named) < len(texts):
            continue  # what is no type of the ontology is refused as that
        types = tuple(name for name, _ in named)
        for lesion in lesions(state, pathology.evidence):
            place = load_ontology().get(lesion.target)
            meant = any(overlap(organ, place.organ) for _, organ in named)
            if meant and any(compatible(one, other) for one in types for other in labelled_types(lesion)):
                found.append(Opinion(MODEL, place.organ, str(place.lesion_type), types))
    return list(dict.fromkeys(found))


def _ruled(one: Evidence, prefer: Sequence[str]) -> Opinion | None:
    rule = load_rules().get(str(one.details.get("rule", "")))
    if one.tool not in _RULES or not isinstance(rule, TableRule):
        return None
    said = rule.opinions.get(str(one.value))
    if said is None:
        return None
    subject = subject_of(one.target, frozenset({rule.structure}))
    about = load_ontology().get(subject.lesion_class(rule))
    name = f"the rule of {_plain(rule.source)}"
    return Opinion(name, about.organ, about.lesion_type or "lesion", (said,), preferred=rule.source in prefer)


def _special(one: Evidence, prefer: Sequence[str]) -> Opinion | None:
    if one.quantity != SPECIALIST:
        return None
    said, source, odds = one.details.get("type"), str(one.details.get("source", "")), one.details.get("probability")
    if said not in load_ontology().lesion_types:
        return None
    if isinstance(odds, int | float) and odds < _LEAST_PROBABILITY:
        return None  # the likeliest of many types may still be unlikely
    about = load_ontology().get(one.target)
    kind, organ = (about.lesion_type, about.organ) if about.kind == "lesion" else ("lesion", about.id)
    return Opinion(_plain(source) or "a specialised model", organ, kind or "lesion", (str(said),), source in prefer)


def _plain(source: str) -> str:
    """A source's name without numbers, which a sentence would have to rest on evidence."""
    return " ".join(_WORDS.sub(" ", source).split())[:_LONGEST_SOURCE].strip(" -")


def conflicts(given: Sequence[Opinion]) -> Iterator[tuple[Opinion, Opinion]]:
    """Pairs of opinions that can't both be right; where the user chose a source, it is followed against the others.

    The labels themselves never conflict: of two classes each holds lesions of its own. Neither do the rules that a
    question asks for with each other or with the labels: the answer tells each with its source.
    """
    shown = [one for one in given if one.source == LABELS]
    for one, other in combinations(given, 2):
        chosen = (one.preferred or other.preferred) and MODEL not in {one.source, other.source}
        told = all(each.asked or each.source == LABELS for each in (one, other))
        if one.source == other.source or chosen or told or not overlap(one.organ, other.organ):
            continue
        if LABELS in {one.source, other.source}:
            speaks = other if one.source == LABELS else one
            if _against_labels(speaks, shown):
                yield one, other
        elif not _agree(one.types, other.types) and _same_lesion(one, other, shown):
            yield one, other


def _against_labels(speaks: Opinion, shown: Sequence[Opinion]) -> bool:
    """Whether no lesion that an opinion can be about has, by the labels, a type that it can be."""
    types = _labelled(speaks, shown)
    return bool(types) and not _agree(speaks.types, types)


def _same_lesion(one: Opinion, other: Opinion, shown: Sequence[Opinion]) -> bool:
    """Whether two opinions must be about lesions of one sort: the labels show no other that one of them can mean."""
    if not compatible(one.kind, other.kind):
        return False
    return len({*_labelled(one, shown), *_labelled(other, shown)}) <= 1


def _labelled(speaks: Opinion, shown: Sequence[Opinion]) -> tuple[str, ...]:
    """Types that the labels give to the lesions that an opinion can be about."""
    return tuple(
        dict.fromkeys(
            name
            for one in shown
            if overlap(one.organ, speaks.organ)
            for name in one.types
            if compatible(name, speaks.kind)
        )
    )


def _agree(some: Sequence[str], others: Sequence[str]) -> bool:
    return any(compatible(one, other) for one in some for other in others)
