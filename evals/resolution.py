"""How far the resolution of a scan leaves a number open, estimated from the truth alone.

The suite cannot know an organ's surface: it takes half a voxel on the surface of a sphere of equal volume as the least
that the resolution leaves open, and three times that as the most. Between the two, an answer may call a verdict
borderline or not; closer to a threshold it must, farther away it must not give the other reading.
"""

from __future__ import annotations

import math
from typing import NamedTuple

Spacing = tuple[float, float, float]


class Near(NamedTuple):
    """Whether a threshold may lie, and whether it surely lies, within what the resolution leaves open."""

    possible: bool
    certain: bool


def near_volume(spacing: Spacing, volume: float, gap: float) -> Near:
    """For a volume in cm³ and its distance from a threshold in cm³."""
    surface = (36 * math.pi) ** (1 / 3) * (volume * 1000) ** (2 / 3)
    least = 0.5 * min(spacing) * surface / 1000
    return Near(gap <= 3 * max(spacing) / min(spacing) * least, gap <= 0.5 * least)


def near_length(spacing: Spacing, gap: float) -> Near:
    """For the distance of an in-plane length from a threshold in mm."""
    return Near(gap <= 2 * max(spacing), gap <= 0.4 * min(spacing[:2]))


def near_hu(gap: float) -> Near:
    """For the distance of a mean attenuation from a threshold in HU: partial volume may leave a few HU open."""
    return Near(gap <= 6.0, False)


def near_ratio(gap: float) -> Near:
    """For the distance of a ratio of attenuations from a threshold."""
    return Near(gap <= 0.08, False)


def relative(value: float, share: float = 0.02, least: float = 0.0) -> float:
    """Tolerance of a measured number: a share of it, and not less than `least`."""
    return max(share * abs(value), least)
