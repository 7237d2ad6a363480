"""Size of a lung nodule as guidelines on nodules take it: the mean of its two axial diameters."""

from __future__ import annotations

from typing import Any

from tools.base import Case, Maker, tool
from tools.largest_lesion import rivals, uncertain_largest
from tools.lesion_list import METHOD, lesion_list, none_counts
from tools.shape import voxel_pitch
from tools.types import Evidence, State

_QUANTITY = "nodule_mean_diameter"
_METHOD = METHOD + "; mean of the long and the short axis of the largest by volume, in the slice with the long axis"


@tool(
    version="1",
    reads=("scan", "labels", "settings"),
    says={
        _QUANTITY: {
            "measured": "The mean of the long and the short axial diameter of the largest {target} is {value}{pm}"
            "{on_slice}.{note}",
            "not_measurable": "The mean diameter of the largest {target} cannot be measured: {reason}.{at_least}",
            "not_assessed": "The mean diameter of the largest {target} was not assessed: {reason}.",
            "absent": "No {target} was found: {reason}.",
        }
    },
)
def nodule_size(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Mean of the long and short axial diameter of the largest nodule in mm (MacMahon 2017), not rounded.

    Where the largest may be cut off, half of the shortest long axis that the candidates show is certain.

    Args:
        structure: canonical identifier of a lesion class.
    """
    found = lesion_list(case, structure)
    common: dict[str, Any] = {"unit": "mm", "method": _METHOD}
    none = none_counts(case, structure, found)
    if none is not None:
        state, reason = none
        return [make(_QUANTITY, structure, state=state, reason=reason, **common)]
    first = found.every[0]
    candidates = [first, *rivals(found)]
    problem = uncertain_largest(found)
    if problem is not None:
        bound = min(one.axes.long_axis for one in candidates) / 2
        return [
            make(
                _QUANTITY, structure, state=State.NOT_MEASURABLE, reason=problem, lower_bound=round(bound, 6), **common
            )
        ]  # fmt: skip
    note = f"only what is seen counts: {found.cut}" if found.cut else found.note
    sizes = [(one.axes.long_axis + one.axes.short_axis) / 2 for one in candidates]
    # Of several that may be the largest within the resolution, the interval holds the size of each.
    margin = max(abs(size - sizes[0]) for size in sizes) + voxel_pitch(case.scan.grid)
    return [
        make(
            _QUANTITY, structure, state=State.MEASURED, value=round(sizes[0], 6), uncertainty=round(margin, 6),
            slice=case.scan.orientation.file_slice(first.axes.k), reason=note,
            details={
                "long_axis_mm": round(first.axes.long_axis, 4), "short_axis_mm": round(first.axes.short_axis, 4),
            },
            **common,
        )
    ]  # fmt: skip
