"""Metal: implants, clips and electrodes, as connected voxels denser than any tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.masks import components
from tools.volume import Box, Scan

METAL_HU = 2800
"""Cortical bone stays below about 2000 HU and enamel below about 2700; 12-bit scanners saturate at 3071."""
MIN_MM3 = 50.0


@dataclass(frozen=True)
class Metal:
    """Where metal is.

    Attributes:
        clusters: number of connected clusters of at least 50 mm³.
        volume_mm3: their volume together.
        slices: canonical axial indices of the first and last slice that they touch.
        fullest: canonical axial index of the slice with most of it.
        saturated: whether their highest values are all one number, as on 12-bit scanners.
    """

    clusters: int
    volume_mm3: float
    slices: tuple[int, int]
    fullest: int
    saturated: bool


def find_metal(scan: Scan) -> Metal | None:
    """Find clusters of at least 50 mm³ of 26-connected voxels at or above 2800 HU; None where there is none.

    Only the bounding box of the dense voxels is ever copied.
    """
    box = _dense_box(scan)
    if box is None:
        return None
    dense = scan.hu[box] >= METAL_HU
    labels = components(dense)
    sizes = np.bincount(labels.ravel())
    keep = np.flatnonzero(sizes * scan.grid.voxel_volume >= MIN_MM3)
    keep = keep[keep > 0]
    if keep.size == 0:
        return None
    mask: NDArray[np.bool_] = np.isin(labels, keep)
    per_slice = mask.sum(axis=(0, 1))
    touched = np.flatnonzero(per_slice) + box[2].start
    values = scan.hu[box][mask]
    return Metal(
        clusters=int(keep.size),
        volume_mm3=float(mask.sum() * scan.grid.voxel_volume),
        slices=(int(touched[0]), int(touched[-1])),
        fullest=int(np.argmax(per_slice) + box[2].start),
        saturated=bool(np.count_nonzero(values == values.max()) > max(10, values.size // 20)),
    )


def _dense_box(scan: Scan) -> Box | None:
    shape = scan.grid.shape
    seen = [np.zeros(size, dtype=np.bool_) for size in shape]
    for i in range(shape[0]):
        plane = scan.hu[i] >= METAL_HU
        if plane.any():
            seen[0][i] = True
            seen[1] |= plane.any(axis=1)
            seen[2] |= plane.any(axis=0)
    if not seen[0].any():
        return None
    ends = [np.flatnonzero(axis)[[0, -1]] for axis in seen]
    first, second, third = (slice(int(low), int(high) + 1) for low, high in ends)
    return (first, second, third)
