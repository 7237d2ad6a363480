"""What is true of one lesion, counted over the final voxels by the plainest means there are.

Nothing here is shared with the tools that measure scans: lengths come from all pairs of outline points, distances
from all voxels around, contact from rays that leave the vessel's known course.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree

from evals.phantom_course import Course
from evals.phantom_tidy import Piece

Floats = NDArray[np.float64]
NEAR_MM = 15.0
"""Mm up to which neighbours are told."""
SAME_MM = 1e-9


class Axes(NamedTuple):
    """Longest axial distance and longest chord across it in mm, and the index of their slice."""

    long: float
    short: float
    slice: int


def axial_axes(index: NDArray[np.intp], affine: Floats) -> Axes:
    """Long and short axis of voxels over all slices; of equal slices the lowest counts.

    Pixels have their extent: their outline points are half a pixel to either side along both in-plane axes.

    Args:
        index: (n, 3) voxel indices, n > 0; slices lie across the third axis.
        affine: (4, 4) voxel → mm.
    """
    best: Axes | None = None
    along = affine[:3, :2].astype(np.float64)
    first = along[:, 0] / np.linalg.norm(along[:, 0])
    second = along[:, 1] - (along[:, 1] @ first) * first
    plane = np.stack([first, second / np.linalg.norm(second)])
    for k in np.unique(index[:, 2]):
        pixels = index[index[:, 2] == k, :2].astype(np.float64)
        ends = np.concatenate([pixels + half for half in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
        points = (ends @ along.T) @ plane.T
        if best is not None and np.linalg.norm(np.ptp(points, axis=0)) < best.long - SAME_MM:
            continue
        rim = points[ConvexHull(points).vertices]
        gaps = rim[:, None] - rim[None]
        lengths = np.sqrt((gaps**2).sum(axis=2))
        a, b = np.unravel_index(int(lengths.argmax()), lengths.shape)
        long = float(lengths[a, b])
        if best is None or long > best.long + SAME_MM:
            best = Axes(long, _chord(rim, gaps[a, b] / long), int(k))
    if best is None:
        raise ValueError("no voxels to measure")
    return best


def _chord(rim: Floats, along: Floats) -> float:
    """Longest chord across the direction `along` of a convex outline: the gap between its two sides."""
    place, height = rim @ along, rim @ np.array([-along[1], along[0]])
    line = height[place.argmin()] + (place - place.min()) / np.ptp(place) * (
        height[place.argmax()] - height[place.argmin()]
    )
    # Either side of the line between the two ends, as height over place; the lower one is counted upside down.
    sides: list[tuple[Floats, Floats]] = []
    for sign in (1.0, -1.0):
        held = sign * (height - line) >= -SAME_MM
        at, group = np.unique(np.round(place[held], 9), return_inverse=True)
        far = np.full(len(at), -np.inf)
        np.maximum.at(far, group, sign * height[held])
        sides.append((at, far))
    stations = np.union1d(sides[0][0], sides[1][0])
    upper, lower = (np.interp(stations, at, far) for at, far in sides)
    return float((upper + lower).max())


def feret(index: NDArray[np.intp], affine: Floats) -> float:
    """Longest distance in mm between corners of voxels (n, 3)."""
    half = np.stack(np.meshgrid((-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5), indexing="ij"), axis=-1).reshape(-1, 3)
    outer = np.unique(np.concatenate([rows[[0, -1]] for rows in _runs(index)]) if len(index) > 1 else index, axis=0)
    corners = np.unique((outer[:, None] + half).reshape(-1, 3), axis=0) @ affine[:3, :3].T
    try:
        corners = corners[ConvexHull(corners).vertices]
    except QhullError as error:  # voxels have a volume: their corners always span space
        raise ValueError("voxels without extent") from error
    return float(max(np.linalg.norm(corners - corner, axis=1).max() for corner in corners))


def _runs(index: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Voxels by column along the first axis, each in order."""
    order = np.lexsort((index[:, 0], index[:, 1], index[:, 2]))
    rows = index[order]
    cuts = np.flatnonzero((np.diff(rows[:, 1]) != 0) | (np.diff(rows[:, 2]) != 0)) + 1
    return np.split(rows, cuts)


