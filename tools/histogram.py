"""Histogram of a scan's HU in 1 HU bins, counted slab by slab without a full-size temporary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = -8192, 32767
_SLAB_VOXELS = 1 << 21


def slabs(hu: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views of consecutive slabs along axis 0 with a bounded number of voxels each."""
    step = max(1, _SLAB_VOXELS // max(1, hu[:1].size))
    for start in range(0, hu.shape[0], step):
        yield hu[start : start + step]


@dataclass(frozen=True)
class Histogram:
    """Counts of rounded HU.

    Attributes:
        counts: (HIGHEST - LOWEST + 1,) voxels per HU, the outermost bins holding all that lies beyond.
        lowest: exact minimum.
        highest: exact maximum.
        integral: whether every value is a whole number.
    """

    counts: NDArray[np.int64]
    lowest: float
    highest: float
    integral: bool

    @property
    def total(self) -> int:
        """Number of voxels counted."""
        return int(self.counts.sum())

    def between(self, low: float, high: float) -> int:
        """Number of voxels whose rounded HU lies in low..high, both included."""
        first = max(int(np.ceil(low)), LOWEST) - LOWEST
        last = min(int(np.floor(high)), HIGHEST) - LOWEST
        return int(self.counts[first : last + 1].sum()) if last >= first else 0

    def share(self, low: float, high: float) -> float:
        """Fraction of voxels in low..high."""
        return self.between(low, high) / self.total if self.total else 0.0

    def at(self, value: float) -> int:
        """Number of voxels whose rounded HU is `value`."""
        return self.between(round(value), round(value))

    def median(self) -> float:
        """Median HU, to 1 HU."""
        return float(np.searchsorted(np.cumsum(self.counts), self.total / 2) + LOWEST)

    def without(self, value: float | None) -> Histogram:
        """Return the histogram without the voxels of one (padding) value."""
        if value is None:
            return self
        counts = self.counts.copy()
        counts[int(np.clip(round(value), LOWEST, HIGHEST)) - LOWEST] = 0
        left = np.flatnonzero(counts)
        if left.size == 0:
            return Histogram(counts, float("nan"), float("nan"), self.integral)
        lowest = float(left[0] + LOWEST) if round(self.lowest) == round(value) else self.lowest
        highest = float(left[-1] + LOWEST) if round(self.highest) == round(value) else self.highest
        return Histogram(counts, lowest, highest, self.integral)


def histogram(hu: NDArray[Any]) -> Histogram:
    """Count an (i, j, k) array of finite HU."""
    counts = np.zeros(HIGHEST - LOWEST + 1, dtype=np.int64)
    lowest, highest, integral = np.inf, -np.inf, True
    for slab in slabs(hu):
        lowest, highest = min(lowest, float(slab.min())), max(highest, float(slab.max()))
        rounded = slab if slab.dtype.kind in "iu" else np.rint(slab)
        integral = integral and (rounded is slab or bool(np.array_equal(rounded, slab)))
        whole = np.clip(rounded, LOWEST, HIGHEST).astype(np.int32)
        whole -= LOWEST
        counts += np.bincount(whole.ravel(), minlength=counts.size)
    return Histogram(counts, lowest, highest, integral)
