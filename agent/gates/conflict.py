"""Conflict: what is concluded of a lesion is not contradicted by another source on the same lesion.

Types are compared by the ontology, so that synonyms and more general names are no conflict. A conflict is told with its
sources and settled by nobody here: the user may choose which source to follow.
"""

from __future__ import annotations

from agent.gates.model import Finding, Gate, View, judged
from agent.opinions import LABELS, MODEL, Opinion, conflicts, models_opinions, opinions
from agent.state import Objection


def check(view: View) -> Finding:
    """Compare the types that the sources give to each lesion."""
    given = opinions(view.state, view.settings.prefer)
    pathology = view.conclusion.pathology
    if pathology is not None:
        given += models_opinions(pathology, view.state)
    if not any(one.source != LABELS for one in given):
        return Finding("not_applicable", "no source but the labels says what type a lesion is of")
    objections = dict.fromkeys(_objection(one, other) for one, other in conflicts(given))
    return judged(list(objections), "the sources agree on the types of the lesions")


def _objection(one: Opinion, other: Opinion) -> Objection:
    said = MODEL in {one.source, other.source}
    return Objection(
        gate="conflict",
        claim="pathology" if said else None,
        expected=f"{one.source} and {other.source} have to agree on what type a lesion is of",
    )


GATE = Gate("conflict", 60, check)
