"""Where in the image a piece of evidence was measured: a point to go to, masks to highlight, lines to draw.

A line is drawn only if measuring it again gives the length that the evidence states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial import cKDTree

from agent.mask_runs import MaskRuns, mask_runs
from agent.place_masks import Shown, labels_of, shown_by, shown_one
from tools.base import Case
from tools.seen import seen
from tools.shape import in_plane_diameter_ends
from tools.surface import corners
from tools.types import Evidence, State
from tools.units import quantity_text
from tools.volume import FloatArray, LabelSet, Region

Point = tuple[float, float, float]
"""World mm, RAS+."""
_Axis = Literal["long", "short"]

_SAME_MM = 1e-3
_LINES: dict[str, _Axis] = {
    "long_axis": "long",
    "short_axis": "short",
    "largest_lesion_long_axis": "long",
    "largest_lesion_short_axis": "short",
    "longest_lesion_axis": "long",
}
"""Quantities whose value is an in-plane diameter."""
_DETAILS: dict[str, _Axis] = {"long_axis_mm": "long", "short_axis_mm": "short"}
"""Details that are one, where the value itself is something else."""
_PAIRS = frozenset({"distance", "contact_angle", "contact_length"})
"""Quantities that are measured between two structures; those of others that name two were computed."""


class Line(BaseModel):
    """A length that was measured.

    Attributes:
        begin: one end ("from" in JSON).
        end: the other ("to" in JSON).
        label: the length as shown ("23.1 mm").
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    begin: Point = Field(serialization_alias="from")
    end: Point = Field(serialization_alias="to")
    label: str


