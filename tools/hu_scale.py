"""Whether values can be Hounsfield units with the rescale applied exactly once.

By definition air is −1000 HU and water 0 HU, fat lies near −100 HU and soft tissue at 0 to 100 HU (up to some
hundred with contrast). Stored values that were never rescaled put air near 0 and water near 1024; values that
were rescaled twice put air near −2024 and water near −1024. A crop need not contain air, but what lies in it
must fit one scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.histogram import Histogram
from tools.padding import AIR_FLOOR

_TISSUE = (-160, 250)
_UNSCALED_TISSUE = (850, 1250)
_NARROW_HU = 40.0
_SPIKE_OVER_NEIGHBOURS = 10


@dataclass(frozen=True)
class HuScale:
    """Judgement on the scale of a scan's values.

    Attributes:
        plausible: whether the values can be HU.
        problem: what was seen and how to mend it, as the end of a sentence; None where plausible.
        clipped: values at which the range was cut off to a window, (low, high), None where it was not.
        limits: what the values leave open, one clause each.
    """

    plausible: bool
    problem: str | None
    clipped: tuple[float | None, float | None]
    limits: tuple[str, ...]


def judge_scale(counts: Histogram, padding: float | None) -> HuScale:
    """Judge the histogram of a scan, padding left out."""
    values = counts.without(padding)
    problem = _problem(values, padding)
    if problem is not None:
        return HuScale(plausible=False, problem=problem, clipped=(None, None), limits=())
    clipped = _clipped(values)
    limits: list[str] = []
    low, high = clipped
    if low is not None or high is not None:
        ends = [f"below {low:g}" if low is not None else "", f"above {high:g}" if high is not None else ""]
        text = " and ".join(end for end in ends if end)
        limits.append(f"values {text} HU are cut off, so that means of structures that reach them are biased")
    if values.share(-(1 << 13), -30) < 0.002:
        limits.append("neither air nor fat is in view, so that the HU scale cannot be confirmed")
    return HuScale(plausible=True, problem=None, clipped=clipped, limits=tuple(limits))


def _problem(values: Histogram, padding: float | None) -> str | None:
    low, high = values.lowest, values.highest
    if values.total == 0 or low == high:
        only = padding if values.total == 0 else low
        return f"all of its voxels have the same value ({only:g}): export it again"
    seen = f"its values lie between {low:g} and {high:g}"
    if high - low <= _NARROW_HU and (not values.integral or max(abs(low), abs(high)) <= _NARROW_HU):
        return f"{seen}, as in an image that was normalised: give the scan in Hounsfield units"
    unscaled = values.share(*_UNSCALED_TISSUE)
    if low >= 0:
        if unscaled > 0.05 and high > _UNSCALED_TISSUE[1]:
            return f"{seen} with tissue near 1024, as stored values do before rescaling: apply slope and intercept"
        return (
            f"{seen}, none of them negative, while air and fat in CT are negative: if it is a "
            "CT, apply slope and "
            "intercept, and leave out windowing"
        )
    if values.median() > 2000:
        return f"half of its values lie above {values.median():g}, which no CT shows: apply slope and intercept"
    if values.share(-(1 << 13), -30) < 0.005 and unscaled > 0.05 and values.share(300, 800) < 2 * unscaled:
        return f"{seen} with tissue near 1024, as stored values do before rescaling: apply slope and intercept"
    dense = values.share(-200, 1 << 15)
    if (
        dense < 0.005
        or values.share(-(1 << 13), -1400) > 0.02
        or (values.share(-(1 << 13), -1080) > 0.03 and dense < 0.05)
    ):
        return (
            f"{100 * dense:.1f} % of its values are as dense as fat or denser and the median is "
            f"{values.median():g}, as when the intercept is applied twice: apply it once"
        )
    return None


def _clipped(values: Histogram) -> tuple[float | None, float | None]:
    """Ends of the range that hold a spike of voxels and lie within what tissue and air can have.

    An end at air (below −900 HU) or beyond cortical bone (above 2000 HU) is what scanners themselves do.
    """
    filled = np.flatnonzero(values.counts)
    first, last = int(filled[0]), int(filled[-1])
    inner_low = values.counts[first + 1 : first + 6].max(initial=0)
    inner_high = values.counts[max(0, last - 5) : last].max(initial=0)
    enough = max(20.0, 5e-4 * values.total)
    cut_low = values.counts[first] > max(enough, _SPIKE_OVER_NEIGHBOURS / 2 * inner_low)
    cut_high = values.counts[last] > max(enough, _SPIKE_OVER_NEIGHBOURS / 2 * inner_high)
    low = values.lowest if cut_low and values.lowest > AIR_FLOOR + 124 else None
    high = values.highest if cut_high and values.highest < 2000 else None
    return low, high
