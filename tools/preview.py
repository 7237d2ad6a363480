"""A big scan in smaller steps for a viewer: halved, cropped, and as NIfTI bytes.

Level 0 is the scan as it is. Every further level halves the axes of the finest sampling, so that voxels become
isotropic first; blocks begin at voxel 0 of every axis. All boxes are half-open ranges of full-resolution voxels of the
canonical grid, and a box at a level holds the blocks that it touches: the same voxels as in the whole level.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from tools.volume import Box, FloatArray, Grid, Scan

COARSEST_VOXELS = 1 << 22
"""Levels go on until the whole volume has no more voxels than this."""
PREVIEW_VOXELS = 1 << 23
"""Most voxels of the level that a viewer loads first."""
CROP_VOXELS = 1 << 24
"""Most voxels of a crop."""

_AXES = "ijk"
# Voxels whose sides differ by less than this are about isotropic: halving the finer ones would bring them no nearer.
_ISOTROPIC = math.sqrt(2.0)
_DESCRIPTION = 79


@dataclass(frozen=True)
class Level:
    """One sampling of a volume.

    Attributes:
        level: 0 for the full resolution.
        factor: full-resolution voxels along i, j, k that make one voxel.
        shape: voxels along i, j, k; the last block of an axis may cover fewer full-resolution voxels.
        affine: (4, 4) voxel of this level → world mm, RAS+: the centre of a whole block is the mean of the centres
            that it covers.
    """

    level: int
    factor: tuple[int, int, int]
    shape: tuple[int, int, int]
    affine: FloatArray

    @cached_property
    def voxels(self) -> int:
        """Number of voxels of the whole volume at this level."""
        return math.prod(self.shape)


def levels(grid: Grid) -> tuple[Level, ...]:
    """All levels of a volume, full resolution first, until one has 2^22 voxels at most."""
    found = [Level(0, (1, 1, 1), grid.shape, grid.affine)]
    while found[-1].voxels > COARSEST_VOXELS:
        last = found[-1]
        steps = [size * factor for size, factor in zip(grid.spacing, last.factor, strict=True)]
        # An axis of one voxel cannot be halved, however fine it is.
        finest = min(step for step, count in zip(steps, last.shape, strict=True) if count > 1)
        i, j, k = (
            factor * (2 if step < finest * _ISOTROPIC and count > 1 else 1)
            for factor, step, count in zip(last.factor, steps, last.shape, strict=True)
        )
        found.append(_level(grid, len(found), (i, j, k)))
    return tuple(found)


def preview_level(all_levels: Sequence[Level]) -> Level:
    """The finest level with 2^23 voxels at most."""
    return next(one for one in all_levels if one.voxels <= PREVIEW_VOXELS)


def _level(grid: Grid, number: int, factor: tuple[int, int, int]) -> Level:
    to_full = np.diag([*factor, 1.0])
    to_full[:3, 3] = (np.array(factor) - 1) / 2
    i, j, k = (-(-count // one) for count, one in zip(grid.shape, factor, strict=True))
    return Level(number, factor, (i, j, k), grid.affine @ to_full)


def crop_box(bounds: Sequence[int], shape: Sequence[int]) -> Box:
    """A half-open box, clipped to the volume.

    Args:
        bounds: ``i0, i1, j0, j1, k0, k1`` in full-resolution voxels.
        shape: full-resolution voxels along i, j, k.

    Raises:
        UsageError: not six numbers, a range that ends before it begins, or one outside of the volume.
    """
    if len(bounds) != 6:
        raise UsageError(f"A box has six bounds (i0,i1,j0,j1,k0,k1), not {len(bounds)}: give two for each axis.")
    parts = []
    for axis, count in enumerate(shape):
        low, high = bounds[2 * axis : 2 * axis + 2]
        if low >= high:
            raise UsageError(f"The box is empty along {_AXES[axis]} ({low} to {high}): let it end after it begins.")
        if high <= 0 or low >= count:
            raise UsageError(
                f"The box lies outside of the scan along {_AXES[axis]} ({low} to {high}): its voxels are 0 to {count}."
            )
        parts.append(slice(max(low, 0), min(high, count)))
    return (parts[0], parts[1], parts[2])


def parsed_box(text: str, shape: Sequence[int]) -> Box:
    """A box as it stands in an address: six whole numbers with commas between them; see `crop_box`.

    Raises:
        UsageError: as `crop_box`, or what stands there is no number.
    """
    parts = text.split(",")
    if not all(part.strip().removeprefix("-").isdecimal() and len(part) <= 12 for part in parts):
        raise UsageError("A box is six whole numbers (i0,i1,j0,j1,k0,k1) with commas between them: give it like that.")
    return crop_box([int(part) for part in parts], shape)


def blocks_of(level: Level, box: Box | None) -> Box:
    """The voxels of a level that a box touches; all of them for None."""
    if box is None:
        return (slice(0, level.shape[0]), slice(0, level.shape[1]), slice(0, level.shape[2]))
    i, j, k = (slice(s.start // f, -(-s.stop // f)) for s, f in zip(box, level.factor, strict=True))
    return (i, j, k)


def check_size(level: Level, box: Box | None, most: int = CROP_VOXELS) -> None:
    """Refuse what has too many voxels to be sent at once.

    Raises:
        UsageError: too many voxels.
    """
    count = math.prod(part.stop - part.start for part in blocks_of(level, box))
    if count > most:
        raise UsageError(
            f"That part of the scan has {count} voxels at level {level.level}, more than the {most} that are sent at "
            "once: ask for a smaller box or a coarser level."
        )


def reduced_grid(level: Level, box: Box | None = None) -> Grid:
    """The grid of a level, or of the part of it that a box touches."""
    i, j, k = blocks_of(level, box)
    affine = level.affine.copy()
    affine[:3, 3] += level.affine[:3, :3] @ (i.start, j.start, k.start)
    return Grid((i.stop - i.start, j.stop - j.start, k.stop - k.start), affine)


def reduced_scan(scan: Scan, level: Level, box: Box | None = None) -> tuple[NDArray[np.int16], Grid]:
    """A scan at a level: each voxel is the mean HU of the block's voxels that are not padding.

    Where a whole block is padding, it stays padding. The blocks at the end of an axis may cover fewer voxels.

    Args:
        scan: the scan.
        level: one of its levels.
        box: part of it, in full-resolution voxels (see `crop_box`); None for all.

    Returns:
        (i, j, k) HU, rounded and limited to 16 bits, at full resolution a view where nothing had to be rounded; and
        the grid.
    """
    grid = reduced_grid(level, box)
    hu, padding = scan.hu, scan.padding
    if level.factor == (1, 1, 1):
        part = hu if box is None else hu[box]
        return part if part.dtype == np.int16 else _int16(part), grid
    made = np.empty(grid.shape, dtype=np.int16)
    wide = np.int32 if np.issubdtype(hu.dtype, np.integer) else np.float64
    for at, block, starts, counts in planes(hu, level, box):
        total = _summed(block, starts, wide)
        if padding is None:
            made[at] = _int16(total / counts)
            continue
        outside = _summed(block == padding, starts, np.int32)
        valid = counts - outside
        mean = (total - outside * wide(padding)) / np.maximum(valid, 1)
        made[at] = _int16(np.where(valid > 0, mean, padding))
    return made, grid


def planes(
    array: NDArray[Any], level: Level, box: Box | None
) -> Iterator[tuple[int, NDArray[Any], tuple[NDArray[np.intp], ...], NDArray[np.int32]]]:
    """One step of the level along i at a time: little memory, and the rows are read in their order in memory.

    Yields:
        Index along i within the box; the full-resolution voxels (fi, j, k); where its blocks start along j and k;
        the number of voxels in each block (j, k).
    """
    parts = zip(blocks_of(level, box), level.factor, array.shape, strict=True)
    ranges = [slice(part.start * factor, min(part.stop * factor, count)) for part, factor, count in parts]
    starts = tuple(np.arange(0, s.stop - s.start, f) for s, f in zip(ranges[1:], level.factor[1:], strict=True))
    lengths = [np.diff(first, append=s.stop - s.start) for first, s in zip(starts, ranges[1:], strict=True)]
    area = np.multiply.outer(*lengths).astype(np.int32)
    for at, row in enumerate(range(ranges[0].start, ranges[0].stop, level.factor[0])):
        block = array[row : min(row + level.factor[0], ranges[0].stop), ranges[1], ranges[2]]
        yield at, block, starts, area * block.shape[0]


def _summed(block: NDArray[Any], starts: tuple[NDArray[np.intp], ...], wide: Any) -> NDArray[Any]:
    plane = block.sum(axis=0, dtype=wide)
    return np.asarray(np.add.reduceat(np.add.reduceat(plane, starts[0], axis=0), starts[1], axis=1))


def _int16(values: NDArray[Any]) -> NDArray[np.int16]:
    whole: NDArray[np.int16] = np.clip(np.rint(values), -(1 << 15), (1 << 15) - 1).astype(np.int16)
    return whole


def nifti_bytes(array: NDArray[Any], grid: Grid, *, name: str) -> bytes:
    """A volume as a gzip-compressed NIfTI-1 file, in memory; the same input gives the same bytes.

    Args:
        array: (i, j, k) integers.
        grid: where its voxels lie; the form without shear (qform) is given only where it says the same.
        name: what the volume is ("scan", "labels"), at most 79 characters; the only text of the file, so never what
            a patient or a file is called.
    """
    import nibabel as nib  # noqa: PLC0415

    image = nib.Nifti1Image(array, grid.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = name.encode("ascii", "replace")[:_DESCRIPTION]
    image.set_sform(grid.affine, code=1)
    image.set_qform(grid.affine, code=1)
    if not np.allclose(image.get_qform(), grid.affine, atol=1e-3):
        image.set_qform(grid.affine, code=0)
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)
