"""Transverse width of the caudate lobe against that of the right lobe of the liver, a sign of cirrhosis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.base import Case, Maker, tool
from tools.look import look
from tools.ontology import load_ontology
from tools.types import Evidence, State
from tools.volume import Grid, Region

_CAUDATE, _RIGHT = "liver_segment_1", "liver_right_lobe"
_QUANTITY = "caudate_width_ratio"
_METHOD = (
    "extent from right to left of the caudate lobe over that of the right lobe, on the axial slice where the caudate "
    "lobe is widest; borders of the labelled segments, not of the portal bifurcation (after Harbin)"
)
_OPEN = "The ratio of the widths of the caudate and the right lobe of the liver "


@tool(
    version="1",
    reads=("scan", "labels"),
    says={
        _QUANTITY: {
            "measured": "The caudate lobe is {num.caudate_mm} and the right lobe of the liver {num.right_mm} wide"
            "{on_slice}: a ratio of {value}{pm}.",
            "not_measurable": _OPEN + "cannot be measured: {reason}.",
            "not_assessed": _OPEN + "was not assessed: {reason}.",
            "absent": _OPEN + "cannot be given: {reason}.",
        }
    },
)
def caudate_ratio(case: Case, make: Maker) -> list[Evidence]:
    """Transverse width of the caudate lobe over that of the right lobe (Harbin 1980), from labelled liver segments."""
    common: dict[str, Any] = {"unit": "1", "method": _METHOD}
    looks = {name: look(case, name, with_lesions=True) for name in (_CAUDATE, _RIGHT)}

    def undecided(state: State, reason: str | None) -> list[Evidence]:
        return [make(_QUANTITY, "liver", state=state, reason=reason, **common)]

    for state in (State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE):
        for name, one in looks.items():
            if one.region is None and one.state is state:
                return undecided(state, f"{load_ontology().get(name).name}: {one.reason}")
    for name, one in looks.items():
        if not one.whole:
            return undecided(State.NOT_MEASURABLE, f"{load_ontology().get(name).name}: {one.incomplete_reason}")
    grid = case.scan.grid
    caudate, right = (looks[name].region for name in (_CAUDATE, _RIGHT))
    assert caudate is not None
    assert right is not None
    widths = _widths(caudate, grid)
    k = max(widths, key=lambda one: (widths[one], -one))
    beside = _widths(right, grid)
    if k not in beside:
        return undecided(State.NOT_MEASURABLE, "the right lobe does not reach the slice where the caudate is widest")
    pitch = _pitch(grid)
    ratio = widths[k] / beside[k]
    error = math.hypot(pitch / beside[k], ratio * pitch / beside[k])
    return [
        make(
            _QUANTITY, "liver", state=State.MEASURED, value=round(ratio, 6), uncertainty=round(error, 6),
            slice=case.scan.orientation.file_slice(k),
            details={"caudate_mm": round(widths[k], 4), "right_mm": round(beside[k], 4)}, **common,
        )
    ]  # fmt: skip


def _pitch(grid: Grid) -> float:
    """Extent of one pixel from right to left in mm."""
    return float(np.abs(grid.affine[0, :2]).sum())


def _widths(region: Region, grid: Grid) -> dict[int, float]:
    """Extent from right to left in mm on each axial slice, by canonical slice index; pixels with their extent."""
    found: dict[int, float] = {}
    for at in np.flatnonzero(region.mask.any(axis=(0, 1))):
        inside = np.argwhere(region.mask[:, :, at]) + [axis.start for axis in region.box[:2]]
        x = inside @ grid.affine[0, :2]
        # within one slice the same for every pixel, so the offset of the slice drops out
        found[int(at) + region.box[2].start] = round(float(np.ptp(x)) + _pitch(grid), 9)
    return found
