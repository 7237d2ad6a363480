"""Shape of a mask in millimetres: border contact, resolution shell, in-plane diameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from tools.volume import FloatArray, Grid, Region, Scan

LOWEST_AIR = -1024
"""HU below which no air lies."""

FACES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
"""Names of the two ends of each canonical (RAS+) axis, low index first."""

BoolArray = NDArray[np.bool_]
# Lengths in mm that differ by less are the same: of several slices the lowest is named.
_SAME = 1e-9
# Directions along which widths bound the longest distance of a slice, to half a percent.
_DIRECTIONS = 16


@dataclass(frozen=True)
class Diameters:
    """In-plane diameters of a mask in one axial slice.

    Attributes:
        long_axis: longest distance in mm between two points of the outline.
        short_axis: longest chord in mm perpendicular to the long axis.
        k: canonical index of the slice.
    """

    long_axis: float
    short_axis: float
    k: int


@dataclass(frozen=True)
class DiameterEnds:
    """Where the in-plane diameters of a mask begin and end.

    Attributes:
        diameters: their lengths, as `in_plane_diameters` gives them.
        long_axis: (2, 3) world mm of the ends of the long axis.
        short_axis: (2, 3) world mm of the ends of the short axis.
    """

    diameters: Diameters
    long_axis: FloatArray
    short_axis: FloatArray


def touched_faces(region: Region, grid: Grid) -> tuple[str, ...]:
    """Names of the scan's faces that the mask reaches ("superior", …): there it may be cut off."""
    faces = []
    for axis in range(3):
        if region.box[axis].start == 0:
            faces.append(FACES[axis][0])
        if region.box[axis].stop == grid.shape[axis]:
            faces.append(FACES[axis][1])
    return tuple(faces)


def eroded(region: Region, grid: Grid) -> BoolArray:
    """The mask without its outermost voxels (6-neighbourhood).

    Beyond the scan's border the structure may go on, so the border itself doesn't erode.
    """
    mask = region.mask
    inner = mask.copy()
    for axis in range(3):
        low = np.moveaxis(inner, axis, 0)
        source = np.moveaxis(mask, axis, 0)
        low[1:] &= source[:-1]
        low[:-1] &= source[1:]
        if region.box[axis].start > 0:
            low[0] = False
        if region.box[axis].stop < grid.shape[axis]:
            low[-1] = False
    return inner


def grown(region: Region, grid: Grid) -> Region:
    """The region in a box with one more voxel on every side, as far as the scan reaches."""
    box, margins = [], []
    for axis, length in zip(region.box, grid.shape, strict=True):
        low, high = max(axis.start - 1, 0), min(axis.stop + 1, length)
        box.append(slice(low, high))
        margins.append((axis.start - low, high - axis.stop))
    return Region(box=(box[0], box[1], box[2]), mask=np.pad(region.mask, margins))


def touches(mask: BoolArray, other: BoolArray) -> bool:
    """Whether any voxel of `mask` is, or has as a 6-neighbour, a voxel of `other` (same shape)."""
    if bool((mask & other).any()):
        return True
    for axis in range(3):
        a, b = np.moveaxis(mask, axis, 0), np.moveaxis(other, axis, 0)
        if bool((a[1:] & b[:-1]).any()) or bool((a[:-1] & b[1:]).any()):
            return True
    return False


def cut_off_by(scan: Scan, region: Region) -> tuple[str, ...]:
    """What cuts a mask off: faces of the scan, or padding beside it; empty where it is whole."""
    faces = touched_faces(region, scan.grid)
    # A value that air can have says nothing about the field of view.
    if scan.padding is not None and scan.padding < LOWEST_AIR:
        around = grown(region, scan.grid)
        if touches(around.mask, scan.hu[around.box] == scan.padding):
            faces += ("edge of the reconstruction",)
    return faces


def in_plane_diameters(region: Region, grid: Grid) -> Diameters | None:
    """Long and short axis over all axial slices, in mm on the original grid.

    Pixels are taken with their extent (half a pixel on either side along both in-plane axes), since distances
    between pixel centres are one pixel too short. The short axis is the longest chord perpendicular to the long
    axis within the outline's convex hull, in the same slice (RECIST 1.1, Eisenhauer 2009, for the definition).

    Returns:
        None for an empty mask.
    """
    # Orthonormal basis of the slice plane: exact for oblique and sheared grids.
    to_plane = np.linalg.qr(grid.affine[:3, :2])[1]
    slices = np.ascontiguousarray(region.mask.transpose(2, 0, 1))
    at, bounds = _length_bounds(slices, to_plane)
    best: tuple[float, int, FloatArray, FloatArray] | None = None
    # Most promising slices first: few of them need a hull.
    for order in np.lexsort((at, -bounds)):
        k = int(at[order])
        if best is not None and bounds[order] < best[0] - _SAME:
            break
        hull = _hull(_outline(slices[k]) @ to_plane.T)
        length, direction = _farthest(hull)
        if best is None or length > best[0] + _SAME or (length > best[0] - _SAME and k < best[1]):
            best = (length, k, hull, direction)
    if best is None:
        return None
    length, k, hull, direction = best
    return Diameters(length, _longest_chord(hull, np.array([-direction[1], direction[0]])), k + region.box[2].start)


