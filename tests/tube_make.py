"""Vessels of known course with lesions of known contact, painted on any grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.case_make import affine_of, case_of
from tools.base import Case
from tools.volume import FloatArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Tube:
    """A tube through the world's origin: straight, or an arc of a circle that has its tangent there.

    Attributes:
        radius: mm.
        direction: direction at the origin.
        side: a vector across it, towards the lesion; made perpendicular.
        bend: radius in mm of the circle of its centreline, None for a straight one; it bends away from
            `side` × `direction`, so that the lesion's plane holds the whole centreline.
    """

    radius: float
    direction: Sequence[float] = (0, 0, 1)
    side: Sequence[float] = (1, 0, 0)
    bend: float | None = None

    def axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Unit vectors along, towards the lesion, and across both."""
        along = np.asarray(self.direction, dtype=np.float64)
        along /= np.linalg.norm(along)
        side = np.asarray(self.side, dtype=np.float64)
        side -= (side @ along) * along
        side /= np.linalg.norm(side)
        return along, side, np.cross(along, side)

    def coordinates(self, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of world points (…, 3): mm along the tube, mm towards the lesion's side, mm across both, from its centre."""
        along, side, across = self.axes()
        a, s, c = points @ along, points @ side, points @ across
        if self.bend is None:
            return a, s, c
        reach = np.hypot(a, self.bend + c)
        return self.bend * np.arctan2(a, self.bend + c), s, reach - self.bend


@dataclass(frozen=True)
class Slab:
    """A lesion that fills all that lies beyond a plane along the tube, over a length."""

    tube: Tube
    degrees: float
    length: float = 16.0
    gap: float = 0.0

    def inside(self, points: FloatArray) -> BoolArray:
        """Which world points lie in it, the tube left out."""
        along, side, across = self.tube.coordinates(points)
        height = self.tube.radius * np.cos(np.radians(self.degrees / 2)) + self.gap
        if self.degrees == 360:
            height = -self.tube.radius - 5.0
        within = (np.abs(along) <= self.length / 2) & (side >= height) & (np.hypot(side, across) <= 18.0)
        return np.asarray(within & (np.hypot(side, across) > self.tube.radius))


@dataclass(frozen=True)
class Ball:
    """A round lesion beside or around the tube, the tube left out."""

    tube: Tube
    degrees: float
    radius: float = 10.0

    def inside(self, points: FloatArray) -> BoolArray:
        """Which world points lie in it."""
        r, big, cosine = self.tube.radius, self.radius, np.cos(np.radians(self.degrees / 2))
        # where circles of both radii meet at that angle
        offset = 0.0 if self.degrees == 360 else r * cosine + np.sqrt(big**2 - r**2 * (1 - cosine**2))
        _, side, across = self.tube.coordinates(points)
        centre = offset * self.tube.axes()[1]
        ball = np.linalg.norm(points - centre, axis=-1) <= big
        return np.asarray(ball & (np.hypot(side, across) > r))


def grid_for(
    spacing: Sequence[float], *, turn: Sequence[float] = (0, 0, 0), shear: float = 0.0,
    centre: Sequence[float] = (0.0, 0.0, 0.0), extent: float = 48.0,
) -> tuple[tuple[int, int, int], FloatArray]:  # fmt: skip
    """Shape and affine of a grid of so many mm around a point."""
    i, j, k = (int(np.ceil(extent / step)) for step in spacing)
    return (i, j, k), affine_of(spacing, (i, j, k), turn=turn, shear=shear, centre=centre)


def tube_case(tube: Tube, lesions: Sequence[Slab | Ball], shape: tuple[int, int, int], affine: FloatArray) -> Case:
    """A case with the tube as the superior mesenteric artery, and all lesions as one class of pancreatic tumours."""
    layer = tube_labels(tube, lesions, shape, affine)
    return case_of(
        np.zeros(shape, np.int16), layer, affine, {"superior_mesenteric_artery": 1, "pancreas_tumor": 2, "pancreas": 3}
    )


def tube_labels(
    tube: Tube, lesions: Sequence[Slab | Ball], shape: tuple[int, int, int], affine: FloatArray
) -> NDArray[np.uint8]:
    """Label map: the tube is 1, lesions are 2."""
    points = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) @ affine[:3, :3].T
    points = points + affine[:3, 3]
    along, side, across = tube.coordinates(points)
    labels = np.zeros(shape, np.uint8)
    for one in lesions:
        labels[one.inside(points)] = 2
    labels[(np.hypot(side, across) <= tube.radius) & (np.abs(along) <= 22.0)] = 1
    return labels
