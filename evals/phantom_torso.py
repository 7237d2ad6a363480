"""The trunk: outline, abdominal cavity, diaphragm and lungs, as solids in patient mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evals.phantom_shapes import Array, Field, Lattice, Vector, power


@dataclass(frozen=True)
class Column:
    """A column along the body axis with a superelliptic cross-section that changes with height.

    Attributes:
        heights: mm along the body axis at which the profile is given (feet to head).
        half_widths, half_depths, centers: mm left-right, mm front-back, mm of the middle front-back.
        exponent: 2 is an ellipse, larger is boxier.
    """

    heights: tuple[float, ...]
    half_widths: tuple[float, ...]
    half_depths: tuple[float, ...]
    centers: tuple[float, ...]
    exponent: float = 2.5

    def field(self, lattice: Lattice) -> Field | None:
        """See `Shape.field`; the column has no ends."""
        x, y, _ = lattice.points
        a, b, c = (
            np.interp(lattice.open()[2], self.heights, values).astype(np.float32)
            for values in (self.half_widths, self.half_depths, self.centers)
        )
        u, v, height = np.abs(x) / a, np.abs(y - c) / b, y - c
        # First-order form of the superellipse's radius: the same surface, without a costly root.
        excess = (power(u, self.exponent) + power(v, self.exponent) - 1) / np.float32(self.exponent)
        slope = np.sqrt((u / a) ** 2 + (v / b) ** 2)
        norm = np.sqrt(u**2 + v**2)
        distance = excess * np.where(slope > 1e-6, norm / np.maximum(slope, 1e-6), b)
        whole = (slice(0, lattice.shape[0]), slice(0, lattice.shape[1]), slice(0, lattice.shape[2]))
        return Field(whole, distance.astype(np.float32), height)

    def scaled(self, volume_ratio: float) -> Column:
        """See `Shape.scaled`."""
        f = float(np.sqrt(volume_ratio))
        return Column(
            self.heights,
            tuple(w * f for w in self.half_widths),
            tuple(d * f for d in self.half_depths),
            self.centers,
            self.exponent,
        )

    def outline(self, height: float, angle: float, inset: float) -> Vector:
        """Point on the outline at a height, `angle` rad from the back towards the right, `inset` mm inside."""
        a, b, c = (
            float(np.interp(height, self.heights, values))
            for values in (self.half_widths, self.half_depths, self.centers)
        )
        sine, cosine = np.sin(angle), np.cos(angle)
        p = self.exponent
        reach = (abs(sine / (a - inset)) ** p + abs(cosine / (b - inset)) ** p) ** (-1 / p)
        return (float(reach * sine), float(c - reach * cosine), height)


@dataclass(frozen=True)
class Diaphragm:
    """Two domes; the solid is everything below them.

    Attributes:
        tops: mm height of the right and left dome.
        drop: mm from dome to rim.
        scale: size of the patient relative to the nominal one.
    """

    tops: tuple[float, float]
    drop: float
    scale: float = 1.0

    def field(self, lattice: Lattice) -> Field | None:
        """See `Shape.field`."""
        x, y, z = lattice.points
        s = np.float32(self.scale)
        rho = ((np.abs(x) / s - 62) / 84) ** 2 + ((y / s - 24) / 98) ** 2
        rho = np.minimum(rho, np.float32(1.1))
        blend = 1 / (1 + np.exp(-np.clip(x / 12, -30, 30)))
        top = np.float32(self.tops[1]) + np.float32(self.tops[0] - self.tops[1]) * blend
        distance = (z - (top - np.float32(self.drop) * power(rho, 1.5))) / np.float32(1.4)
        whole = (slice(0, lattice.shape[0]), slice(0, lattice.shape[1]), slice(0, lattice.shape[2]))
        return Field(whole, distance.astype(np.float32), z)

    def scaled(self, volume_ratio: float) -> Diaphragm:
        """See `Shape.scaled`: a diaphragm has no volume."""
        return self


@dataclass(frozen=True)
class Lung:
    """The part of the chest above the diaphragm on one side.

    Attributes:
        chest: inner outline of the chest.
        diaphragm: its lower border.
        side: +1 right, −1 left.
        medial: mm from the midline to the mediastinum.
    """

    chest: Column
    diaphragm: Diaphragm
    side: int
    medial: float

    def field(self, lattice: Lattice) -> Field | None:
        """See `Shape.field`."""
        chest, below = lattice.once(self.chest), lattice.once(self.diaphragm)
        if chest is None or below is None:
            return None
        x, y, _ = lattice.points
        # The lungs reach behind the heart towards the spine, and stay off the midline in front.
        border = np.float32(self.medial) + 8 * np.tanh((y - 20) / 30).astype(np.float32)
        distance: Array = np.maximum(np.maximum(chest.distance, 2.0 - below.distance), border - self.side * x)
        return Field(chest.box, distance, chest.height)

    def scaled(self, volume_ratio: float) -> Lung:
        """See `Shape.scaled`: lungs fill what the chest leaves them."""
        return self
