"""Where the vessels run in a patient, and how much of their circumference something touches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.phantom_patient import Patient
from evals.phantom_shapes import Tube, Warp
from evals.phantom_tissue import VESSELS

Floats = NDArray[np.float64]
STEP_MM = 1.0
"""Mm between the sections in which contact is looked for."""
RAYS = 72
"""Directions in a section."""


@dataclass(frozen=True)
class Course:
    """Sections of one tube.

    Attributes:
        points: (m, 3) patient mm of the centreline.
        radii: (m,) mm.
        rays: (m, RAYS, 3) unit vectors across the centreline.
    """

    points: Floats
    radii: Floats
    rays: Floats

    def walls(self, beyond: float = 0.0) -> Floats:
        """Points `beyond` mm outside of the wall, shape (m, RAYS, 3)."""
        return np.asarray(self.points[:, None] + (self.radii[:, None, None] + beyond) * self.rays)


def vessel_courses(patient: Patient) -> dict[str, tuple[Course, ...]]:
    """Courses of the patient's vessels by class, in patient mm as the scan shows them."""
    found: dict[str, tuple[Course, ...]] = {}
    for part in patient.parts:
        if part.name in VESSELS and isinstance(part.shape, Tube):
            found[part.name] = (*found.get(part.name, ()), _course(part.shape, patient.warps))
    return found


def unwarped(points: Floats, warps: tuple[Warp, ...]) -> Floats:
    """Patient mm (n, 3) at which the warps show what lies at `points` in the ideal patient."""
    at = points.copy()
    for _ in range(12):
        moved = np.zeros_like(at)
        for warp in warps:
            waves = [np.sin(warp.k[a] * at[:, a] + warp.phase[a]) for a in range(3)]
            moved[:, warp.axis] += warp.amplitude * waves[0] * waves[1] * waves[2]
        at = points - moved
    return at


def _course(tube: Tube, warps: tuple[Warp, ...]) -> Course:
    pieces = tube.pieces()
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(pieces[:, :3], axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], max(3, int(np.ceil(lengths[-1] / STEP_MM)) + 1))
    curve = np.column_stack([np.interp(at, lengths, pieces[:, a]) for a in range(4)])
    points = unwarped(curve[:, :3], warps)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    aside = np.cross(along, np.where(np.abs(along[:, 2:]) < 0.8, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    up = np.cross(along, aside)
    rays = np.cos(angles)[None, :, None] * aside[:, None] + np.sin(angles)[None, :, None] * up[:, None]
    return Course(points, curve[:, 3], rays)


def contact(
    courses: tuple[Course, ...], inside: Callable[[Floats], NDArray[np.bool_]], near: Floats, far: float
) -> float:
    """Largest part of a vessel's circumference, in degrees, that lies inside a solid in any section.

    Args:
        courses: tubes of the vessel.
        inside: whether points (…, 3) lie in the solid.
        near, far: sections whose centre is more than `far` mm from the point `near` are not looked at.
    """
    most = 0.0
    for course in courses:
        sections = np.linalg.norm(course.points - near, axis=1) <= far + course.radii
        if sections.any():
            most = max(most, float(inside(course.walls()[sections]).mean(axis=1).max()) * 360)
    return most
