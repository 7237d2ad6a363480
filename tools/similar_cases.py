"""Earlier cases that look like the largest lesion of a class, and how they vote on its type. Never a diagnosis."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from agent.errors import ToolError, UsageError
from retrieval.case_model import Filters, Hit
from retrieval.vote import Vote, of_others, vote
from tools.base import Case, EvidenceId, Maker, tool
from tools.encode import embed
from tools.intervals import cited
from tools.largest_lesion import rivals
from tools.lesion_facts import LesionFacts, home
from tools.lesion_list import Lesion, LesionList
from tools.library import Library, Opened, encoder_id
from tools.look import host_of
from tools.no_opinion import NoOpinion, certain_largest
from tools.ontology import load_ontology
from tools.phase import contrast_phase
from tools.types import Evidence, State

SIMILAR, OPINION = "similar_cases", "lesion_type_opinion"
SOURCE = "similar cases"
MOST = 100
_LIKELY = 0.5
_MOST_CANDIDATES = 8
_MORE = 5
"""Neighbours beyond those that vote, since near duplicates do not."""
_METHOD = "nearest lesions of other patients by cosine of centred vectors, {}"
_UNTOLD_PATIENT = "other scans of the same patient could not be left out, since nothing tells who the patient is"

Neighbours = Annotated[int, Field(ge=1, le=MOST)]


@dataclass(frozen=True)
class _Search:
    """What is searched for: in which base, by which encoder, in which organ and phase, and who is left out."""

    case: Case
    structure: str
    library: Library
    opened: Opened
    organ: str
    phase: str | None

    def near(self, lesion: Lesion, k: int) -> list[Hit]:
        """The nearest lesions of other patients, enough of them to vote."""
        base, encoder = self.opened.base, self.opened.encoder
        assert encoder is not None
        host = host_of(self.case, self.structure)
        around = host[1].region if host is not None else None
        vector = embed(self.case.scan, lesion.region, encoder, self.library.arrays, around)
        voters = base.calibration.neighbours if base.calibration is not None else k
        found = base.search(
            vector, max(k, voters + _MORE), encoder=encoder_id(encoder), exclude_patient=self.library.own_keys(base),
            exclude_scan=self.case.scan.digest, filters=Filters(organ=self.organ, phase=self.phase),
        )  # fmt: skip
        # Of a copy of the scan that no digest gives away, the patient is this one.
        return of_others(found)


@tool(
    version="2",
    reads=("scan", "labels", "settings", "evidence", "library"),
    says={
        SIMILAR: {
            "measured": "Lesions of earlier cases that look most like the largest {target}: {num.found}, by type "
            "{detail.types}; what they are is said by: {detail.sources}.{note}",
            "not_measurable": "Earlier cases that look like the largest {target} cannot be told: {reason}.",
            "not_assessed": "Earlier cases that look like the largest {target} were not looked for: {reason}.",
            "absent": "No {target} was found: {reason}.",
        },
        OPINION: {
            "measured": "By the vote of {num.neighbours} similar lesions of {num.patients} other patients, the type of "
            "the largest {target} is {detail.type_name}, with a probability of {num.probability_percent}; the labels "
            "do not decide this, and it is no diagnosis.{note}",
            "not_measurable": "The vote of similar cases on the type of the largest {target} is open: {reason}.",
            "not_assessed": "Similar cases did not vote on the type of the largest {target}: {reason}.",
            "absent": "No {target} was found: {reason}.",
        },
    },
)
def similar_cases(
    case: Case, make: Maker, *, structure: str, k: Neighbours = 10, phase: EvidenceId | None = None
) -> list[Evidence]:
    """Earlier cases most like the largest lesion (by volume), and what type they vote for, with its probability.

    Only lesions of the same organ are compared, and of the same contrast phase where it is known; the patient's own
    never. A base for synthetic scans says nothing of real ones, and one of another encoder nothing at all. There is no
    type where the lesion is unlike those of the base, where too few can vote, or below a probability of one half.

    Args:
        structure: canonical identifier of a lesion class.
        k: number of cases to list; how many vote follows from the base.
        phase: evidence id of the contrast phase; without it, the phase is looked up as `contrast_phase` does.

    Raises:
        ToolError: for evidence that is no phase, or a lesion that cannot be encoded.
        UsageError: there is no case base any more, or no encoder of the name in the settings.
        IntegrityError: the case base is damaged.
    """
    common: dict[str, Any] = {"method": _METHOD.format("no base"), "inputs": (phase,) if phase is not None else ()}
    card: dict[str, Any] = {"source": SOURCE}
    try:
        library, opened = _base(case)
        card |= _card(opened)
        common["method"] = _METHOD.format(f"{card['encoder']} {card['encoder_version']}")
        found = _lesions(case, structure)
        given = cited(case, phase) if phase is not None else contrast_phase.call(case, {})[0]
        if given.quantity != "phase":
            raise ToolError("cases are compared in a contrast phase, and the evidence given is of something else")
        known = str(given.value) if given.state is State.MEASURED else None
        search = _Search(case, structure, library, opened, _organ(structure), known)
        card |= {"organ": search.organ, "phase": known, "patient_known": bool(library.own_keys(opened.base))}
        listed = [search.near(one, k) for one in [found.every[0], *rivals(found)]]
        if not listed[0]:
            raise NoOpinion(State.NOT_MEASURABLE, "the case base holds no lesion of this organ and phase to compare")
    except NoOpinion as why:
        common |= {"state": why.state, "reason": why.reason, "details": card | why.details}
        return [make(quantity, structure, unit=unit, **common) for quantity, unit in ((SIMILAR, "1"), (OPINION, None))]
    untold = not card["patient_known"] and not case.scan.header.synthetic
    common |= {"slice": case.scan.orientation.file_slice(found.every[0].axes.k)}
    note = "; ".join([f"only what is seen counts: {found.cut}"] * bool(found.cut) + [_UNTOLD_PATIENT] * untold) or None
    shown = listed[0][:k]
    similar = make(
        SIMILAR, structure, state=State.MEASURED, value=len(shown), unit="1", reason=note, details=card | _rows(shown),
        **common,
    )  # fmt: skip
    try:
        details = card | _voted(search, listed)
    except NoOpinion as why:
        open_ = make(OPINION, structure, state=why.state, reason=why.reason, details=card | why.details, **common)
        return [similar, open_]
    held = make(OPINION, structure, state=State.MEASURED, value=details["type"], reason=note, details=details, **common)
    return [similar, held]


def _base(case: Case) -> tuple[Library, Opened]:
    """The case base, where it is made for such a scan."""
    library = case.library
    if library is None:
        raise NoOpinion(State.NOT_ASSESSED, "no base of earlier cases was given")
    wrong = library.unfit(synthetic=case.scan.header.synthetic)
    if wrong is not None:
        raise NoOpinion(State.NOT_ASSESSED, wrong)
    opened = library.opened()
    if opened.unfit is not None:
        raise NoOpinion(State.NOT_ASSESSED, opened.unfit, **_card(opened))
    return library, opened


def _card(opened: Opened) -> dict[str, Any]:
    """What is compared with."""
    manifest = opened.base.manifest
    return {
        "encoder": manifest.encoder.name, "encoder_version": manifest.encoder.version, "base_digest": opened.digest,
        "base_cases": manifest.count, "synthetic_only": manifest.synthetic_only,
    }  # fmt: skip


def _lesions(case: Case, structure: str) -> LesionList:
    """The lesions of the class, of which one is certainly the largest that is wholly seen, and lies in its organ."""
    found = certain_largest(case, structure)
    if len(rivals(found)) >= _MOST_CANDIDATES:
        reason = "too many lesions may be the largest, being equal within the resolution"
        raise NoOpinion(State.NOT_MEASURABLE, reason)
    if LesionFacts(case, structure).apart(found.every[0]):
        reason = "it lies apart from its organ as labelled, so one of the labels is in doubt"
        raise NoOpinion(State.NOT_MEASURABLE, reason)
    return found


def _organ(structure: str) -> str:
    """The organ of a lesion class without its side, as entries of a base name it."""
    place = home(structure)
    if place is None:
        raise NoOpinion(State.NOT_ASSESSED, "only lesions of one organ are compared, and its class names none")
    return load_ontology().get(place).base or place


def _rows(hits: list[Hit]) -> dict[str, Any]:
    """The neighbours, each with who says what it is."""
    rows: list[dict[str, Any]] = [
        {
            "case": hit.entry.id, "lesion_type": hit.entry.lesion_type, "label_source": hit.entry.label_source,
            "similarity": round(hit.similarity, 4), "organ": hit.entry.organ, "phase": hit.entry.phase,
            "site": hit.entry.site, "size_mm": hit.entry.size_mm, "near_duplicate": hit.near_duplicate,
        }
        for hit in hits
    ]  # fmt: skip
    return {
        "found": len(rows),
        "types": _counted([_name(hit.entry.lesion_type) for hit in hits]),
        "sources": _counted([hit.entry.label_source for hit in hits]),
        "cases": rows,
    }


def _counted(names: list[str]) -> str:
    """Names with how often they occur, most often first."""
    return ", ".join(f"{name[:60]} ({count})" for name, count in Counter(names).most_common())


def _voted(search: _Search, listed: list[list[Hit]]) -> dict[str, Any]:
    """Details of the vote; of several lesions that may be the largest, all have to be of one type."""
    calibration = search.opened.base.calibration
    if calibration is not None and len(calibration.counts.get(search.organ, {})) < 2:
        raise NoOpinion(State.NOT_ASSESSED, "all lesions that the case base holds of this organ are of one type")
    rows = [_opinion(vote(hits, calibration, search.organ)) for hits in listed]
    types = [row["type"] for row in rows]
    if len(set(types)) > 1:
        reason = "several lesions may be the largest, being equal within the resolution, and their types differ"
        raise NoOpinion(State.NOT_MEASURABLE, reason, likeliest=types)
    return min(rows, key=lambda row: float(row["probability"]))


def _opinion(said: Vote) -> dict[str, Any]:
    """Details of one vote that counts."""
    shown: dict[str, Any] = {
        "neighbours": said.neighbours, "patients": said.patients, "in_distribution": said.in_distribution,
        "nearest": round(said.nearest, 4) if said.nearest is not None else None,
        "percentile": round(said.percentile, 4) if said.percentile is not None else None,
    }  # fmt: skip
    if said.state != "voted":
        raise NoOpinion(State.NOT_MEASURABLE, "too few similar cases of other patients are known to vote", **shown)
    shares: dict[str, float] = {}
    for name, share in said.probabilities.items():
        named = _known(name) or name
        shares[named] = shares.get(named, 0.0) + share
    best = min(shares, key=lambda name: (-shares[name], name))
    odds = shares[best]
    shown["probabilities"] = {name: round(share, 4) for name, share in shares.items()}
    if said.in_distribution is False:
        raise NoOpinion(State.NOT_MEASURABLE, "the lesion is unlike those of the case base", **shown)
    if odds < _LIKELY:
        reason = "no type is likelier than all others together"
        raise NoOpinion(State.NOT_MEASURABLE, reason, likeliest=[best], **shown)
    if _known(best) is None:
        reason = "the type that most similar cases have is none that the ontology knows"
        raise NoOpinion(State.NOT_MEASURABLE, reason, likeliest=[best], **shown)
    return shown | {
        "type": best, "type_name": _name(best), "probability": round(odds, 4),
        "probability_percent": round(100 * odds, 2),
    }  # fmt: skip


def _known(name: str) -> str | None:
    """Identifier of a lesion type that a base may name in other words; None where the ontology knows none."""
    from tools.classifiers.base import ontology_type  # noqa: PLC0415  (only where cases vote)

    try:
        return ontology_type(name, "the case base")
    except UsageError:
        return None


def _name(lesion_type: str) -> str:
    known = _known(lesion_type)
    return load_ontology().lesion_types[known].name if known is not None else lesion_type.replace("_", " ")
