"""Every lesion of a class with all that is measured of it."""

from __future__ import annotations

from typing import Any

from tools.base import Case, Maker, tool
from tools.lesion_facts import LesionFacts
from tools.lesion_list import METHOD, lesion_list, nothing
from tools.ontology import load_ontology
from tools.types import Evidence, State

_LISTED = 200
_MEASURED = (
    "The {target} has a volume of {value}{pm}; its longest axial diameter is {num.long_axis_mm}{on_slice} and the "
    "short axis there {num.short_axis_mm}, its longest extent in space {num.feret_mm}, its mean attenuation "
    "{num.hu_mean}. {detail.where}.{note}"
)


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
            "measured": _MEASURED,
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
        whole, row = not one.cut, facts.row(one)
        row |= _where(row, apart=facts.apart(one))
        made.append(
            make(
                "lesion", f"{structure}#{number}", unit="cm3", method="voxel count × |det affine| of one component",
                state=State.MEASURED if whole else State.NOT_MEASURABLE,
                value=round(one.volume, 6) if whole else None,
                lower_bound=None if whole else round(one.volume, 6),
                uncertainty=round(one.volume_pm, 6) if whole else None,
                reason=None if whole else "it is cut off by the field of view (" + ", ".join(one.cut) + ")",
                slice=case.scan.orientation.file_slice(one.axes.k), details=row,
            )
        )  # fmt: skip
    return made


def _where(row: dict[str, Any], *, apart: bool) -> dict[str, str]:
    """Where a lesion lies, as a name and as a sentence without its full stop."""
    ontology = load_ontology()
    if row["organ"] is None:
        return {"place": "no organ", "where": "Its label names no organ"}
    name = ontology.get(row["organ"]).name
    if apart:
        return {"place": f"apart from the {name}", "where": f"It lies apart from the {name} as labelled"}
    name = ontology.get(row["region"] or row["organ"]).name
    # What bears a number takes no article: "in liver segment 6".
    return {"place": name, "where": f"It lies in {'' if name[-1].isdigit() else 'the '}{name}"}
