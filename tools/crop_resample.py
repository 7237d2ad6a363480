"""Resampling of a scan and of masks onto another grid, in slabs of bounded memory.

Values outside of the scan and padding carry no weight: what is near them is an average of true values only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.volume import Box, FloatArray, Grid, Region, Scan

FILL_HU = -1024.0
"""What stands outside of the scan: air."""
_FWHM = 2 * math.sqrt(2 * math.log(2))
_TRUNCATE = 3.0
_PARALLEL = 1e-9
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Resampled:
    """Arrays on the new grid.

    Attributes:
        hu: float32, `FILL_HU` outside.
        inside: where at least half of what was averaged lies within the scan.
        soft: for every mask the share of each voxel that it covers, float32 in [0, 1].
    """

    hu: Float32
    inside: NDArray[np.bool_]
    soft: list[Float32]


def resample(scan: Scan, masks: Sequence[Region], grid: Grid, source_voxels: int) -> Resampled:
    """Bring a scan and masks on its grid onto another grid, linearly, smoothed where that is coarser.

    Args:
        scan: the scan.
        masks: regions on the scan's grid.
        grid: the new grid, of isotropic spacing.
        source_voxels: most voxels of the scan that are held as floats at once.
    """
    hu = np.full(grid.shape, FILL_HU, np.float32)
    inside = np.zeros(grid.shape, np.bool_)
    soft = [np.zeros(grid.shape, np.float32) for _ in masks]
    to_source = np.linalg.inv(scan.grid.affine) @ grid.affine
    sigmas = _sigmas(scan.grid, grid.spacing[0])
    waiting = [(0, grid.shape[2])]
    while waiting:
        start, stop = waiting.pop()
        shape = (grid.shape[0], grid.shape[1], stop - start)
        offset = to_source[:3, 3] + to_source[:3, 2] * start
        box = _needed(to_source[:3, :3], offset, shape, scan.grid.shape, sigmas)
        if box is None:
            continue
        if stop - start > 1 and math.prod(part.stop - part.start for part in box) > source_voxels:
            middle = (start + stop) // 2
            waiting += [(start, middle), (middle, stop)]
            continue
        low = np.array([part.start for part in box])
        slab = _Slab(to_source[:3, :3], offset - low, shape, sigmas)
        raw = scan.hu[box]
        valid = _valid(raw, scan.padding)
        weight = slab.moved(valid.astype(np.float32))
        there = weight >= 0.5
        value = slab.moved(np.where(valid, raw, 0).astype(np.float32))
        hu[:, :, start:stop][there] = value[there] / weight[there]
        inside[:, :, start:stop] = there
        for region, share in zip(masks, soft, strict=True):
            part = slab.moved((_within(region, box) & valid).astype(np.float32))
            share[:, :, start:stop][there] = np.clip(part[there] / weight[there], 0, 1)
    return Resampled(hu, inside, soft)


@dataclass(frozen=True)
class _Slab:
    """Where the voxels of a slab of the new grid lie in a block of the scan, and how that is smoothed before."""

    matrix: FloatArray
    offset: FloatArray
    shape: tuple[int, int, int]
    sigmas: tuple[float, float, float]

    def moved(self, block: Float32) -> Float32:
        """The block's values at the slab's voxels; beyond the block's border everything is 0."""
        diagonal = np.diag(self.matrix)
        if np.abs(self.matrix - np.diag(diagonal)).max() < _PARALLEL:
            # Parallel axes: smoothing and interpolation are one small matrix an axis, far faster than the general way.
            for axis in range(3):
                weights = _weights(
                    self.shape[axis], block.shape[0], diagonal[axis], self.offset[axis], self.sigmas[axis]
                )
                block = np.tensordot(block, weights, axes=(0, 1))
            return np.ascontiguousarray(block)
        from scipy import ndimage  # noqa: PLC0415  (heavy import, only where it is needed)

        block = ndimage.gaussian_filter(block, self.sigmas, mode="constant", truncate=_TRUNCATE)
        moved: Float32 = ndimage.affine_transform(
            block,
            self.matrix,
            offset=self.offset,
            output_shape=self.shape,
            output=np.float32,
            order=1,
            mode="grid-constant",
            cval=0.0,
        )
        return moved


def _weights(count: int, source: int, step: float, offset: float, sigma: float) -> Float32:
    """Matrix (count, source) that smooths a line and samples it linearly at offset, offset + step, …"""
    reach = int(_TRUNCATE * sigma + 0.5)  # as scipy's Gaussian filter has it, so that both ways agree
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma)) if reach else np.ones(1)
    kernel /= kernel.sum()
    places = offset + step * np.arange(count)
    below = np.floor(places).astype(np.int64)
    share = places - below
    rows = np.arange(count)
    made = np.zeros((count, source), np.float64)
    for shift, weight in zip(range(-reach, reach + 1), kernel.tolist(), strict=True):
        for base, part in ((below, 1 - share), (below + 1, share)):
            at = base + shift
            # Interpolation is between voxels of the block only, even where smoothing would reach beyond them.
            there = (base >= 0) & (base < source) & (at >= 0) & (at < source)
            np.add.at(made, (rows[there], at[there]), weight * part[there])
    return made.astype(np.float32)


def _sigmas(grid: Grid, spacing: float) -> tuple[float, float, float]:
    """Smoothing in voxels along the scan's axes that matches its point spread to a coarser spacing.

    After Cardoso et al., "Scale factor point spread function matching", MICCAI 2015.
    """
    one, two, three = (math.sqrt(max(0.0, (spacing / step) ** 2 - 1)) / _FWHM for step in grid.spacing)
    return one, two, three


def _needed(
    matrix: FloatArray,
    offset: FloatArray,
    shape: tuple[int, int, int],
    source: tuple[int, int, int],
    sigmas: tuple[float, float, float],
) -> Box | None:
    """The block of the scan that a slab needs, None where it lies beyond the scan."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    places = matrix @ corners + offset[:, None]
    parts = []
    for axis in range(3):
        reach = math.ceil(_TRUNCATE * sigmas[axis]) + 2
        low = min(max(0, math.floor(places[axis].min()) - reach), source[axis])
        high = max(min(source[axis], math.ceil(places[axis].max()) + reach + 1), 0)
        if low >= high:
            return None
        parts.append(slice(low, high))
    return parts[0], parts[1], parts[2]


def _valid(raw: NDArray[np.generic], padding: float | None) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = np.isfinite(raw)
    if padding is not None:
        valid &= raw != padding
    return valid


def _within(region: Region, box: Box) -> NDArray[np.bool_]:
    """A region's mask within a block of the scan."""
    whole = np.zeros([part.stop - part.start for part in box], np.bool_)
    to, of = [], []
    for mine, block in zip(region.box, box, strict=True):
        low, high = max(mine.start, block.start), min(mine.stop, block.stop)
        if low >= high:
            return whole
        to.append(slice(low - block.start, high - block.start))
        of.append(slice(low - mine.start, high - mine.start))
    whole[tuple(to)] = region.mask[tuple(of)]
    return whole
