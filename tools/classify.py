"""What a specialised classifier takes the largest lesion of a class for. An opinion, never a label."""

from __future__ import annotations

from typing import Any

from agent.errors import ToolError
from tools.base import Case, EvidenceId, Maker, tool
from tools.classifiers.base import Classifier, Described, Probabilities
from tools.classifiers.features import Unseen, lesion_features
from tools.classifiers.registry import EMBEDDED, classifier_digest, load_classifier
from tools.intervals import cited
from tools.largest_lesion import rivals
from tools.lesion_facts import LesionFacts, home
from tools.lesion_list import Lesion, LesionList
from tools.no_opinion import NoOpinion, certain_largest
from tools.ontology import load_ontology
from tools.phase import contrast_phase
from tools.types import Evidence, State

QUANTITY = "lesion_type_opinion"
"""The quantity by which the critic knows a specialist's opinion (`agent.opinions.SPECIALIST`)."""
_LIKELY = 0.5
_MOST_CANDIDATES = 8
_UNLIKE = "the lesion is unlike those that {} was trained on"


@tool(
    version="2",
    reads=("scan", "labels", "settings", "evidence"),
    says={
        QUANTITY: {
            "measured": "In the opinion of {detail.source}, the type of the largest {target} is {detail.type_name}, "
            "with a probability of {num.probability_percent}; the labels do not decide this.{note}",
            "not_measurable": "The opinion of a specialised classifier on the type of the largest {target} is open: "
            "{reason}.",
            "not_assessed": "No specialised classifier was asked for the type of the largest {target}: {reason}.",
            "absent": "No {target} was found: {reason}.",
        }
    },
)
def classify_lesion(
    case: Case, make: Maker, *, structure: str, classifier: str = EMBEDDED, phase: EvidenceId | None = None
) -> list[Evidence]:
    """Type of the largest lesion (by volume) by a specialised classifier, with its probability.

    It answers for scans and lesions of the sort that it was made for, and says nothing of others: a classifier for
    synthetic scans refuses real ones, and a lesion far from those that it was trained on has no type. Below a
    probability of one half it is undecided.

    Args:
        structure: canonical identifier of a lesion class.
        classifier: name of a registered classifier.
        phase: evidence id of the contrast phase; without it, the phase is looked up as `contrast_phase` does.

    Raises:
        UsageError: for a classifier that is not registered or can't be loaded.
        ToolError: for evidence that is no phase.
    """
    chosen = load_classifier(classifier)
    card: dict[str, Any] = {
        "classifier": chosen.name,
        "classifier_version": chosen.version,
        "source": chosen.source,
        "classifier_digest": classifier_digest(classifier),
    }
    common: dict[str, Any] = {
        "method": f"specialised classifier on the largest lesion's mask ({chosen.name}, {chosen.version})",
        "inputs": (phase,) if phase is not None else (),
    }
    try:
        found = certain_largest(case, structure)
        _fits(case, structure, chosen)
        given = cited(case, phase) if phase is not None else contrast_phase.call(case, {})[0]
        card |= _phase(given)
        details = card | _answer(case, structure, found, chosen, str(given.value))
    except NoOpinion as why:
        return [make(QUANTITY, structure, state=why.state, reason=why.reason, details=card | why.details, **common)]
    notes = [f"only what is seen counts: {found.cut}"] if found.cut else []
    if details["in_distribution"] is None:
        notes.append("whether it is like the lesions of its training is not known")
    return [
        make(
            QUANTITY, structure, state=State.MEASURED, value=details["type"], reason="; ".join(notes) or None,
            details=details, slice=case.scan.orientation.file_slice(found.every[0].axes.k), **common,
        )
    ]  # fmt: skip


