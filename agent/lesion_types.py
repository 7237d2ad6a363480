"""Types of lesions by the ontology: synonyms are one type, and a more general type contradicts no special one."""

from __future__ import annotations

import re

from agent.state import RunState
from tools.ontology import Ontology, load_ontology
from tools.structure_parts import parts_of
from tools.types import Evidence, State

_PLAIN = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z]+)*")
_LONGEST = 80
_SHAPES = frozenset({"polyp"})
"""Types that say how a lesion looks, and nothing of what it is."""
_PRIMARY, _SECONDARY, _CANCER = "primary_cancer", "metastasis", "cancer"


def named_type(text: str) -> tuple[str, str | None] | None:
    """Lesion type, and organ if one is named, of a type's or a lesion's name; None for anything else.

    Only plain words are read, so that nothing but the name can travel in a text that is accepted.
    """
    if len(text) > _LONGEST or not _PLAIN.fullmatch(text):
        return None
    ontology = load_ontology()
    if text in ontology.lesion_types:
        return text, None
    ident = ontology.normalise(text)
    found = ontology.get(ident) if ident is not None else None
    if found is None or found.kind != "lesion" or found.lesion_type is None:
        return None
    # "Hepatocellular carcinoma" is of the liver by what it is; no organ was named.
    own = ontology.lesion_types[found.lesion_type].organ
    return found.lesion_type, None if found.organ == own else found.organ


def type_name(text: str) -> str:
    """A type's name as it is read by people; a text that names none stays as it is."""
    found = load_ontology().lesion_types.get(text)
    return found.name if found else text


def compatible(one: str, other: str) -> bool:
    """Whether a lesion can be of both types: one is the other, or a more general kind of it."""
    ontology = load_ontology()
    first, second = ontology.ancestors(one), ontology.ancestors(other)
    if one in second or other in first or _SHAPES & {one, other}:
        return True
    # A primary cancer is any cancer that is no metastasis.
    for general, special in ((one, second), (other, first)):
        if general == _PRIMARY and _CANCER in special and _SECONDARY not in special:
            return True
    return False


def overlap(one: str | None, other: str | None) -> bool:
    """Whether a lesion can lie in both of two places; None is any place."""
    ontology = load_ontology()
    if one is None or other is None:
        return True
    return _within(one, other, ontology) or _within(other, one, ontology)


def _within(inner: str, outer: str, ontology: Ontology) -> bool:
    if inner in parts_of(outer, ontology):
        return True
    host = ontology.get(inner).part_of
    return host is not None and _within(host, outer, ontology)


def occurs_in(lesion_type: str, organ: str | None) -> bool:
    """Whether a type of lesion occurs in an organ at all: some are of one organ only."""
    own = load_ontology().lesion_types[lesion_type].organ
    return own is None or organ is None or overlap(own, organ)


def lesions(state: RunState, ids: tuple[str, ...] | None = None) -> list[Evidence]:
    """Evidence that lesions are there: that with these ids, or all of the run's."""
    chosen = state.evidence.values() if ids is None else [state.evidence[one] for one in ids if one in state.evidence]
    return [one for one in chosen if one.quantity == "exists" and one.value is True and _is_lesion(one.target)]


def labelled_types(one: Evidence) -> tuple[str, ...]:
    """Types that the labels give to the lesions behind a piece of evidence; that of its class where none is told."""
    ontology = load_ontology()
    told = one.details.get("types")
    found = [str(name) for name in told if str(name) in ontology.lesion_types] if isinstance(told, list) else []
    own = ontology.get(one.target).lesion_type
    return tuple(found) or ((own,) if own is not None else ())


def ruled_out(lesion_type: str, lesion: Evidence, state: RunState) -> bool:
    """Whether the labels show that there is none of a type where a lesion lies: a class that would hold it is empty."""
    ontology = load_ontology()
    place = ontology.get(lesion.target).organ
    for one in state.evidence.values():
        if one.quantity != "exists" or one.state is not State.ABSENT or not _is_lesion(one.target):
            continue
        empty = ontology.get(one.target)
        covers = empty.organ is None or (place is not None and _within(place, empty.organ, ontology))
        if covers and empty.lesion_type in ontology.ancestors(lesion_type):
            return True
    return False


def _is_lesion(target: str) -> bool:
    return load_ontology().get(target).kind == "lesion"
