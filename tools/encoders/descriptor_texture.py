"""Texture within a lesion: structure at several scales, and how grey values follow each other.

Only voxels of the mask enter: smoothing is normalised by the mask, and differences are between its voxels.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.crop import Crop, tightened
from tools.volume import Region

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
_LOW, _HIGH = -200.0, 300.0
_SCALES_MM = (1.5, 3.0, 6.0, 12.0)
_GREY = (-160.0, 240.0)
_LEVELS = 16
_STEPS_MM = (1.5, 3.0)
_DIRECTIONS = tuple(step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0))


def texture(crop: Crop) -> dict[str, float]:
    """Features of texture, scaled; those of a lesion too small to have any are those of a flat one."""
    first, second, third = (slice(0, n) for n in crop.mask.shape)
    tight = tightened(Region((first, second, third), crop.mask))
    assert tight is not None  # a crop's mask is never empty
    hu = np.clip(crop.hu[tight.box], _LOW, _HIGH)
    return _scales(hu, tight.mask, crop.spacing) | _neighbours(hu, tight.mask, crop.spacing)


def _scales(hu: Float32, mask: Bools, step: float) -> dict[str, float]:
    """Differences of Gaussians (which stand for the Laplacian) and gradients at every scale."""
    made: dict[str, float] = {}
    before = hu
    for scale in _SCALES_MM:
        smooth = _smoothed(hu, mask, scale / step)
        band = (before - smooth)[mask].astype(np.float64)
        spread = float(band.std())
        made[f"band_{scale:g}"] = math.log2((spread + 1) / 6) / 1.5
        made[f"band_skew_{scale:g}"] = math.asinh(float(((band - band.mean()) ** 3).mean()) / max(spread, 1.0) ** 3)
        made[f"left_{scale:g}"] = math.log2((float(smooth[mask].std()) + 1) / 8) / 1.5
        made[f"gradient_{scale:g}"] = math.log2((_gradient(smooth, mask, step) + 0.2) / 2) / 1.5
        before = smooth
    return made


def _smoothed(hu: Float32, mask: Bools, sigma: float) -> Float32:
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="constant")
    value = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(np.float32), sigma, mode="constant")
    smooth: Float32 = np.where(mask, value / np.where(mask, weight, 1), 0).astype(np.float32)
    return smooth


def _gradient(values: Float32, mask: Bools, step: float) -> float:
    """Root mean square over the directions of the difference of neighbours, HU per mm."""
    squares, pairs = 0.0, 0
    for axis in range(3):
        line, held = np.moveaxis(values, axis, 0), np.moveaxis(mask, axis, 0)
        both = held[1:] & held[:-1]
        squares += float(np.square((line[1:] - line[:-1])[both], dtype=np.float64).sum())
        pairs += int(np.count_nonzero(both))
    return math.sqrt(3 * squares / pairs) / step if pairs else 0.0


def _neighbours(hu: Float32, mask: Bools, step: float) -> dict[str, float]:
    """Statistics of the grey-level co-occurrence matrix over all 13 directions (Haralick 1973)."""
    low, high = _GREY
    levels = np.clip((hu - low) / (high - low) * _LEVELS, 0, _LEVELS - 1).astype(np.int16)
    levels[~mask] = _LEVELS  # a level of its own, dropped after counting
    made: dict[str, float] = {}
    for mm in _STEPS_MM:
        distance = max(1, round(mm / step))
        counts = np.zeros((_LEVELS + 1, _LEVELS + 1))
        for direction in _DIRECTIONS:
            here, there = _shifted(levels, tuple(distance * one for one in direction))
            both = here.astype(np.int32) * (_LEVELS + 1) + there
            counts += np.bincount(both.ravel(), minlength=counts.size).reshape(counts.shape)
        counts = counts[:-1, :-1]
        made |= {f"{name}_{mm:g}": value for name, value in _statistics(counts + counts.T).items()}
    return made


def _shifted(levels: NDArray[np.int16], by: tuple[int, ...]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    here = tuple(slice(max(0, -one), max(0, n - max(0, one))) for one, n in zip(by, levels.shape, strict=True))
    there = tuple(slice(max(0, one), max(0, n + min(0, one))) for one, n in zip(by, levels.shape, strict=True))
    return levels[here], levels[there]


def _statistics(counts: NDArray[np.float64]) -> dict[str, float]:
    if not counts.sum():
        counts = np.zeros_like(counts)
        counts[0, 0] = 1
    shares = counts / counts.sum()
    i, j = np.indices(shares.shape)
    mean = float((i * shares).sum())
    variance = float((np.square(i - mean) * shares).sum())
    covariance = float(((i - mean) * (j - mean) * shares).sum())
    there = shares[shares > 0]
    return {
        "differing": math.log2(float((np.square(i - j) * shares).sum()) + 0.1) / 1.5,
        "following": (covariance / variance if variance > 1e-12 else 0.0) / 0.5,
        "alike": (float((shares / (1 + np.square(i - j))).sum()) - 0.6) / 0.2,
        "even": (math.sqrt(float(np.square(shares).sum())) - 0.25) / 0.15,
        "disorder": (float(-(there * np.log2(there)).sum()) - 5) / 1.5,
    }
