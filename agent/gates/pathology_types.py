"""What a diagnosis and a differential diagnosis may say: types of lesions that the labels give, or leave open.

Part of the overclaim gate.
"""

from __future__ import annotations

from agent.lesion_types import compatible, labelled_types, lesions, named_type, occurs_in, overlap, ruled_out
from agent.state import PathologyClaim, RunState
from tools.ontology import load_ontology
from tools.types import Evidence


def diagnosis_problems(pathology: PathologyClaim, state: RunState) -> list[str]:
    """A diagnosis is what the labels call a lesion that is cited, or a more general name of it."""
    named = named_type(pathology.diagnosis or "")
    if named is None:
        return ["a diagnosis has to be the plain name of a type of lesion that evidence shows"]
    said, organ = named
    ontology = load_ontology()
    for lesion in lesions(state, pathology.evidence):
        shown = {above for name in labelled_types(lesion) for above in ontology.ancestors(name)}
        if said in shown and overlap(organ, ontology.get(lesion.target).organ):
            return []
    return ["a diagnosis has to be the type that the labels give to a lesion that is cited"]


def differential_problems(pathology: PathologyClaim, state: RunState) -> list[str]:
    """Each entry is a type that a cited lesion can have: it occurs there, and the labels speak for nothing else."""
    named = [named_type(text) for text in pathology.differential]
    known = [one for one in named if one is not None]
    there = lesions(state, pathology.evidence)
    problems = []
    if len(known) < len(named):
        problems.append("a differential diagnosis has to give the plain names of types of lesions")
    if len({said for said, _ in known}) < len(known):
        problems.append("a differential diagnosis has to name each type once")
    if not all(any(_possible(*one, lesion, state) for lesion in there) for one in known):
        problems.append("a differential diagnosis has to name types that a cited lesion can have in its organ")
    return problems


def _possible(said: str, organ: str | None, lesion: Evidence, state: RunState) -> bool:
    place = load_ontology().get(lesion.target).organ
    if not overlap(organ, place) or not occurs_in(said, place):
        return False
    return any(compatible(said, one) for one in labelled_types(lesion)) and not ruled_out(said, lesion, state)
