"""Putting cropped masks together and cutting them out."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.volume import Region


def merge_regions(regions: list[Region]) -> Region | None:
    """Union of regions as one cropped mask, or None for an empty list."""
    if len(regions) < 2:
        return regions[0] if regions else None
    low = [min(r.box[axis].start for r in regions) for axis in range(3)]
    high = [max(r.box[axis].stop for r in regions) for axis in range(3)]
    mask = np.zeros([b - a for a, b in zip(low, high, strict=True)], dtype=np.bool_)
    for one in regions:
        inner = tuple(slice(s.start - a, s.stop - a) for s, a in zip(one.box, low, strict=True))
        mask[inner] |= one.mask
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return Region(box=(box[0], box[1], box[2]), mask=mask)


def common_voxels(one: Region, other: Region) -> int:
    """Number of voxels that two masks on one grid share, looked for where their boxes overlap."""
    low = [max(a.start, b.start) for a, b in zip(one.box, other.box, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(one.box, other.box, strict=True)]
    if any(start >= stop for start, stop in zip(low, high, strict=True)):
        return 0
    parts = [
        region.mask[tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, region.box, strict=True))]
        for region in (one, other)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def cropped(around: Region, mask: NDArray[np.bool_]) -> Region | None:
    """A mask in the box of a region, cropped to what it holds; None where it is empty."""
    found = ndimage.find_objects(mask.view(np.uint8))
    if not found:
        return None
    inner = found[0]
    box = tuple(slice(outer.start + s.start, outer.start + s.stop) for outer, s in zip(around.box, inner, strict=True))
    return Region(box=(box[0], box[1], box[2]), mask=np.ascontiguousarray(mask[inner]))


def components(mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Numbers from 1 of the 26-connected components of a mask (i, j, k); 0 = outside."""
    if sorted(mask.shape)[1] > 1:
        found: NDArray[Any] = cc3d.connected_components(mask, connectivity=26)
        return found
    # cc3d makes too little room for masks that are one voxel wide along two axes, and fails.
    wide: NDArray[Any] = cc3d.connected_components(np.pad(mask, 1), connectivity=26)
    return wide[1:-1, 1:-1, 1:-1]


def connected(region: Region) -> list[Region]:
    """The 26-connected components of a mask, each cropped to its own box."""
    labelled = components(region.mask)
    found = []
    for index, inner in enumerate(cc3d.statistics(labelled)["bounding_boxes"][1:], start=1):
        box = tuple(slice(one.start + s.start, one.start + s.stop) for one, s in zip(region.box, inner, strict=True))
        part = np.ascontiguousarray(labelled[inner] == index)
        found.append(Region(box=(box[0], box[1], box[2]), mask=part))
    return found


def voxels_of(region: Region) -> NDArray[np.intp]:
    """Indices in the whole grid of a mask's voxels; shape (n, 3)."""
    at: NDArray[np.intp] = np.argwhere(region.mask)
    at += np.array([s.start for s in region.box])
    return at
