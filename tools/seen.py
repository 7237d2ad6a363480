"""What relations begin with: the mask of a structure, of an organ with its lesions, or of one lesion."""

from __future__ import annotations

from dataclasses import replace

from tools.base import Case
from tools.lesion_list import lesion_list, nothing
from tools.look import Look, look
from tools.ontology import load_ontology
from tools.types import State


def seen(case: Case, structure: str) -> Look:
    """Look for a structure, an organ with the lesions in it, or a single lesion ("liver_lesion#2").

    Where a lesion has no voxel it is absent only if the whole organ was seen.
    """
    of, numbered, number = structure.rpartition("#")
    if numbered:
        return _numbered(case, of, int(number) if number.isdecimal() else 0)
    if load_ontology().get(structure).kind != "lesion":
        return look(case, structure, with_lesions=True)
    found = look(case, structure)
    if found.region is not None:
        return found
    state, reason = nothing(case, structure, found)
    return replace(found, state=state, reason=reason)


def _numbered(case: Case, structure: str, number: int) -> Look:
    listed = lesion_list(case, structure)
    if listed.found.region is None:
        state, reason = nothing(case, structure, listed.found)
        return Look(state, reason)
    if 1 <= number <= len(listed.lesions):
        one = listed.lesions[number - 1]
        return Look(State.MEASURED, None, one.region, one.cut)
    if listed.cut is not None:
        return Look(State.NOT_MEASURABLE, f"so many were not seen: {listed.cut}")
    return Look(State.ABSENT, "there are not so many above the size limit")
