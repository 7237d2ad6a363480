"""In which regions of its organ a lesion lies, and to what share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.attached import apart
from tools.masks import voxels_of
from tools.subregions import Subregions
from tools.volume import Region

COUNTS_ABOVE = 10.0
"""Percent of a lesion that a region must hold more of for the lesion to count as lying in it (as RadGPT counts)."""


@dataclass(frozen=True)
class Place:
    """Where a lesion lies.

    Attributes:
        shares: percent of its voxels by region id, largest first; only regions that hold some.
        pm: percent that the borders of a region leave open, by region id: half a voxel to either side of a
            labelled border, all within the tolerance of a landmark plane (then also of regions that hold none).
        unplaced: percent in no region that can be told.
        apart: whether the lesion lies apart from the organ, so that no region of it holds any of it.
    """

    shares: dict[str, float]
    pm: dict[str, float]
    unplaced: float
    apart: bool = False

    @property
    def main(self) -> str | None:
        """The region with the largest share; None where none is told, or an untold one may hold more."""
        first = next(iter(self.shares), None)
        return first if first is not None and self.shares[first] > self.unplaced else None

    @property
    def rivals(self) -> list[str]:
        """Regions besides the main one that may hold the largest share within the uncertainty, or hold as much."""
        main = self.main
        if main is None:
            return []
        low = self.shares[main] - self.pm[main]
        high = {one: self.shares.get(one, 0.0) + pm + self.unplaced for one, pm in self.pm.items()}
        return [one for one in high if one != main and high[one] >= low]

    @property
    def held(self) -> list[str]:
        """Regions that hold more than a tenth, the main one first."""
        return [ident for ident, share in self.shares.items() if share > COUNTS_ABOVE]

    @property
    def doubtful(self) -> list[str]:
        """Regions of which it is open, within the uncertainty, whether they hold more than a tenth."""
        return [one for one, pm in self.pm.items() if abs(self.shares.get(one, 0.0) - COUNTS_ABOVE) < pm]


def place(region: Region, told: Subregions) -> Place:
    """Shares of a lesion's voxels in the regions of an organ.

    Args:
        region: mask of one lesion.
        told: the regions of its organ.
    """
    numbers = told.numbers_of(region)
    counts = np.bincount(numbers, minlength=len(told.ids) + 1)
    if counts[0] == len(numbers) and apart(told.labels, told.organ, region):
        return Place({}, {}, 100.0, apart=True)
    near = _beside(region, numbers, counts) / 2
    if told.tolerance_mm:
        near = np.maximum(near, _within(voxels_of(region), numbers, told))
    scale = 100.0 / len(numbers)
    order = sorted((n for n in range(1, len(counts)) if counts[n]), key=lambda n: (-counts[n], n))
    shares = {told.ids[n - 1]: round(float(counts[n] * scale), 4) for n in order}
    order += [n for n in range(1, len(counts)) if not counts[n] and near[n]]
    pm = {told.ids[n - 1]: round(float(near[n] * scale), 4) for n in order}
    return Place(shares, pm, round(float(counts[0] * scale), 4))


def _beside(region: Region, numbers: NDArray[np.uint8], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """How many voxels of each region have a face neighbour of another one in the lesion."""
    near = np.zeros(len(counts))
    if np.count_nonzero(counts) < 2:
        return near
    index = np.full(region.mask.shape, 255, dtype=np.uint8)
    index[region.mask] = numbers
    edge = np.zeros(region.mask.shape, dtype=np.bool_)
    for axis in range(3):
        line, mark = np.moveaxis(index, axis, 0), np.moveaxis(edge, axis, 0)
        change = (line[1:] != line[:-1]) & (line[1:] != 255) & (line[:-1] != 255)
        mark[1:] |= change
        mark[:-1] |= change
    return np.bincount(index[edge], minlength=len(counts)).astype(np.float64)


def _within(at: NDArray[np.intp], numbers: NDArray[np.uint8], told: Subregions) -> NDArray[np.float64]:
    """How many voxels of each region would be another one's if a border lay elsewhere within its tolerance."""
    moved = np.zeros(len(at), dtype=np.bool_)
    gains = np.zeros(len(told.ids) + 1)
    steps = np.linalg.inv(told.grid.affine[:3, :3]) * told.tolerance_mm
    for axis in range(3):
        for way in (1, -1):
            other = told.numbers(at + way * steps[:, axis])
            changed = other != numbers
            moved |= changed
            gains = np.maximum(gains, np.bincount(other[changed], minlength=len(gains)))
    return np.maximum(np.bincount(numbers[moved], minlength=len(gains)), gains)