def in_plane_diameter_ends(region: Region, grid: Grid) -> DiameterEnds | None:
    """The in-plane diameters of a mask with their ends, as lines between points of the outline in one slice.

    Returns:
        None for an empty mask.
    """
    found = in_plane_diameters(region, grid)
    if found is None:
        return None
    to_plane = np.linalg.qr(grid.affine[:3, :2])[1]
    image = region.mask[:, :, found.k - region.box[2].start]
    hull = _hull(_outline(image) @ to_plane.T)
    a, b = _farthest_pair(hull)
    direction = (hull[a] - hull[b]) / max(found.long_axis, _SAME)
    across = np.array([-direction[1], direction[0]])
    position, high, low = _chords(hull, across)
    at = int((high - low).argmax())
    along = np.array([across[1], -across[0]])
    chord = position[at] * along + np.array([[low[at]], [high[at]]]) * across

    def world(points: FloatArray) -> FloatArray:
        i, j = np.linalg.solve(to_plane, points.T)
        at = (i + region.box[0].start, j + region.box[1].start, np.full(len(i), found.k))
        return grid.world(np.column_stack(at))

    return DiameterEnds(found, world(hull[[a, b]]), world(chord))


def _length_bounds(slices: BoolArray, to_plane: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """Slices with voxels (first axis of `slices`), and an upper bound in mm for the longest distance in each.

    The width along the direction nearest to the longest distance falls short of it by the cosine of the angle
    between them at most, and that angle is half of the step between the directions at most.
    """
    k, rows = np.nonzero(slices.any(axis=2))
    lines = slices[k, rows]
    # The farthest pixels of a slice are ends of its rows.
    first = lines.argmax(axis=1)
    last = lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    angles = np.arange(_DIRECTIONS) * (np.pi / _DIRECTIONS)
    directions = to_plane.T @ np.stack([np.cos(angles), np.sin(angles)])  # mm per index step
    one = np.outer(rows, directions[0])
    other = one + np.outer(last, directions[1])
    one += np.outer(first, directions[1])
    at, starts = np.unique(k, return_index=True)
    if not len(at):
        return at, np.empty(0)
    reach = np.maximum.reduceat(np.maximum(one, other), starts) - np.minimum.reduceat(np.minimum(one, other), starts)
    # Pixels reach half a step beyond their centres at either end.
    widths = reach + np.abs(directions).max(axis=0)
    return at, widths.max(axis=1) / np.cos(np.pi / (2 * _DIRECTIONS))


def _outline(image: BoolArray) -> FloatArray:
    """Edge midpoints of the extreme pixels of each row and column; enough for the hull. Shape (n, 2), in pixels."""
    rows = np.flatnonzero(image.any(axis=1))
    columns = np.flatnonzero(image.any(axis=0))
    first = image[rows].argmax(axis=1)
    last = image.shape[1] - 1 - image[rows][:, ::-1].argmax(axis=1)
    top = image[:, columns].argmax(axis=0)
    bottom = image.shape[0] - 1 - image[::-1][:, columns].argmax(axis=0)
    return np.concatenate(
        [
            np.stack([rows, first - 0.5], axis=1),
            np.stack([rows, last + 0.5], axis=1),
            np.stack([top - 0.5, columns], axis=1),
            np.stack([bottom + 0.5, columns], axis=1),
        ]
    ).astype(np.float64)


def _hull(points: FloatArray) -> FloatArray:
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:  # all points on one line
        return points


def _farthest(points: FloatArray) -> tuple[float, FloatArray]:
    a, b = _farthest_pair(points)
    line = points[a] - points[b]
    length = float(np.hypot(line[0], line[1]))
    return length, line / length if length > 0 else np.array([1.0, 0.0])


def _farthest_pair(points: FloatArray) -> tuple[int, int]:
    gaps = points[:, None, :] - points[None, :, :]
    lengths = np.hypot(gaps[..., 0], gaps[..., 1])
    a, b = np.unravel_index(int(lengths.argmax()), lengths.shape)
    return int(a), int(b)


def _longest_chord(hull: FloatArray, direction: FloatArray) -> float:
    _, high, low = _chords(hull, direction)
    return max(float((high - low).max()), 0.0)


def _chords(hull: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Chords of a convex polygon along a unit direction, one through each vertex; the longest always starts at one.

    Returns:
        Position across the direction, and the upper and lower end along it.
    """
    across = np.array([direction[1], -direction[0]])
    position, height = hull @ across, hull @ direction
    other, top = np.roll(position, -1), np.roll(height, -1)
    # One row for each vertex, one column for each edge: where the line through the vertex crosses the edge.
    at = position[:, None]
    crossed = (np.minimum(position, other) - _SAME <= at) & (at <= np.maximum(position, other) + _SAME)
    along = np.abs(other - position) < _SAME
    share = (at - position) / np.where(along, 1.0, other - position)
    where = height + share * (top - height)
    # An edge along the line lies on it as a whole.
    high = np.where(crossed, np.where(along, np.maximum(height, top), where), -np.inf).max(axis=1)
    low = np.where(crossed, np.where(along, np.minimum(height, top), where), np.inf).min(axis=1)
    return position, high, low


def voxel_pitch(grid: Grid) -> float:
    """The larger in-plane voxel size in mm: what a diameter's two ends leave open together."""
    return max(grid.spacing[0], grid.spacing[1])


def centroid(region: Region, grid: Grid) -> FloatArray:
    """Centre of mass of the mask in world mm, shape (3,)."""
    inside = np.argwhere(region.mask).mean(axis=0)
    start = np.array([axis.start for axis in region.box])
    return grid.world(inside + start)