def _fits(case: Case, structure: str, chosen: Classifier) -> None:
    """Whether the classifier was made for such a scan and organ."""
    synthetic = case.scan.header.synthetic
    if chosen.valid_for == "synthetic" and not synthetic:
        raise NoOpinion(State.NOT_ASSESSED, f"{chosen.source} is valid for synthetic scans only, and this is none")
    if chosen.valid_for == "real" and synthetic:
        raise NoOpinion(
            State.NOT_ASSESSED, f"{chosen.source} is valid for real scans only, and this is a synthetic one"
        )
    ontology = load_ontology()
    place = home(structure)
    organ = ontology.get(place).base if place is not None else None
    if organ is None or organ not in chosen.organs:
        where = ontology.get(organ).name if organ is not None else "lesions without an organ"
        raise NoOpinion(State.NOT_ASSESSED, f"{chosen.source} was not made for this: {where}")
    if len(chosen.organs[organ]) < 2:
        reason = f"{chosen.source} knows only one type of lesion in the {ontology.get(organ).name}"
        raise NoOpinion(State.NOT_ASSESSED, reason, types=list(chosen.organs[organ]))


def _phase(given: Evidence) -> dict[str, Any]:
    """The phase that is used."""
    if given.quantity != "phase":
        raise ToolError("a classifier needs evidence of the contrast phase")
    if given.state is not State.MEASURED:
        raise NoOpinion(State.NOT_MEASURABLE, "the contrast phase is not known, without which attenuation has no type")
    return {"phase": str(given.value)}


def _answer(case: Case, structure: str, found: LesionList, chosen: Classifier, phase: str) -> dict[str, Any]:
    """Details of the answer for the largest lesion; of several that may be it, all have to be of one type."""
    facts = LesionFacts(case, structure)
    candidates = [found.every[0], *rivals(found)]
    if len(candidates) > _MOST_CANDIDATES:
        raise NoOpinion(State.NOT_MEASURABLE, "too many lesions may be the largest, being equal within the resolution")
    rows = [_details(_predict(facts, one, chosen, phase), chosen) for one in candidates]
    types = [row["type"] for row in rows]
    if len(set(types)) > 1:
        reason = "several lesions may be the largest, being equal within the resolution, and their types differ"
        raise NoOpinion(State.NOT_MEASURABLE, reason, likeliest=types)
    return min(rows, key=lambda row: float(row["probability"]))


def _predict(facts: LesionFacts, one: Lesion, chosen: Classifier, phase: str) -> Probabilities:
    if facts.apart(one):
        raise NoOpinion(
            State.NOT_MEASURABLE, "it lies apart from its organ as labelled, so one of the labels is in doubt"
        )
    if facts.feret(one).length < chosen.smallest_mm:
        raise NoOpinion(State.NOT_MEASURABLE, f"it is smaller than the lesions that {chosen.source} was made for")
    features = lesion_features(facts, one, phase)
    if isinstance(features, Unseen):
        raise NoOpinion(features.state, features.reason)
    host = facts.host(facts.place(one))
    tissue = host.tissue if host is not None else None
    return chosen.predict(Described(features, facts.case.scan, one.region, tissue))


def _details(answer: Probabilities, chosen: Classifier) -> dict[str, Any]:
    """Details of one answer that counts."""
    best = answer.best
    odds = answer.types[best]
    shown: dict[str, Any] = {
        "probabilities": {name: round(value, 4) for name, value in answer.types.items()},
        "ood_distance": round(answer.distance, 4) if answer.distance is not None else None,
        "ood_limit": round(answer.limit, 4) if answer.limit is not None else None,
        "in_distribution": answer.in_distribution,
        "features": list(answer.mattered),
    }
    if answer.in_distribution is False:
        raise NoOpinion(State.NOT_MEASURABLE, _UNLIKE.format(chosen.source), **shown)
    if odds < _LIKELY:
        reason = f"{chosen.source} is undecided, as it takes no type for likelier than all others together"
        raise NoOpinion(State.NOT_MEASURABLE, reason, likeliest=[best], **shown)
    return shown | {
        "type": best,
        "type_name": load_ontology().lesion_types[best].name,
        "probability": round(odds, 4),
        "probability_percent": round(100 * odds, 2),
    }
