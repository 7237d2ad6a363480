"""Smooth solids in millimetres, evaluated as signed distances on any lattice of points.

Every solid answers `field(lattice)`: the box of the lattice which it can touch, the distance in mm from its
surface (negative inside; near the surface accurate to first order, which is all that labelling and partial
volume need), and the height in mm above its own middle (for air-fluid levels of a patient lying on the back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float32]
Vector = tuple[float, float, float]
Box = tuple[slice, slice, slice]
FAR = np.float32(1e3)


class Wave(NamedTuple):
    """One smooth undulation: amplitude, wave vector and phase."""

    amplitude: float
    k: Vector
    phase: float


class Warp(NamedTuple):
    """A smooth displacement along one axis: amplitude in mm, wave numbers in 1/mm, phases in rad."""

    axis: int
    amplitude: float
    k: Vector
    phase: Vector


class Field(NamedTuple):
    """A solid on a lattice: box, signed distance in mm and height above its middle in mm."""

    box: Box
    distance: Array
    height: Array


class Lattice:
    """Points of a grid in patient mm, displaced by smooth warps; its slices may lean to the front or back.

    Args:
        origin: patient mm of the first point, before the slices lean.
        spacing: mm between points.
        shape: number of points per axis.
        warps: displacements that turn ideal solids into individual ones.
        slope: mm that a slice rises per mm to the front.
        pivot: patient y about which the slices lean.
    """

    def __init__(
        self,
        origin: Vector,
        spacing: Vector,
        shape: tuple[int, int, int],
        warps: Sequence[Warp] = (),
        *,
        slope: float = 0.0,
        pivot: float = 0.0,
    ) -> None:
        self.origin, self.spacing, self.shape = origin, spacing, shape
        reach = np.zeros(3)
        self.axes = [
            (origin[a] + spacing[a] * np.arange(shape[a], dtype=np.float64)).astype(np.float32) for a in range(3)
        ]
        self.slope, self.pivot = slope, pivot
        open_axes = self.open()
        moved = [np.broadcast_to(axis, shape).copy() for axis in open_axes]
        for warp in warps:
            waves = [np.sin(warp.k[a] * open_axes[a] + warp.phase[a]).astype(np.float32) for a in range(3)]
            moved[warp.axis] += np.float32(warp.amplitude) * waves[0] * waves[1] * waves[2]
            reach[warp.axis] += abs(warp.amplitude)
        self.points = moved
        self._known: dict[int, tuple[Shape, Field | None]] = {}
        self.margin = reach + 2.0 * np.asarray(spacing)

    def open(self, box: Box | None = None) -> tuple[Array, Array, Array]:
        """x, y and z of the points (of a box of them), not warped, in shapes that broadcast to all of them."""
        parts = box or (slice(None), slice(None), slice(None))
        x, y, z = np.ix_(*(axis[part] for axis, part in zip(self.axes, parts, strict=True)))
        if self.slope:
            z = z + np.float32(self.slope) * (y - np.float32(self.pivot))
        return x, y, z

    def once(self, shape: Shape) -> Field | None:
        """The shape's field on this lattice, computed once however often it is asked for."""
        if id(shape) not in self._known:
            self._known[id(shape)] = (shape, shape.field(self))
        return self._known[id(shape)][1]

    def box(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> Box | None:
        """Slices of all points that can lie between two patient corners, None where there are none."""
        slices: list[slice] = []
        for a in range(3):
            least, most = low[a] - self.margin[a], high[a] + self.margin[a]
            if a == 2 and self.slope:
                rises = [self.slope * (self.axes[1][row] - self.pivot) for row in (slices[1].start, slices[1].stop - 1)]
                least, most = least - max(rises), most - min(rises)
            first = int(np.ceil((least - self.origin[a]) / self.spacing[a]))
            last = int(np.floor((most - self.origin[a]) / self.spacing[a]))
            first, last = max(first, 0), min(last, self.shape[a] - 1)
            if first > last:
                return None
            slices.append(slice(first, last + 1))
        return (slices[0], slices[1], slices[2])


class Shape(Protocol):
    """A solid in patient mm."""

    def field(self, lattice: Lattice) -> Field | None:
        """Distance from the surface on the part of the lattice that the solid can touch."""

    def scaled(self, volume_ratio: float) -> Shape:
        """The same solid with about `volume_ratio` times the volume."""


def rotation(degrees: Vector) -> NDArray[np.float64]:
    """Matrix (3, 3) that turns about x, then y, then z by the given degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def power(base: NDArray[Any], exponent: float) -> NDArray[Any]:
    """`base` (not negative) to a power; multiples of a half take the fast way through products and a root."""
    if exponent * 2 != int(exponent * 2) or exponent > 4:
        return np.asarray(base ** np.float32(exponent))
    result = np.sqrt(base) if exponent % 1 else np.ones_like(base)
    for _ in range(int(exponent)):
        result = result * base
    return np.asarray(result)


@dataclass(frozen=True)
class Blob:
    """A superellipsoid whose radius undulates smoothly with direction.

    Attributes:
        center, radii: mm.
        degrees: rotation about x, y, z.
        exponent: 2 is an ellipsoid, larger is boxier.
        waves: undulations of the relative radius; wave vectors act on the unit sphere.
    """

    center: Vector
    radii: Vector
    degrees: Vector = (0.0, 0.0, 0.0)
    exponent: float = 2.0
    waves: tuple[Wave, ...] = ()

    def field(self, lattice: Lattice) -> Field | None:
        """See `Shape.field`."""
        turn = rotation(self.degrees)
        grow = 1.0 + sum(abs(wave.amplitude) for wave in self.waves)
        radii, center = np.asarray(self.radii), np.asarray(self.center)
        reach = grow * np.abs(turn) @ radii
        box = lattice.box(center - reach, center + reach)
        if box is None:
            return None
        delta = [lattice.points[a][box] - np.float32(center[a]) for a in range(3)]
        q = [sum(np.float32(turn[a, b] / radii[b]) * delta[a] for a in range(3)) + np.float32(0) for b in range(3)]
        squares = q[0] ** 2 + q[1] ** 2 + q[2] ** 2
        norm = np.sqrt(squares)
        slope = np.sqrt(sum((q[b] / np.float32(radii[b])) ** 2 for b in range(3)))
        radius: Any = norm
        if self.exponent != 2.0:
            powers = sum(power(np.abs(axis), self.exponent) for axis in q)
            radius = powers ** np.float32(1 / self.exponent)
        surface: Any = np.float32(1)
        for wave in self.waves:
            argument = sum(np.float32(wave.k[b]) * q[b] for b in range(3)) + np.float32(wave.phase)
            surface = surface + np.float32(wave.amplitude) * np.sin(argument)
        mm = np.float32(min(radii))
        gain = np.where(slope > 1e-6, norm / np.maximum(slope, 1e-6), mm)
        return Field(box, ((radius - surface) * gain).astype(np.float32), delta[1])

    def scaled(self, volume_ratio: float) -> Blob:
        """See `Shape.scaled`."""
        f = volume_ratio ** (1 / 3)
        return replace(self, radii=(self.radii[0] * f, self.radii[1] * f, self.radii[2] * f))


@dataclass(frozen=True)
class Tube:
    """A tube around a smooth curve.

    Attributes:
        points: (n, 3) mm that the curve runs through; two points give a straight rod.
        radii: n radii in mm.
        ripple: relative waviness of the radius and its wavelength in mm.
        level: whether heights are wanted (they cost time); zero otherwise.
        step: least length in mm of the straight pieces; wide tubes have longer ones.
    """

    points: tuple[Vector, ...]
    radii: tuple[float, ...]
    ripple: tuple[float, float] = (0.0, 1.0)
    level: bool = False
    step: float = 9.0
    _pieces: list[NDArray[np.float64]] = field(default_factory=list, compare=False, repr=False)

    def pieces(self) -> NDArray[np.float64]:
        """Points and radii along the curve, shape (m, 4), computed once."""
        if not self._pieces:
            knots = np.column_stack([np.asarray(self.points), np.asarray(self.radii)])
            along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1))])
            step = max(self.step, 0.7 * min(self.radii))
            if self.ripple[0]:
                step = min(step, self.ripple[1] / 4)
            count = max(2, int(np.ceil(along[-1] / step)) + 1) if len(knots) > 2 else 2
            at = np.linspace(0.0, along[-1], count)
            curve = CubicSpline(along, knots)(at) if len(knots) > 2 else knots
            curve[:, 3] = np.interp(at, along, knots[:, 3])
            curve[:, 3] *= 1.0 + self.ripple[0] * np.sin(2 * np.pi * at / self.ripple[1])
            self._pieces.append(curve)
        return self._pieces[0]

    def field(self, lattice: Lattice) -> Field | None:
        """See `Shape.field`."""
        curve = self.pieces()
        low = np.minimum(curve[:-1, :3], curve[1:, :3]) - np.maximum(curve[:-1, 3:], curve[1:, 3:])
        high = np.maximum(curve[:-1, :3], curve[1:, :3]) + np.maximum(curve[:-1, 3:], curve[1:, 3:])
        whole = lattice.box(low.min(axis=0), high.max(axis=0))
        if whole is None:
            return None
        size = tuple(s.stop - s.start for s in whole)
        distance, height = np.full(size, FAR), np.zeros(size, dtype=np.float32)
        weight = np.full(size, np.float32(1e-9))
        for i in range(len(low)):
            box = lattice.box(low[i], high[i])
            if box is None:
                continue
            inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, whole, strict=True))
            start, radius = curve[i, :3], curve[i, 3]
            span, widen = curve[i + 1, :3] - start, curve[i + 1, 3] - radius
            delta = [lattice.points[a][box] - np.float32(start[a]) for a in range(3)]
            t = sum(np.float32(span[a] / max(span @ span, 1e-9)) * delta[a] for a in range(3))
            t = np.clip(t, np.float32(0), np.float32(1))
            off = [delta[a] - np.float32(span[a]) * t for a in range(3)]
            new = np.sqrt(off[0] ** 2 + off[1] ** 2 + off[2] ** 2) - np.float32(radius) - np.float32(widen) * t
            distance[inner] = np.minimum(distance[inner], new)
            if not self.level:
                continue
            # A blend over the neighbouring pieces keeps fluid levels level where the course turns.
            near = np.exp(-np.clip(new + np.float32(radius), 0, 60) / np.float32(8))
            weight[inner] += near
            height[inner] += near * off[1]
        return Field(whole, distance, (height / weight).astype(np.float32))

    def scaled(self, volume_ratio: float) -> Tube:
        """See `Shape.scaled`: the radius changes, the course stays."""
        f = float(np.sqrt(volume_ratio))
        return replace(self, radii=tuple(r * f for r in self.radii), _pieces=[])


@dataclass(frozen=True)
class Compound:
    """The union of several solids."""

    shapes: tuple[Blob | Tube, ...]

    def field(self, lattice: Lattice) -> Field | None:
        """See `Shape.field`."""
        fields = [found for shape in self.shapes if (found := shape.field(lattice)) is not None]
        if not fields:
            return None
        starts = [min(f.box[a].start for f in fields) for a in range(3)]
        stops = [max(f.box[a].stop for f in fields) for a in range(3)]
        size = [stops[a] - starts[a] for a in range(3)]
        distance, height = np.full(size, FAR), np.zeros(size, dtype=np.float32)
        for f in fields:
            inner = tuple(slice(f.box[a].start - starts[a], f.box[a].stop - starts[a]) for a in range(3))
            closer = f.distance < distance[inner]
            distance[inner] = np.where(closer, f.distance, distance[inner])
            height[inner] = np.where(closer, f.height, height[inner])
        slices = [slice(starts[a], stops[a]) for a in range(3)]
        return Field((slices[0], slices[1], slices[2]), distance, height)

    def scaled(self, volume_ratio: float) -> Compound:
        """See `Shape.scaled`."""
        return Compound(tuple(shape.scaled(volume_ratio) for shape in self.shapes))
