"""Statistics of HU within a mask, padding left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.base import Case
from tools.shape import BoolArray, eroded
from tools.volume import Region

_SHARES = (10, 50, 90)
# From so many values on a histogram is quicker than sorting.
_MANY = 20_000


@dataclass(frozen=True)
class Attenuation:
    """HU within a mask.

    Attributes:
        mean, sd, median: HU; the standard deviation is that of the voxels themselves.
        error: what is open of the mean: its standard error, with half of the change on removing the outermost
            voxels (partial volume).
        voxels: how many voxels counted.
        p10, p90: tenth and ninetieth percentile in HU.
    """

    mean: float
    sd: float
    median: float
    error: float
    voxels: int
    p10: float
    p90: float


def attenuation_of(case: Case, region: Region | None, inner: BoolArray | None = None) -> Attenuation | None:
    """Attenuation within a mask; None where no voxel is left without padding.

    Args:
        case: the case.
        region: the mask.
        inner: the mask without its outermost voxels, where that is known already.
    """
    if region is None:
        return None
    values = hu_values(case, region)
    if values.size == 0:
        return None
    mean, sd, (p10, median, p90) = _summary(values)
    # The shell is looked at, being the smaller part; what is left of the sum is the core's.
    inner = eroded(region, case.scan.grid) if inner is None else inner
    shell = hu_values(case, Region(region.box, region.mask & ~inner))
    inside = values.size - shell.size
    core = (mean * values.size - float(shell.sum(dtype=np.float64))) / inside if inside else None
    partial = abs(core - mean) / 2 if core is not None else sd
    return Attenuation(mean, sd, median, math.hypot(sd / math.sqrt(values.size), partial), int(values.size), p10, p90)


def _summary(values: NDArray[Any]) -> tuple[float, float, tuple[float, float, float]]:
    """Mean, standard deviation of the population, and the tenth, fiftieth and ninetieth percentile.

    Many whole numbers are counted first: all of it then follows exactly from their histogram, in one pass.
    """
    if values.dtype != np.int16 or values.size < _MANY:
        low, median, high = np.percentile(values, _SHARES)
        mean, sd = values.mean(dtype=np.float64), values.std(dtype=np.float64)
        return float(mean), float(sd), (float(low), float(median), float(high))
    least = values.min()
    # Differences of sixteen bits wrap around, which as unsigned numbers they may.
    counts = np.bincount(values.view(np.uint16) - least.view(np.uint16))
    hu = np.arange(len(counts), dtype=np.float64) + float(least)
    mean = float(counts @ hu) / values.size
    sd = math.sqrt(float(counts @ (hu - mean) ** 2) / values.size)
    places = np.array(_SHARES) / 100 * (values.size - 1)
    upto = np.cumsum(counts)
    below, above = (hu[np.searchsorted(upto, edge(places), side="right")] for edge in (np.floor, np.ceil))
    found = below + (above - below) * (places - np.floor(places))
    return mean, sd, (float(found[0]), float(found[1]), float(found[2]))


def hu_values(case: Case, region: Region) -> NDArray[Any]:
    """HU of a mask's voxels without padding; shape (n,)."""
    values: NDArray[Any] = case.scan.hu[region.box][region.mask]
    return values if case.scan.padding is None else values[values != case.scan.padding]
