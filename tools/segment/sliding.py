"""A small network over a large scan: resampling to its spacing, and tiles with soft edges, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float32]
Predict = Callable[[FloatArray], FloatArray]
"""(i, j, k) network input → (classes, i, j, k) logits."""
OVERLAP = 0.25
Shape = tuple[int, int, int]


def resampled_shape(shape: Shape, spacing: tuple[float, float, float], wanted: float) -> Shape:
    """Voxels along each axis at an isotropic spacing in mm."""
    i, j, k = (max(1, round(n * step / wanted)) for n, step in zip(shape, spacing, strict=True))
    return i, j, k


def to_shape(array: NDArray[Any], shape: Shape) -> FloatArray:
    """Resample linearly over the same extent: the outer voxel edges stay; smoothed first where it gets coarser."""
    steps = np.asarray(array.shape, dtype=float) / shape
    smooth = np.where(steps > 1.3, steps * 0.3, 0.0)
    source = np.asarray(array, dtype=np.float32)
    if smooth.any():
        source = ndimage.gaussian_filter(source, smooth, mode="nearest")
    for axis, count in enumerate(shape):
        source = _along(source, axis, count)
    return source


def _along(array: FloatArray, axis: int, count: int) -> FloatArray:
    """Linear interpolation along one axis: taking one after the other needs a third of the time of all at once."""
    length = array.shape[axis]
    if count == length:
        return array
    at = np.clip((np.arange(count) + 0.5) * (length / count) - 0.5, 0, length - 1)
    low = at.astype(np.intp)
    share = (at - low).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(array.ndim)])
    first = array.take(low, axis)
    found: FloatArray = array.take(np.minimum(low + 1, length - 1), axis)
    found -= first
    found *= share
    found += first
    return found


def tiles(shape: Shape, patch: Shape) -> Iterator[tuple[slice, slice, slice]]:
    """Boxes of a patch's size that cover a volume at least as large, overlapping by a quarter or more."""
    starts = []
    for size, length in zip(shape, patch, strict=True):
        room = size - length
        count = 1 + int(np.ceil(room / (length * (1 - OVERLAP)))) if room > 0 else 1
        starts.append(sorted({round(at) for at in np.linspace(0, max(room, 0), count)}))
    for corner in product(*starts):
        i, j, k = (slice(at, at + length) for at, length in zip(corner, patch, strict=True))
        yield i, j, k


def slide(
    volume: FloatArray, patch: Shape, classes: int, predict: Predict, told: Callable[[int, int], None]
) -> FloatArray:
    """Mean logits of overlapping tiles, weighted towards their middles.

    Args:
        volume: (i, j, k) input; smaller axes are padded with 0.
        patch: voxels along each axis of a tile.
        classes: number of classes.
        predict: the network.
        told: told of every finished tile.

    Returns:
        (classes, i, j, k) logits.
    """
    pads = [(0, max(0, length - size)) for size, length in zip(volume.shape, patch, strict=True)]
    padded = np.pad(volume, pads)
    weight = _weight(patch)
    total = np.zeros((classes, *padded.shape), dtype=np.float32)
    norm = np.zeros(padded.shape, dtype=np.float32)
    boxes = list(tiles((padded.shape[0], padded.shape[1], padded.shape[2]), patch))
    for number, box in enumerate(boxes, start=1):
        total[(slice(None), *box)] += predict(np.ascontiguousarray(padded[box])) * weight
        norm[box] += weight
        told(number, len(boxes))
    total /= norm
    i, j, k = volume.shape
    return total[:, :i, :j, :k]


def _weight(patch: Shape) -> FloatArray:
    """A bell over the patch that never reaches 0."""
    axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 6)) ** 2) + 1e-2 for n in patch]
    return np.asarray(axes[0][:, None, None] * axes[1][None, :, None] * axes[2], dtype=np.float32)


def probability_of(logits: FloatArray, classes: Sequence[int]) -> FloatArray:
    """Probability (i, j, k) that a voxel is of any of some classes: their share of the softmax over all."""
    top = logits.max(axis=0)
    total, own = np.zeros_like(top), np.zeros_like(top)
    for index, one in enumerate(logits):
        share = np.exp(one - top)
        total += share
        if index in classes:
            own += share
    found: FloatArray = own / total
    return found


def best_class(logits: FloatArray, shape: Shape) -> NDArray[np.uint8]:
    """Likeliest class on another grid of the same extent: each class's logits are resampled, one after the other."""
    best = np.full(shape, -np.inf, dtype=np.float32)
    labels = np.zeros(shape, dtype=np.uint8)
    for index, one in enumerate(logits):
        here = to_shape(one, shape)
        better = here > best
        labels[better] = index
        np.maximum(best, here, out=best)
    return labels
