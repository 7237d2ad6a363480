"""Shape of a lesion in a crop: size, axes, roundness, and how far it is cut off."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from tools.crop import Crop
from tools.masks import components
from tools.surface import corners
from tools.volume import Region

_SMOOTH = 1.0
_PAD = 5


def shape(crop: Crop, depth: NDArray[np.float64]) -> dict[str, float]:
    """Features of shape, scaled; `depth` holds mm below the surface for every voxel of the mask, shape (n,)."""
    step = crop.spacing
    volume = float(np.count_nonzero(crop.mask)) * step**3
    long, middle, short = _axes(crop.mask, step)
    area = surface_area(crop.mask, step)
    sphere = math.pi ** (1 / 3) * (6 * volume) ** (2 / 3)
    radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
    first, second, third = (slice(0, n) for n in crop.mask.shape)
    hull = ConvexHull(corners(Region((first, second, third), crop.mask)) * step).volume
    parts = np.bincount(components(crop.mask).ravel())[1:]
    return {
        "volume": (math.log10(volume) - 4.0) / 1.0,
        "long_axis": math.log2(long / 30.0),
        "middle_axis": math.log2(middle / 25.0),
        "short_axis": math.log2(short / 20.0),
        "elongation": (middle / long - 0.75) / 0.15,
        "flatness": (short / long - 0.6) / 0.15,
        "sphericity": (sphere / area - 0.8) / 0.15,
        "surface_ratio": math.log2(area * radius / (3 * volume)) / 0.5,
        "solidity": (volume / hull - 0.85) / 0.1,
        "ellipsoid_fill": (volume / (math.pi / 6 * long * middle * short) - 0.95) / 0.1,
        "inscribed": (float(depth.max()) / radius - 0.7) / 0.2,
        "mean_depth": (float(depth.mean()) / radius - 0.22) / 0.06,
        "parts": math.log2(len(parts)) / 2.0,
        "largest_part": (float(parts.max()) / float(parts.sum()) - 1.0) / 0.25,
        "truncated": float(crop.truncated),
        "outside": crop.outside / 0.5,
    }


def surface_area(mask: NDArray[np.bool_], step: float) -> float:
    """Surface in mm²: total variation of the smoothed mask, which hardly depends on how the grid lies."""
    soft = ndimage.gaussian_filter(np.pad(mask, _PAD).astype(np.float32), _SMOOTH)
    squares = sum(np.square(one) for one in np.gradient(soft))
    return float(np.sqrt(squares).sum(dtype=np.float64)) * step**2


def _axes(mask: NDArray[np.bool_], step: float) -> list[float]:
    """Axes in mm of the ellipsoid with the mask's second moments, longest first."""
    points = np.argwhere(mask) * step
    away = points - points.mean(axis=0)
    # A voxel is not a point: its own extent keeps the axes of a single one from being 0.
    moments = away.T @ away / len(away) + np.eye(3) * step**2 / 12
    return [2 * math.sqrt(5 * value) for value in np.linalg.eigvalsh(moments)[::-1].tolist()]
