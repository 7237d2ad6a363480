"""What a run could not see, and what limits all that it saw."""

from __future__ import annotations

from collections.abc import Iterable

from agent.query import Query
from agent.review_report import corrections
from agent.state import RunState
from agent.wording import describe, target_name
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.types import Evidence, State

_NOTED = {"labels": "Labels", "reading": "The scan"}
_PATIENT = "same_patient"
_VERDICTS = ("weigh_rules", "no_rule")
_ALWAYS_UNASSESSED = ("lymph_node", "distant_metastasis")


def not_assessed(state: RunState) -> list[str]:
    """What nothing looked for, one sentence each."""
    found = [
        describe(one, state.evidence).text
        for one in state.evidence.values()
        if one.state is State.NOT_ASSESSED
        and (one.quantity in {"exists", "phase", "labels", "verdict", "failure"} or one.tool in _VERDICTS)
        and one.tool not in {"apply_rule", "apply_table", "implied_verdict", "gravest"}
    ]  # fmt: skip
    found += _unlabelled_lesions(state)
    if state.request.question is None:
        found += [f"Nothing looked for {load_ontology().get(name).names}." for name in _ALWAYS_UNASSESSED]
    return list(dict.fromkeys(found))


def _unlabelled_lesions(state: RunState) -> Iterable[str]:
    """Organs of a report whose lesions no label class could show."""
    if state.request.question is not None:
        return []
    ontology = load_ontology()
    labels = next((one for one in state.evidence.values() if one.quantity == "labels"), None)
    declared = labels.details.get("declared") if labels else None
    names = [str(name) for name in declared] if isinstance(declared, list) else []
    covered = {ontology.get(name).organ for name in names if ontology.get(name).kind == "lesion"}
    covered |= {ontology.get(organ).base for organ in covered if organ}
    measured = {one.target for one in state.evidence.values() if one.quantity == "volume"}
    organs = [
        name
        for name in sorted(measured)
        if ontology.get(name).kind == "organ" and name not in covered and ontology.get(name).base not in covered
    ]
    if not organs:
        return []
    return ["Nothing looked for lesions of these organs: " + ", ".join(target_name(name) for name in organs) + "."]


def _unsure_of_patient(state: RunState) -> Iterable[Evidence]:
    """What is not known of the patient of the earlier scan, where anything else was taken from that scan."""
    tools = load_tools()
    from_prior = [one for one in state.evidence.values() if one.tool in tools and "prior" in tools[one.tool].reads]
    if all(one.quantity == _PATIENT for one in from_prior):
        return []
    return [one for one in from_prior if one.quantity == _PATIENT and one.state is State.NOT_ASSESSED]


def limitations(state: RunState) -> list[str]:
    """What limits every result of the run, one sentence each."""
    found = [
        f"A model had to understand the question “{one.text}”. What is answered is “{one.read_as}”"
        for one in state.queries
        if isinstance(one, Query) and one.read_as is not None
    ]
    for one in state.evidence.values():
        if one.tool == "scan_checks" and one.reason and one.state is not State.NOT_ASSESSED:
            found.append(f"The scan: {one.reason}.")
        notes = one.details.get("notes")
        if one.quantity in _NOTED and isinstance(notes, list):
            found += [f"{_NOTED[one.quantity]}: {note}." for note in notes]
        if one.quantity == "phase" and one.state is State.NOT_MEASURABLE:
            found.append(describe(one, state.evidence).text)
    found += [f"The earlier scan: {one.reason}." for one in _unsure_of_patient(state)]
    found += corrections(state.reviews)
    cut = sorted(
        {
            target_name(one.target)
            for one in state.evidence.values()
            if one.quantity == "complete" and one.value is False
        }
    )
    if cut:
        found.append(
            "Not completely within the scan or the labels, so that their sizes are lower bounds: "
            + ", ".join(cut)
            + "."
        )
    return list(dict.fromkeys(found))
