"""The greatest extent in space of any lesion of a class, which need not be that of the largest one by volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.base import Case, Maker, tool
from tools.geometry3d import Feret, feret
from tools.lesion_list import METHOD, Lesion, lesion_list, none_counts
from tools.types import Evidence, State

_METHOD = METHOD + "; longest distance between voxel corners of one of them"


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "greatest_lesion_feret": {
            "measured": "The greatest extent in space of any {target} is {value}{pm}.{note}",
            "not_measurable": "The greatest extent in space of any {target} cannot be measured: {reason}.{at_least}",
            "not_assessed": "The greatest extent in space of any {target} was not assessed: {reason}.",
            "absent": "No {target} was found: {reason}.",
        }
    },
)
def lesion_extent(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Greatest extent in space (Feret diameter, mm) of any lesion above the size limit.

    A bulky lesion may be larger by volume and yet shorter than a thin one. Where a lesion or its organ is cut off,
    what is seen is a lower bound.

    Args:
        structure: canonical identifier of a lesion class.
    """
    found = lesion_list(case, structure)
    common: dict[str, Any] = {"unit": "mm", "method": _METHOD}
    none = none_counts(case, structure, found)
    if none is not None:
        state, reason = none
        return [make("greatest_lesion_feret", structure, state=state, reason=reason, **common)]
    best = _greatest(found.lesions)
    if found.below:
        every = _greatest(found.every)
        common["details"] = {"below_limit": found.below, "with_small": round(max(every.length, best.length), 6)}
    if found.cut is not None:
        common |= {"state": State.NOT_MEASURABLE, "lower_bound": round(best.length, 6), "reason": found.cut}
        return [make("greatest_lesion_feret", structure, **common)]
    return [
        make(
            "greatest_lesion_feret", structure, state=State.MEASURED, value=round(best.length, 6),
            uncertainty=round(best.uncertainty, 6), reason=found.note, **common,
        )
    ]  # fmt: skip


def _greatest(lesions: tuple[Lesion, ...]) -> Feret:
    """The greatest extent of any of them; none is longer than the diagonal of its box, so that few are measured."""
    order = sorted(((diagonal(one), number) for number, one in enumerate(lesions)), reverse=True)
    best: Feret | None = None
    for bound, number in order:
        if best is not None and bound <= best.length:
            break
        one = feret(lesions[number].region, lesions[number].grid)
        if best is None or one.length > best.length:
            best = one
    assert best is not None
    return best


def diagonal(one: Lesion) -> float:
    """Length in mm that no distance within a lesion's box exceeds: the longest of the box's diagonals."""
    sides = np.array([axis.stop - axis.start for axis in one.region.box])
    signs = np.array([(1, a, b) for a in (1, -1) for b in (1, -1)])
    return float(np.linalg.norm((signs * sides) @ one.grid.affine[:3, :3].T, axis=1).max())
