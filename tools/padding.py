"""Padding: the value that fills what lies outside of the reconstruction.

Padding is not air. It must never enter a statistic, so it is looked for even where no header declares it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.histogram import LOWEST, Histogram

AIR_FLOOR = -1024
"""Lowest HU that scanners of 12 bits give for air: below it nothing physical is expected."""
_DECLARED_AT_MOST = -900.0
_SPIKE_SHARE = 1e-3
_SPIKE_OVER_NEIGHBOURS = 5
_BORDER_SHARE = 0.5
_CORNER_SHARE = 0.95
_RING_SHARE = 0.5


def find_padding(hu: NDArray[Any], counts: Histogram, declared: float | None) -> tuple[float | None, str | None]:
    """Find the padding value of a scan.

    Tried in this order: the value that the header declares, if voxels have it and it is no value of tissue;
    a constant below −1024 HU that stands alone in the histogram and fills the border; exactly −1024 HU where
    it fills the corners outside of a circular field of view.

    Args:
        hu: (i, j, k) HU in canonical order.
        counts: histogram of `hu`.
        declared: padding in HU as the header declares it.

    Returns:
        The value (None for no padding), and a note where a declared value could not be used.
    """
    note = None
    if declared is not None and counts.at(declared):
        if declared <= _DECLARED_AT_MOST:
            return float(declared), None
        note = f"the declared padding value ({declared:g} HU) is a value of tissue and was not used"
    spike = _spike(counts)
    if spike is not None and _fills_border(hu, spike):
        return float(spike), note
    if counts.at(AIR_FLOOR) and _outside_circle(hu, AIR_FLOOR):
        return float(AIR_FLOOR), note
    return None, note


def _spike(counts: Histogram) -> int | None:
    """Most frequent HU below −1024, if it stands out from its neighbours as only a constant does."""
    below = counts.counts[: AIR_FLOOR - LOWEST]
    mode = int(np.argmax(below))
    if below[mode] < max(1.0, _SPIKE_SHARE * counts.total):
        return None
    near = counts.counts[max(0, mode - 20) : mode + 21].sum() - below[mode]
    return mode + LOWEST if below[mode] >= _SPIKE_OVER_NEIGHBOURS * near else None


def _fills_border(hu: NDArray[Any], value: float) -> bool:
    """Whether the value covers most of one side, edge, or corner column of the in-plane border.

    A crop may leave padding at one side only, so that the fullest of the eight counts.
    """
    wide, deep = (max(1, size // 32) for size in hu.shape[:2])
    ends = ((slice(0, wide), slice(-wide, None)), (slice(0, deep), slice(-deep, None)))
    parts = [hu[end] for end in ends[0]] + [hu[:, end] for end in ends[1]]
    parts += [hu[first, second] for first in ends[0] for second in ends[1]]
    return max(float(np.count_nonzero(part == value)) / part.size for part in parts) >= _BORDER_SHARE


def _outside_circle(hu: NDArray[Any], value: float) -> bool:
    """Whether the value fills what is outside the inscribed circle, and not also the ring within it."""
    ni, nj = hu.shape[:2]
    if min(ni, nj) < 16 or abs(ni - nj) > 1:
        return False
    i, j = np.ogrid[:ni, :nj]
    radius = np.hypot((i - (ni - 1) / 2) / (ni / 2), (j - (nj - 1) / 2) / (nj / 2))
    outside, ring = radius > 1.03, (radius > 0.85) & (radius < 0.97)
    constant = np.zeros((ni, nj), dtype=np.int64)
    for k in range(hu.shape[2]):
        constant += hu[:, :, k] == value
    depth = hu.shape[2]
    filled, within = float(constant[outside].mean()), float(constant[ring].mean())
    return bool(filled >= _CORNER_SHARE * depth and within < _RING_SHARE * depth)
