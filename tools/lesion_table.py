"""Every lesion of a class with all that is measured of it."""

from __future__ import annotations

from tools.base import Case, Maker, tool
from tools.lesion_facts import LesionFacts
from tools.lesion_list import METHOD, lesion_list, nothing
from tools.lesion_row import MEASURED, NO_ORGAN, place_of_row, row_evidence
from tools.types import Evidence, State

_LISTED = 200


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "lesion_table": {
            "measured": "The number of {targets} that are listed one by one is {value}.{note}",
            "absent": "No {target} was found: {reason}.",
            "not_measurable": "The {targets} cannot be listed: {reason}.",
            "not_assessed": "The {targets} were not assessed: {reason}.",
        },
        "lesion": {
            "measured": MEASURED,
            "not_measurable": "The {target} cannot be measured as a whole: {reason}.{at_least}",
        },
    },
)
def lesion_table(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """All lesions of a class, largest first, each with size, place, attenuation, shape and margin.

    Slice numbers and percentages of depth are those of the file's own order. Lesions below the size limit of the
    settings are counted in the details only. Of a lesion that is cut off the volume is a lower bound, and what the
    details say belongs to its visible part.

    Args:
        structure: canonical identifier of a lesion class.
    """
    found = lesion_list(case, structure)
    if found.found.region is None:
        state, reason = nothing(case, structure, found.found)
        value = 0 if state is State.ABSENT else None
        return [make("lesion_table", structure, unit="1", state=state, value=value, reason=reason, method=METHOD)]
    listed = found.lesions[:_LISTED]
    note = "; ".join(part for part in (found.cut, found.note) if part) or None
    made = [
        make(
            "lesion_table", structure, unit="1", state=State.MEASURED, value=len(listed), reason=note, method=METHOD,
            details={
                "limit_mm3": case.settings.min_lesion_mm3,
                "below_limit": found.below,
                "unlisted": len(found.lesions) - len(listed),
            },
        )
    ]  # fmt: skip
    facts = LesionFacts(case, structure)
    for number, one in enumerate(listed, start=1):
        row = facts.row(one)
        row["place"], lies = place_of_row(row, apart=facts.apart(one))
        row["where"] = "Its label names no organ" if row["place"] == NO_ORGAN else f"It lies {lies}"
        at = case.scan.orientation.file_slice(one.axes.k)
        made.append(row_evidence(make, f"{structure}#{number}", one, row, at))
    return made