class Place(BaseModel):
    """Where to look.

    Attributes:
        mm: point to go to: the centre of a voxel of the mask that was measured; of a vessel's contact, of the vessel.
        slice: axial slice of that point, counted as in the user's file.
        structures: canonical ids whose masks show it; a single lesion has its number ("liver_lesion#2").
        lines: lengths that were measured there.
        box_mm: lowest and highest corner of that mask's bounds.
        singles: the voxels of the single lesions among the structures, since a label map holds the whole class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mm: Point
    slice: int | None
    structures: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    box_mm: tuple[Point, Point] | None = None
    singles: tuple[MaskRuns, ...] = ()


def place_of(one: Evidence, case: Case, evidence: Mapping[str, Evidence]) -> Place | None:
    """Where the image shows what a piece of evidence tells.

    What was measured on a slice is shown there. What was computed or judged is shown where the first of its inputs
    that has a place was measured, those about the same structure before others; failing them, where the structure is.

    Args:
        one: the evidence.
        case: the case with all labels that the run had.
        evidence: the run's evidence by id, to follow inputs.

    Returns:
        None for what concerns the scan as a whole, an earlier scan, or nothing that has a mask.
    """
    if one.target == "scan" and not one.inputs:
        return None
    if one.inputs and one.slice is None:
        own = _own_place(one, case)
        found = [place for other in _sources(one, evidence) if (place := _own_place(other, case)) is not None]
        about = set(own.structures) if own is not None else set()
        same = [place for place in found if about & {name.partition("#")[0] for name in place.structures}]
        return next(iter([*same, *([own] if own is not None else []), *found]), None)
    return _own_place(one, case)


def _sources(one: Evidence, evidence: Mapping[str, Evidence]) -> Iterator[Evidence]:
    """What something was derived from, first inputs first, down to what was measured; each once."""
    stack, known = list(reversed(one.inputs)), set()
    while stack:
        ident = stack.pop()
        if ident in known or ident not in evidence:
            continue
        known.add(ident)
        found = evidence[ident]
        if found.inputs and found.slice is None:
            stack += reversed(found.inputs)
        else:
            yield found


def _own_place(one: Evidence, case: Case) -> Place | None:
    # The slices and lengths of "prior_" quantities are those of another scan.
    if case.labels is None or one.target == "scan" or one.quantity.startswith("prior_"):
        return None
    if one.state is State.NOT_ASSESSED and one.slice is None:
        return None
    first, joined, second = one.target.partition("+")
    if joined:
        return _between(one, case, first, second) if one.quantity in _PAIRS else None
    shown = shown_by(case, case.labels, one)
    if shown is None:
        return None
    k, mm = _point(shown.region, case, one.slice)
    lines = _diameters(one, shown.region, case) if one.state is not State.ABSENT else ()
    return _place(case, k, mm, (shown,), lines, shown.region)


def _point(
    region: Region, case: Case, file_slice: int | None, about: FloatArray | None = None
) -> tuple[int, FloatArray]:
    """Canonical slice and world mm of the voxel of a mask that is nearest to a point, or to its centre in a slice.

    The slice is the one that was measured on, if the mask reaches it; failing that, any for a point, or else that of
    the largest area.
    """
    start = np.array([part.start for part in region.box])
    row = case.scan.orientation.file_slice(file_slice) - start[2] if file_slice is not None else -1
    if 0 <= row < region.mask.shape[2] and region.mask[:, :, row].any():
        rows = [row]
    else:
        rows = list(range(region.mask.shape[2])) if about is not None else [int(region.mask.sum(axis=(0, 1)).argmax())]
    index = np.argwhere(region.mask[:, :, rows])
    index[:, 2] = np.array(rows)[index[:, 2]]
    index += start
    points = case.scan.grid.world(index)
    centre = points.mean(axis=0) if about is None else about
    at = int(np.linalg.norm(points - centre, axis=1).argmin())
    return int(index[at, 2]), points[at]


def _diameters(one: Evidence, region: Region, case: Case) -> tuple[Line, ...]:
    """The diameters that a piece of evidence states, where measuring them again gives the same lengths."""
    stated: list[tuple[_Axis, float]] = []
    if one.quantity in _LINES and one.unit == "mm":
        value = one.value if one.value is not None else one.lower_bound
        stated = [(_LINES[one.quantity], float(value))] if isinstance(value, int | float) else []
    elif one.slice is not None:
        for name, axis in _DETAILS.items():
            length = one.details.get(name)
            stated += [(axis, float(length))] if isinstance(length, int | float) else []
    found = in_plane_diameter_ends(region, case.scan.grid) if stated else None
    if found is None:
        return ()
    ends = {"long": found.long_axis, "short": found.short_axis}
    lengths = {"long": found.diameters.long_axis, "short": found.diameters.short_axis}
    return tuple(_line(ends[axis], value) for axis, value in stated if abs(lengths[axis] - value) <= _SAME_MM)


def _between(one: Evidence, case: Case, first: str, second: str) -> Place | None:
    """Where two structures are nearest to each other, or where a vessel is touched most."""
    assert case.labels is not None
    one_shown, other_shown = (_whole(case, case.labels, name) for name in (first, second))
    if one_shown is None or other_shown is None:
        return None
    a, b = one_shown.region, other_shown.region
    nearest = _nearest(a, b, case)
    centre = one.details.get("centre_ras_mm")
    shown, about = (b, np.array(centre, dtype=np.float64)) if isinstance(centre, list) else (a, nearest[0])
    k, mm = _point(shown, case, one.slice, about)
    value = one.value if one.value is not None else one.details.get("upper_bound")
    lines: tuple[Line, ...] = ()
    if one.quantity == "distance" and one.unit == "mm" and isinstance(value, int | float) and value > 0:
        length = float(np.linalg.norm(nearest[0] - nearest[1]))
        lines = (_line(nearest, float(value)),) if abs(length - value) <= _SAME_MM else ()
    return _place(case, k, mm, (one_shown, other_shown), lines, shown)


def _whole(case: Case, labels: LabelSet, name: str) -> Shown | None:
    """What a structure was measured on, or the single lesion that has a number."""
    if "#" in name:
        return shown_one(case, labels, name)
    region = seen(case, name).region
    return Shown(region, labels_of(labels, name)) if region is not None else None


def _nearest(first: Region, second: Region, case: Case) -> FloatArray:
    """The two nearest corners of two surfaces, (2, 3) in world mm: the ends of what `tools.surface.gap` measures."""
    grid = case.scan.grid
    a, b = grid.world(corners(first)), grid.world(corners(second))
    distances, other = cKDTree(b).query(a)
    at = int(distances.argmin())
    return np.stack([a[at], b[other[at]]])


def _line(ends: FloatArray, length: float) -> Line:
    return Line(begin=_plain(ends[0]), end=_plain(ends[1]), label=quantity_text(length, "mm"))


def _place(
    case: Case, k: int, mm: FloatArray, shown: tuple[Shown, ...], lines: tuple[Line, ...], around: Region
) -> Place:
    steps = np.array(np.meshgrid(*[(part.start - 0.5, part.stop - 0.5) for part in around.box])).reshape(3, -1).T
    bounds = case.scan.grid.world(steps)
    return Place(
        mm=_plain(mm),
        slice=case.scan.orientation.file_slice(k),
        structures=tuple(name for one in shown for name in one.structures),
        lines=lines,
        box_mm=(_plain(bounds.min(axis=0)), _plain(bounds.max(axis=0))),
        singles=tuple(mask_runs(one.single, one.region) for one in shown if one.single is not None),
    )


def _plain(point: FloatArray) -> Point:
    x, y, z = (round(float(one), 4) for one in point)
    return x, y, z
