"""A mask as run lengths: small enough to go along with the evidence that was measured on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.volume import Region

MOST_RUNS = 40_000
"""Runs of one mask; a mask with more is told in coarser blocks."""

Voxel = tuple[int, int, int]


class MaskRuns(BaseModel):
    """Which voxels a mask holds.

    Attributes:
        structure: id of the structure, with the number of the lesion ("liver_lesion#2").
        step: side of a block in full-resolution voxels of the canonical grid; blocks begin at voxel 0.
        first: the block at the lowest corner, along i, j, k.
        shape: blocks along i, j, k.
        runs: lengths of runs of blocks, i fastest, alternately outside (the first, which may be 0) and inside; what
            follows the last is outside. A block of more than one voxel is inside if any of its voxels is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    structure: str
    step: int
    first: Voxel
    shape: Voxel
    runs: tuple[int, ...]


def mask_runs(structure: str, region: Region, most: int = MOST_RUNS) -> MaskRuns:
    """The voxels of a region; in blocks, the smallest that keep to the number of runs.

    Args:
        structure: id of what it is.
        region: the mask on the scan's canonical grid.
        most: runs that may be told, 2 or more.
    """
    step, mask = 1, region.mask
    start = [part.start for part in region.box]
    while len(found := _runs(mask)) > most:
        step *= 2
        mask = _halved(mask, start)
        start = [one // 2 for one in start]
    i, j, k = mask.shape
    return MaskRuns(structure=structure, step=step, first=(start[0], start[1], start[2]), shape=(i, j, k), runs=found)


def _runs(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    ends = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=False)).tolist()
    if len(ends) % 2:
        ends.append(mask.size)
    return tuple(int(one) for one in np.diff(ends, prepend=0))


def _halved(mask: NDArray[np.bool_], start: list[int]) -> NDArray[np.bool_]:
    """Blocks of 2 x 2 x 2 that lie as the grid's own do, whatever voxel the mask begins at."""
    for axis, first in enumerate(start):
        count = mask.shape[axis]
        # The block that the first voxel lies in may have begun before it.
        at = np.unique(np.maximum(np.arange(-(first % 2), count, 2), 0))
        mask = np.logical_or.reduceat(mask, at, axis=axis)
    return mask
