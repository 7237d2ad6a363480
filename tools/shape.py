"""Shape of a mask in millimetres: border contact, resolution shell, in-plane diameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from tools.volume import FloatArray, Grid, Region

FACES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
"""Names of the two ends of each canonical (RAS+) axis, low index first."""

BoolArray = NDArray[np.bool_]
# Lengths in mm that differ by less are the same: of several slices the lowest is named.
_SAME = 1e-9


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


def in_plane_diameters(region: Region, grid: Grid) -> Diameters | None:
    """Long and short axis over all axial slices, in mm on the original grid.

    Pixels are taken with their extent (half a pixel on either side along both in-plane axes), since distances
    between pixel centres are one pixel too short. The short axis is the longest chord perpendicular to the long
    axis within the outline's convex hull, in the same slice (RECIST 1.1, Eisenhauer 2009, for the definition).

    Returns:
        None for an empty mask.
    """
    along = grid.affine[:3, :2]
    # Orthonormal basis of the slice plane: exact for oblique and sheared grids.
    basis, to_plane = np.linalg.qr(along)
    del basis
    outlines = {
        int(k): _outline(region.mask[:, :, k]) @ to_plane.T for k in np.flatnonzero(region.mask.any(axis=(0, 1)))
    }
    bounds = {k: float(np.linalg.norm(np.ptp(points, axis=0))) for k, points in outlines.items()}
    best: tuple[float, int, FloatArray, FloatArray] | None = None
    # Most promising slices first: few of them need a hull.
    for k in sorted(outlines, key=lambda one: (-bounds[one], one)):
        if best is not None and bounds[k] < best[0] - _SAME:
            break
        hull = _hull(outlines[k])
        length, direction = _farthest(hull)
        if best is None or length > best[0] + _SAME or (length > best[0] - _SAME and k < best[1]):
            best = (length, k, hull, direction)
    if best is None:
        return None
    length, k, hull, direction = best
    return Diameters(length, _longest_chord(hull, np.array([-direction[1], direction[0]])), k + region.box[2].start)


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
    gaps = points[:, None, :] - points[None, :, :]
    lengths = np.hypot(gaps[..., 0], gaps[..., 1])
    a, b = np.unravel_index(int(lengths.argmax()), lengths.shape)
    length = float(lengths[a, b])
    return length, gaps[a, b] / length if length > 0 else np.array([1.0, 0.0])


def _longest_chord(hull: FloatArray, direction: FloatArray) -> float:
    """Longest chord of a convex polygon along a unit direction; it always starts at a vertex."""
    across = np.array([direction[1], -direction[0]])
    position, height = hull @ across, hull @ direction
    following = np.roll(np.arange(len(hull)), -1)
    longest = 0.0
    for at in position:
        crossings: list[float] = []
        for i, j in enumerate(following):
            low, high = sorted((position[i], position[j]))
            if low - 1e-9 <= at <= high + 1e-9:
                if high - low < 1e-9:
                    crossings += [float(height[i]), float(height[j])]
                else:
                    share = (at - position[i]) / (position[j] - position[i])
                    crossings.append(float(height[i] + share * (height[j] - height[i])))
        if crossings:
            longest = max(longest, max(crossings) - min(crossings))
    return longest


def voxel_pitch(grid: Grid) -> float:
    """The larger in-plane voxel size in mm: what a diameter's two ends leave open together."""
    return max(grid.spacing[0], grid.spacing[1])


def centroid(region: Region, grid: Grid) -> FloatArray:
    """Centre of mass of the mask in world mm, shape (3,)."""
    inside = np.argwhere(region.mask).mean(axis=0)
    start = np.array([axis.start for axis in region.box])
    return grid.world(inside + start)
