"""Whether a structure or a lesion is there: the four states, with what they rest on."""

from __future__ import annotations

import re

from tools.base import Case, Maker, tool
from tools.lesion_list import only_grazed
from tools.look import Look, host_of, look
from tools.ontology import load_ontology
from tools.structure_parts import filled
from tools.structures import resolve
from tools.types import Evidence, State


@tool(
    version="5",
    reads=("scan", "labels"),
    says={
        "exists": {
            "true": "The scan shows {a_target}: its label has voxels{on_slice}.",
            "absent": "No {target} was found: {reason}.",
            "not_measurable": "Whether the scan shows {any_target} cannot be decided: {reason}.",
            "not_assessed": "Whether the scan shows {any_target} was not assessed: {reason}.",
        }
    },
)
def presence(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Whether a structure, lesion or finding is present, absent, undecidable or unassessed.

    A lesion class proves the more general ones and never the more specific ones: a liver lesion is not thereby a
    metastasis. Absence needs a class that could have shown it and an organ that is wholly in the scan.

    Args:
        structure: canonical identifier.
    """
    lesion = load_ontology().get(structure).kind == "lesion"
    found = look(case, structure, with_lesions=not lesion)
    if lesion:
        return [_lesion(case, make, structure, found)]
    state, reason = found.state, found.reason
    if found.region is not None:
        return [_present(case, make, structure, found)]
    value = False if state is State.ABSENT else None
    return [make("exists", structure, state=state, value=value, reason=reason, method="label look-up")]


def _present(case: Case, make: Maker, structure: str, found: Look) -> Evidence:
    assert found.region is not None
    counts = found.region.mask.sum(axis=(0, 1))
    k = int(counts.argmax()) + found.region.box[2].start
    return make(
        "exists", structure, state=State.MEASURED, value=True, method="voxels under the label",
        slice=case.scan.orientation.file_slice(k),
        details={"voxels": found.region.voxels, "types": _types(case, structure)},
    )  # fmt: skip


def _types(case: Case, structure: str) -> list[str]:
    """Lesion types of the labels behind a lesion that is there; none for other structures."""
    if case.labels is None or load_ontology().get(structure).kind != "lesion":
        return []
    known = resolve(case.labels, structure)
    shown = [one for one in (*known.classes, *known.shared) if filled(case.labels, one)]
    return sorted({kind for one in shown if (kind := load_ontology().get(one).lesion_type) is not None})


def _lesion(case: Case, make: Maker, structure: str, found: Look) -> Evidence:
    method = "lesion classes of the labels, by the ontology's is-a relation"
    none = "its class is empty"
    if found.region is not None:
        if not only_grazed(case, structure):
            return _present(case, make, structure, found)
        none = "only small fringes of lesions beside it reach into it"
    elif found.state is not State.ABSENT:
        details = {"none_found": True} if found.none_found else {}
        return make("exists", structure, state=found.state, reason=found.reason, method=method, details=details)
    elif case.labels is not None and resolve(case.labels, structure).shared:
        none = "none of the lesions that the labels show lies there"
    host = host_of(case, structure)
    if host is None:
        return make(
            "exists", structure, state=State.NOT_ASSESSED, method=method,
            reason="none was found where the labels could show one, but they do not cover the whole body",
        )  # fmt: skip
    organ, seen = host
    if seen.region is None:
        return make(
            "exists", structure, state=State.NOT_ASSESSED, method=method,
            reason=f"{none}, but the {organ.name} itself was not found in the labels",
        )  # fmt: skip
    if not seen.whole:
        return make(
            "exists", structure, state=State.NOT_MEASURABLE, method=method,
            reason=f"none was found, but of the {organ.name} only a part is seen: {seen.incomplete_reason}",
        )  # fmt: skip
    return make(
        "exists", structure, state=State.ABSENT, value=False, method=method,
        reason=f"{none} and the whole organ is in the scan",
    )  # fmt: skip


@tool(
    version="1",
    reads=("labels",),
    says={
        "structures": {
            "measured": "Labelled structures: {value}.",
            "not_assessed": "Which structures there are was not assessed: {reason}.",
        }
    },
)
def structure_list(case: Case, make: Maker) -> list[Evidence]:
    """Names of the structures that have voxels in the labels."""
    method = "names of the labels that have voxels"
    if case.labels is None:
        return [make("structures", "scan", state=State.NOT_ASSESSED, reason="no label map was given", method=method)]
    ontology = load_ontology()
    there = [name for name, keys in case.labels.entries.items() if any(key in case.labels.boxes for key in keys)]
    return [
        make(
            "structures", "scan", state=State.MEASURED, method=method,
            value=", ".join(ontology.get(name).name for name in sorted(there, key=_natural)),
            details={"ids": sorted(there)},
        )
    ]  # fmt: skip


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts rib 2 before rib 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
