"""How sharply attenuation changes across the border of a lesion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.shape import BoolArray
from tools.volume import FloatArray, Grid, Region

# Below this many places on the border a mean says nothing.
_FEWEST = 8
# Of the border, how much must adjoin the organ for the rest (fat, gas, vessels) to be left out.
_OWN_SHARE = 0.1
_AROUND = 3


@dataclass(frozen=True)
class Margin:
    """Sharpness of a border.

    Attributes:
        slope: HU per mm along the outward normal, without sign, on average over the border.
        error: standard error of that average, HU per mm.
        against_organ: whether only the border with the organ's own tissue was looked at.
    """

    slope: float
    error: float
    against_organ: bool


def margin(
    region: Region, hu: NDArray[np.generic], grid: Grid, organ: Region | None, padding: float | None
) -> Margin | None:
    """Mean slope of attenuation across the border of a mask.

    At every outermost voxel the gradient in world mm (central differences) is taken along the mask's own outward
    normal; signed slopes are averaged before the sign is dropped, so that noise cancels. An edge sharper than
    two voxels comes out at what two voxels can show. Places beside padding or the scan's border are left out, and
    places that don't adjoin the organ's tissue as well, where enough do.

    Args:
        region: mask of a lesion.
        hu: the whole scan (i, j, k).
        grid: its grid.
        organ: tissue of the organ without its lesions, None where it isn't known.
        padding: value outside of the reconstruction, None for none.

    Returns:
        None where too little of the border can be looked at.
    """
    box, mask = _widened(region, grid)
    values = hu[box]
    faces = mask & ~ndimage.binary_erosion(mask, border_value=1)
    at = np.argwhere(faces)
    at = at[((at > 0) & (at < np.array(mask.shape) - 1)).all(axis=1)]
    if len(at) < _FEWEST:
        return None
    usable = np.ones(len(at), dtype=np.bool_)
    own = np.ones(len(at), dtype=np.bool_)
    tissue = _within(organ, box, mask) if organ is not None else None
    slopes = np.empty((len(at), 3))
    for axis in range(3):
        ends = [np.where(np.arange(3) == axis, at + step, at) for step in (1, -1)]
        ahead, behind = (values[tuple(end.T)].astype(np.float64) for end in ends)
        slopes[:, axis] = (ahead - behind) / 2
        if padding is not None:
            usable &= (ahead != padding) & (behind != padding)
        if tissue is not None:
            own &= tissue[tuple(ends[0].T)] & tissue[tuple(ends[1].T)]
    own &= usable
    beside = tissue is not None and own.sum() >= max(_FEWEST, _OWN_SHARE * len(at))
    chosen = own if beside else usable
    if chosen.sum() < _FEWEST:
        return None
    to_world = np.linalg.inv(grid.affine[:3, :3])
    outward = _outward(mask, at[chosen]) @ to_world
    lengths = np.linalg.norm(outward, axis=1)
    there = lengths > 0
    along = np.einsum("ni,ni->n", slopes[chosen] @ to_world, outward)[there] / lengths[there]
    if not along.size:
        return None
    return Margin(abs(float(along.mean())), float(along.std()) / math.sqrt(along.size), beside)


def _widened(region: Region, grid: Grid) -> tuple[tuple[slice, slice, slice], BoolArray]:
    """A box with room around the mask, as far as the scan reaches, and the mask in it."""
    box = [
        slice(max(0, s.start - _AROUND), min(n, s.stop + _AROUND)) for s, n in zip(region.box, grid.shape, strict=True)
    ]
    room = [(s.start - b.start, b.stop - s.stop) for s, b in zip(region.box, box, strict=True)]
    return (box[0], box[1], box[2]), np.pad(region.mask, room)


def _within(organ: Region, box: tuple[slice, slice, slice], mask: BoolArray) -> BoolArray:
    """The mask joined with an organ, in the box."""
    joined = mask.copy()
    low = [max(a.start, b.start) for a, b in zip(box, organ.box, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(box, organ.box, strict=True)]
    if all(a < b for a, b in zip(low, high, strict=True)):
        here = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, box, strict=True))
        there = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, organ.box, strict=True))
        joined[here] |= organ.mask[there]
    return joined


def _outward(mask: BoolArray, at: NDArray[np.intp]) -> FloatArray:
    """Outward normal of the smoothed mask at voxels (n, 3), as a gradient per index step; not of unit length."""
    smooth = mask.astype(np.float32)
    for axis in range(3):
        smooth = ndimage.convolve1d(smooth, np.array([1, 4, 6, 4, 1]) / 16, axis=axis, mode="nearest")
    normal = np.empty((len(at), 3))
    for axis in range(3):
        ahead, behind = (tuple(np.where(np.arange(3) == axis, at + step, at).T) for step in (1, -1))
        normal[:, axis] = smooth[behind] - smooth[ahead]
    return normal
