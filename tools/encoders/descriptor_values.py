"""Attenuation of a lesion in a crop: its distribution, its profile from core to surroundings, and its contrast."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tools.crop import Crop

Floats = NDArray[np.float64]
_EDGES = (-1025.0, -500, -150, -75, -30, -10, 5, 20, 35, 50, 65, 80, 100, 130, 180, 300, 4000)
_PERCENTS = (2, 10, 25, 50, 75, 90, 98)
_INNER = ((0.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, math.inf))
_OUTER = ((0.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 15.0))
_RING_MM = 8.0
_TISSUES = {"air": (-2000, -300), "fat": (-150, -30), "fluid": (-10, 20), "soft": (20, 80),
            "bright": (80, 200), "hard": (200, 4000)}  # fmt: skip


def squashed(hu: float) -> float:
    """HU on a scale that is even around soft tissue and compresses air, bone and metal."""
    return math.asinh((hu - 40.0) / 40.0)


def attenuation(values: Floats) -> dict[str, float]:
    """Distribution of the HU (n,) within the mask, scaled."""
    made = {
        f"percentile_{percent}": squashed(value)
        for percent, value in zip(_PERCENTS, np.percentile(values, _PERCENTS).tolist(), strict=True)
    }
    mean, spread = float(values.mean()), float(values.std())
    away = (values - mean) / max(spread, 1.0)
    made |= {
        "mean": squashed(mean),
        "sd": math.log2((spread + 5) / 25),
        "iqr": math.log2((float(np.subtract(*np.percentile(values, (75, 25)))) + 5) / 30),
        "skew": math.asinh(float((away**3).mean())),
        "tails": math.asinh(float((away**4).mean()) / 3 - 1),
    }
    shares = np.histogram(values, _EDGES)[0] / len(values)
    made["entropy"] = float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum() - 2) / 1.0
    # Square roots, so that distances are Hellinger's.
    return made | {f"histogram_{index}": float(math.sqrt(share)) / 0.5 for index, share in enumerate(shares.tolist())}


def profile(values: Floats, depth: Floats, around: Floats, away: Floats) -> dict[str, float]:
    """Mean and spread in shells of given depth (mm) inside and distance (mm) outside.

    A shell that a small lesion or the scan does not have repeats the nearest one towards the surface.

    Args:
        values: HU within the mask (n,).
        depth: their depth below the surface.
        around: HU outside of it (m,).
        away: their distance from the surface.
    """
    made: dict[str, float] = {}
    start = float(values.mean()), float(values.std())
    for side, shells, hu, mm in (("in", _INNER, values, depth), ("out", _OUTER, around, away)):
        mean, spread = start
        for low, high in shells:
            chosen = hu[(mm >= low) & (mm < high)]
            if len(chosen):
                mean, spread = float(chosen.mean()), float(chosen.std())
            made[f"{side}_{low:g}_mean"] = squashed(mean)
            made[f"{side}_{low:g}_sd"] = math.log2((spread + 5) / 25) / 1.5
    return made


def contrast(crop: Crop, values: Floats, depth: Floats, around: Floats, away: Floats) -> dict[str, float]:
    """What sets the lesion off: from its own core, from what is beside it, from the organ given as context."""
    ring = around[away < _RING_MM]
    core = values[depth >= 0.5 * depth.max()]
    rim = values[depth < max(3.0, float(depth.min()) + 1e-9)]
    made = {
        "rim_to_core": _difference(rim, core),
        "to_ring": _difference(values, ring),
        "to_ring_noise": _noise(values, ring),
    }
    for name, (low, high) in _TISSUES.items():
        made[f"share_{name}"] = math.sqrt(_share(values, low, high)) / 0.5
        made[f"ring_{name}"] = math.sqrt(_share(ring, low, high)) / 0.5
    known = crop.context is not None
    organ = crop.hu[crop.context & ~crop.mask].astype(np.float64) if crop.context is not None else ring[:0]
    return made | {
        "context": float(known and len(organ) > 0),
        "context_median": squashed(float(np.median(organ))) if len(organ) else 0.0,
        "to_context": _difference(values, organ),
        "to_context_noise": _noise(values, organ),
    }


def _difference(one: Floats, other: Floats) -> float:
    return math.asinh(float(np.median(one) - np.median(other)) / 25) if len(one) and len(other) else 0.0


def _noise(one: Floats, other: Floats) -> float:
    """Contrast-to-noise ratio, compressed."""
    if not len(one) or not len(other):
        return 0.0
    noise = math.sqrt((float(one.var()) + float(other.var())) / 2 + 25.0)
    return math.asinh(float(one.mean() - other.mean()) / noise)


def _share(values: Floats, low: float, high: float) -> float:
    return float(((values >= low) & (values < high)).mean()) if len(values) else 0.0
