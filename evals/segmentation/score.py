"""Agreement of two masks on one grid: Dice, volume error, distance of their surfaces. Pure; an empty mask is None."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.masks import common_voxels, voxels_of
from tools.volume import Grid, Region


@dataclass(frozen=True)
class Surface:
    """Distance of two surfaces in mm: mean over the voxels of both, and 95th percentile."""

    mean: float
    p95: float


def region_of(mask: NDArray[np.bool_]) -> Region | None:
    """A mask of the whole grid, cropped; None where it is empty."""
    held = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    if not held[0].size:
        return None
    i, j, k = (slice(int(one[0]), int(one[-1]) + 1) for one in held)
    return Region(box=(i, j, k), mask=np.ascontiguousarray(mask[i, j, k]))


def common(one: Region | None, other: Region | None) -> int:
    """Number of voxels that both masks have."""
    return 0 if one is None or other is None else common_voxels(one, other)


def dice(truth: Region | None, predicted: Region | None) -> float | None:
    """Dice coefficient, 0 to 1: 0 where one mask is empty, None where both are (there is nothing to agree on)."""
    total = (truth.voxels if truth else 0) + (predicted.voxels if predicted else 0)
    return 2 * common(truth, predicted) / total if total else None


def same(one: Region | None, other: Region | None) -> bool:
    """Whether two masks have the same voxels."""
    return dice(one, other) in {None, 1.0}


def volume_error(truth: Region | None, predicted: Region | None) -> float | None:
    """Volume that was predicted too much, in % of the true one (negative: too little); None without a true one."""
    if truth is None or not truth.voxels:
        return None
    return 100 * ((predicted.voxels if predicted else 0) - truth.voxels) / truth.voxels


def surface(truth: Region | None, predicted: Region | None, grid: Grid) -> Surface | None:
    """Distance of the surfaces of two masks, in world mm (oblique and anisotropic grids included).

    Every voxel with a face on the outside belongs to the surface. None where a mask is empty.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415  (heavy import, only where it is needed)

    if truth is None or predicted is None:
        return None
    one, other = (grid.world(voxels_of(_shell(region))) for region in (truth, predicted))
    there, _ = KDTree(other).query(one)
    back, _ = KDTree(one).query(other)
    gaps = np.concatenate([there, back])
    return Surface(float(gaps.mean()), float(np.quantile(gaps, 0.95)))


def _shell(region: Region) -> Region:
    from scipy import ndimage  # noqa: PLC0415

    return Region(box=region.box, mask=region.mask & ~ndimage.binary_erosion(region.mask))
