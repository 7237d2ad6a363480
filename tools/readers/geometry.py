"""Checks of an affine that every format shares."""

from __future__ import annotations

import numpy as np

from agent.errors import ScanError
from tools.volume import FloatArray

SPACING_RANGE_MM = (0.02, 50.0)
"""Finer than any CT detector, coarser than any CT slice gap."""
_TILT_SEEN_DEGREES = 0.05


def plausible_spacing(spacing: FloatArray) -> bool:
    """Whether all spacings (mm) are finite and within what a CT can have."""
    low, high = SPACING_RANGE_MM
    return bool(np.isfinite(spacing).all() and (spacing >= low).all() and (spacing <= high).all())


def check_affine(affine: FloatArray, name: str) -> FloatArray:
    """Return the (4, 4) affine if it is finite and invertible.

    Raises:
        ScanError: if it has NaN, a zero column, or (nearly) coplanar axes.
    """
    columns = affine[:3, :3]
    norms = np.linalg.norm(columns, axis=0)
    if not np.isfinite(affine).all() or (norms <= 0).any():
        raise ScanError(f"'{name}' has an orientation matrix with zero or undefined spacing: export it again.")
    if abs(float(np.linalg.det(columns / norms))) < 1e-3:
        raise ScanError(f"'{name}' has a singular orientation matrix (axes in one plane): export it again.")
    return affine


def stack_tilt(affine: FloatArray) -> float:
    """Angle in degrees between the normal of the slices (axes 0 and 1) and their stacking direction (axis 2).

    Angles below 0.05 degrees are rounding of positions and give 0.
    """
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    step = affine[:3, 2]
    cosine = abs(float(normal @ step)) / float(np.linalg.norm(normal) * np.linalg.norm(step))
    angle = float(np.degrees(np.arccos(min(1.0, cosine))))
    return round(angle, 2) if angle >= _TILT_SEEN_DEGREES else 0.0
