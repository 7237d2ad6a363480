"""Lesions as connected components: count, largest, side."""

from __future__ import annotations

from typing import Any

from tools.base import Case, Maker, tool
from tools.lesion_extent import diagonal
from tools.lesion_list import METHOD, Lesion, LesionList, lesion_list, nothing
from tools.look import look
from tools.ontology import SIDES, is_pair, load_ontology
from tools.shape import centroid, voxel_pitch
from tools.structures import region as region_of
from tools.types import Evidence, State

# Beyond this many, lesions are counted but not listed one by one.
_LISTED = 200
_UNPAIRED = "it does not belong to a paired organ"
_NO_SIDES = "the organ beside it is not labelled by side"


def _says(what: str, slice_note: str = "") -> dict[str, str]:
    return {
        "measured": f"The {what} is {{value}}{{pm}}{slice_note}.{{note}}",
        "not_measurable": f"The {what} cannot be measured: {{reason}}.{{at_least}}",
        "not_assessed": f"The {what} was not assessed: {{reason}}.",
        "absent": "No {target} was found: {reason}.",
    }


@tool(
    version="6",
    reads=("scan", "labels", "settings"),
    says={
        "lesion_count": _says("number of {targets}"),
        "largest_lesion_volume": _says("volume of the largest {target}"),
        "largest_lesion_long_axis": _says("longest axial diameter of the largest {target}", "{on_slice}"),
        "largest_lesion_short_axis": _says("axial short axis of the largest {target}", "{on_slice}"),
        "longest_lesion_axis": _says("longest axial diameter of any {target}", "{on_slice}"),
    },
)
def lesion_components(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Number of lesions, volume, long and short axis of the largest (by volume), and the longest axis of any.

    Components below the size limit of the settings are named, not counted. Where the organ or a lesion is cut
    off, the count is a lower bound.

    Args:
        structure: canonical identifier of a lesion class.
    """
    units = {
        "lesion_count": "1", "largest_lesion_volume": "cm3", "largest_lesion_long_axis": "mm",
        "largest_lesion_short_axis": "mm", "longest_lesion_axis": "mm",
    }  # fmt: skip
    found = lesion_list(case, structure)
    if found.found.region is None:
        return _none(case, make, structure, found, units)
    every, lesions, cut = found.every, found.lesions, found.cut
    rows = [_row(case, one) for one in lesions[:_LISTED]]
    details: dict[str, Any] = {"lesions": rows, "below_limit": found.below, "limit_mm3": case.settings.min_lesion_mm3}
    if found.below:
        details["with_small"] = len(every)
    made = [
        make(
            "lesion_count", structure, unit="1", method=METHOD, details=details,
            state=State.NOT_MEASURABLE if cut else State.MEASURED,
            value=None if cut else len(lesions), lower_bound=len(lesions) if cut else None, reason=cut or found.note,
        )
    ]  # fmt: skip
    if not lesions:
        reason = "all of its components are below the size limit"
        made += [
            make(q, structure, unit=units[q], state=State.NOT_MEASURABLE, reason=reason, method=METHOD)
            for q in list(units)[1:]
        ]
        return made
    return [*made, *_largest(case, make, structure, every, cut), _longest(case, make, structure, found)]


def _none(case: Case, make: Maker, structure: str, found: LesionList, units: dict[str, str]) -> list[Evidence]:
    state, reason = nothing(case, structure, found.found)
    value = 0 if state is State.ABSENT else None
    return [
        make(
            q, structure, unit=u, state=state, reason=reason, method=METHOD,
            value=value if q == "lesion_count" else None,
        )
        for q, u in units.items()
    ]  # fmt: skip


def _row(case: Case, one: Lesion) -> dict[str, Any]:
    where = centroid(one.region, case.scan.grid)
    axes = one.axes
    return {
        "volume_cm3": round(one.volume, 6),
        "long_axis_mm": round(axes.long_axis, 4),
        "short_axis_mm": round(axes.short_axis, 4),
        "slice": case.scan.orientation.file_slice(axes.k),
        "centroid_ras_mm": [round(float(x), 2) for x in where],
        "cut_off_at": list(one.cut),
    }


def _longest(case: Case, make: Maker, structure: str, found: LesionList) -> Evidence:
    """The longest axis that any lesion has, which need not be that of the largest; a bound where more may be unseen."""
    grid = case.scan.grid
    cut = found.cut
    axes = max((one.axes for one in found.lesions), key=lambda one: one.long_axis)
    length = round(axes.long_axis, 6)
    details: dict[str, Any] = {}
    if found.below:
        # Specks are many, and most of them are too small to be the longest.
        longer = [one.axes.long_axis for one in found.every if diagonal(one) > axes.long_axis]
        details = {"below_limit": found.below, "with_small": round(max(axes.long_axis, *longer, 0.0), 6)}
    return make(
        "longest_lesion_axis", structure, unit="mm", method=METHOD + "; longest of all",
        slice=case.scan.orientation.file_slice(axes.k), reason=cut,
        state=State.NOT_MEASURABLE if cut else State.MEASURED, value=None if cut else length,
        lower_bound=length if cut else None, uncertainty=None if cut else round(voxel_pitch(grid), 6), details=details,
    )  # fmt: skip


def _largest(case: Case, make: Maker, structure: str, every: tuple[Lesion, ...], cut: str | None) -> list[Evidence]:
    first = every[0]
    grid = case.scan.grid
    axes = first.axes
    reason = None
    bounds = {"largest_lesion_volume": first.volume, "largest_lesion_long_axis": axes.long_axis}
    # A lesion that is cut off may be the largest one, whatever is seen of it.
    rivals = [one for one in every if one.cut]
    if rivals:
        reason = "it is cut off by the field of view" if first.cut else "a lesion is cut off by the field of view"
        # The largest by volume need not be the longest: only what holds for each candidate is certain.
        bounds["largest_lesion_long_axis"] = min(one.axes.long_axis for one in (first, *rivals))
    k = case.scan.orientation.file_slice(axes.k)
    if reason is None and cut is not None:
        note: str | None = f"only what is seen counts: {cut}"
    else:
        note = reason
    rows = (
        ("largest_lesion_volume", "cm3", first.volume, first.volume_pm, None),
        ("largest_lesion_long_axis", "mm", axes.long_axis, voxel_pitch(grid), k),
        ("largest_lesion_short_axis", "mm", axes.short_axis, voxel_pitch(grid), k),
    )
    made = []
    for quantity, unit, value, uncertainty, at in rows:
        bound = round(bounds[quantity], 6) if reason and quantity in bounds else None
        made.append(
            make(
                quantity, structure, unit=unit, method=METHOD + "; largest by volume", slice=at,
                state=State.NOT_MEASURABLE if reason else State.MEASURED,
                value=None if reason else round(value, 6), lower_bound=bound,
                uncertainty=None if reason else round(uncertainty, 6), reason=note,
            )
        )  # fmt: skip
    return made


@tool(
    version="2",
    reads=("scan", "labels"),
    says={
        "side": {
            "measured": "The {target} lies on this side: {value}.",
            "absent": "No {target} was found: {reason}.",
            "not_measurable": "The side of the {target} cannot be told: {reason}.",
            "not_assessed": "The side of the {target} was not assessed: {reason}.",
        }
    },
)
def lesion_side(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Side of a lesion in a paired organ: "left", "right" or "both".

    Args:
        structure: canonical identifier of a lesion class.
    """
    ontology = load_ontology()
    method = "the side of the organ that holds the lesion, or lies nearest to it"
    found = look(case, structure)
    if found.region is None or case.labels is None:
        return [make("side", structure, state=found.state, reason=found.reason, method=method)]
    asked = ontology.get(structure)
    if asked.side is not None:
        return [make("side", structure, state=State.MEASURED, value=asked.side, method=method)]
    organ = ontology.get(asked.organ) if asked.organ else None
    if organ is None or not is_pair(organ.id) or asked.lesion_type is None:
        return [
            make("side", structure, state=State.NOT_MEASURABLE, reason=_UNPAIRED, method=method)
        ]  # fmt: skip
    sides = []
    for side in SIDES:
        region = region_of(case.labels, ontology.lesion_id(asked.lesion_type, f"{organ.base}_{side}"))
        if region is not None and region.voxels:
            sides.append(side)
    if not sides:
        return [
            make("side", structure, state=State.NOT_MEASURABLE, reason=_NO_SIDES, method=method)
        ]  # fmt: skip
    value = sides[0] if len(sides) == 1 else "both"
    return [make("side", structure, state=State.MEASURED, value=value, method=method)]