def neighbours(piece: Piece, labels: NDArray[np.uint8], affine: Floats) -> dict[int, float]:
    """Label value → mm between the surfaces of its voxels and those of a lesion, up to `NEAR_MM`.

    The gap between two voxels is that between their boxes: a voxel fewer along each axis than between their centres.

    Args:
        piece: the lesion.
        labels: (i, j, k) final labels.
        affine: (4, 4) voxel → mm.
    """
    grown = np.ceil(NEAR_MM * np.linalg.norm(np.linalg.inv(affine[:3, :3]), axis=1)).astype(int) + 1
    box = tuple(
        slice(max(0, part.start - int(more)), min(length, part.stop + int(more)))
        for part, more, length in zip(piece.box, grown, labels.shape, strict=True)
    )
    start = np.array([part.start for part in box])
    around = labels[box]
    own = np.zeros(around.shape, dtype=bool)
    own[tuple((piece.index - start).T)] = True
    thick = np.unique((piece.index[:, None] + _block()).reshape(-1, 3), axis=0)
    tree = cKDTree(thick @ affine[:3, :3].T)
    at = np.argwhere((around > 0) & ~own)
    gaps, _ = tree.query((at + start) @ affine[:3, :3].T, distance_upper_bound=NEAR_MM)
    values = around[tuple(at.T)]
    within = gaps <= NEAR_MM
    return {int(value): float(gaps[within & (values == value)].min()) for value in np.unique(values[within])}


def _block() -> NDArray[np.intp]:
    """A voxel with its 26 neighbours, as index steps (27, 3)."""
    return np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), (-1, 0, 1), indexing="ij"), axis=-1).reshape(-1, 3)


def contact_degrees(
    piece: Piece, courses: tuple[Course, ...], vessel: int, labels: NDArray[np.uint8], affine: Floats
) -> float:
    """Largest part of a vessel's circumference, in degrees, that a lesion touches in any section of its course.

    From the centreline outwards, the first voxel that is not the vessel's is looked at, from half a voxel inside of
    the wall to one voxel outside of it.

    Args:
        piece: the lesion.
        courses: tubes of the vessel, patient mm.
        vessel: label value of the vessel.
        labels: (i, j, k) final labels.
        affine: (4, 4) voxel → patient mm.
    """
    inverse = np.linalg.inv(affine[:3, :3])
    own = np.zeros([part.stop - part.start for part in piece.box], dtype=bool)
    own[piece.mask] = True
    first = np.array([part.start for part in piece.box])
    size = np.linalg.norm(affine[:3, :3], axis=0)
    most = 0.0
    ends = np.stack(np.meshgrid(*zip(first - 2.0, first + np.array(own.shape) + 1.0, strict=True)), -1).reshape(-1, 3)
    corners = ends @ affine[:3, :3].T + affine[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    for course in courses:
        pad = float(course.radii.max()) + 2 * float(size.max())
        close = np.all((course.points >= low - pad) & (course.points <= high + pad), axis=1)
        if not close.any():
            continue
        rays, points, radii = course.rays[close], course.points[close], course.radii[close]
        voxel = np.sqrt(((rays * size) ** 2).sum(axis=2))
        touched = np.zeros(rays.shape[:2], dtype=bool)
        open_ = np.ones(rays.shape[:2], dtype=bool)
        for step in np.arange(-0.5, 1.01, 0.25):
            out = radii[:, None] + step * voxel
            at = np.rint((points[:, None] + out[..., None] * rays - affine[:3, 3]) @ inverse.T).astype(int)
            valid = np.all((at >= 0) & (at < labels.shape), axis=2)
            value = labels[tuple(np.clip(at, 0, np.array(labels.shape) - 1).reshape(-1, 3).T)].reshape(valid.shape)
            beyond = open_ & valid & (value != vessel)
            local = at - first
            held = np.all((local >= 0) & (local < own.shape), axis=2)
            mine = own[tuple(np.clip(local, 0, np.array(own.shape) - 1).reshape(-1, 3).T)].reshape(valid.shape)
            touched |= beyond & held & mine
            open_ &= ~beyond
        most = max(most, float(touched.mean(axis=1).max()) * 360)
    return most
