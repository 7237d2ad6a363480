"""Label maps in smaller steps for a viewer, on the grids of `tools.preview`."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.preview import Level, planes, reduced_grid
from tools.volume import Box

THIN_SHARE = 0.25
"""Share of a block from which a label is shown although more of the block is background."""

_VOXELS_AT_ONCE = 1 << 20


def reduced_labels(
    layer: NDArray[Any],
    level: Level,
    box: Box | None = None,
    values: Collection[int] | None = None,
    kept: Collection[int] = (),
) -> NDArray[Any]:
    """A label layer at a level, on the grid of `reduced_grid`.

    A block gets the label that most of its voxels have; of labels with equally many, the lowest. A label beats
    background where it covers a quarter of the block or more, so that thin structures stay in view; structures look
    up to half a voxel thicker for that. Labels that must not be missed have every block that they reach, so that they
    are there on each of their slices and look up to a voxel thicker. Nothing is ever measured on this.

    Args:
        layer: (i, j, k) unsigned integers, 0 = background, on the scan's grid.
        level: a level of the scan.
        box: part of it, in full-resolution voxels; None for all.
        values: labels to show, the others become background; None for all.
        kept: labels that must not be missed.

    Returns:
        (i, j, k) labels of the smallest unsigned type that holds every label shown.
    """
    shown = None if values is None else np.array(sorted({0, *values}))
    first = np.array(sorted(kept), dtype=np.int64)
    largest = int(layer.max(initial=0)) if shown is None else int(shown[-1])
    made = np.zeros(reduced_grid(level, box).shape, dtype=np.min_scalar_type(largest))
    at_once = max(1, _VOXELS_AT_ONCE // math.prod(level.factor))
    for at, block, starts, counts in planes(layer, level, box):
        low, high = (_ends(block, starts, reduce) for reduce in (np.minimum, np.maximum))
        made[at] = low if shown is None else np.where(np.isin(low, shown), low, 0)
        mixed = np.argwhere(low != high)
        for begin in range(0, len(mixed), at_once):
            rows = mixed[begin : begin + at_once]
            found, each = _counted(block, rows, level.factor)
            made[at][rows[:, 0], rows[:, 1]] = _most(found, each, counts[rows[:, 0], rows[:, 1]], shown, first)
    return made


def _ends(block: NDArray[Any], starts: tuple[NDArray[np.intp], ...], reduce: np.ufunc) -> NDArray[Any]:
    return np.asarray(reduce.reduceat(reduce.reduceat(reduce.reduce(block, axis=0), starts[0], axis=0), starts[1], 1))


def _counted(
    block: NDArray[Any], rows: NDArray[np.intp], factor: tuple[int, int, int]
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The labels in the mixed blocks, and how many voxels of each every block has; `rows` (n, 2) are its j and k."""
    depth, height, width = block.shape
    j = rows[:, :1] * factor[1] + np.arange(factor[1])
    k = rows[:, 1:] * factor[2] + np.arange(factor[2])
    inside = ((j < height)[:, :, None] & (k < width)[:, None, :])[:, None]
    voxels = block[:, np.minimum(j, height - 1)[:, :, None], np.minimum(k, width - 1)[:, None, :]]
    found, place = np.unique(voxels.transpose(1, 0, 2, 3), return_inverse=True)
    # One more column takes what lies beyond the volume.
    column = np.where(inside, place.reshape(len(rows), depth, factor[1], factor[2]), len(found))
    flat = (np.arange(len(rows))[:, None] * (len(found) + 1) + column.reshape(len(rows), -1)).ravel()
    return found, np.bincount(flat, minlength=len(rows) * (len(found) + 1)).reshape(len(rows), -1)[:, :-1]


def _most(
    found: NDArray[Any],
    each: NDArray[np.intp],
    counts: NDArray[np.int32],
    shown: NDArray[Any] | None,
    kept: NDArray[np.int64],
) -> NDArray[Any]:
    """The label of each mixed block, by the voxels that it has of every label; `counts` are all its voxels."""
    labelled = found != 0 if shown is None else np.isin(found, shown[1:])
    background = each[:, ~labelled].sum(axis=1)
    labels = np.where(labelled, each, 0)
    best = labels.argmax(axis=1)
    most = labels[np.arange(len(labels)), best]
    wins = (most > 0) & ((most >= THIN_SHARE * counts) | (most >= background))
    made = np.where(wins, found[best], 0)
    columns = np.flatnonzero(labelled & np.isin(found, kept))
    if not columns.size:
        return made
    first = each[:, columns]
    at = first.argmax(axis=1)
    return np.where(first[np.arange(len(first)), at] > 0, found[columns[at]], made)
