"""Spine and ribs of the phantom."""

from __future__ import annotations

import numpy as np

from evals.phantom_anatomy import RIBS, SPINE, LayerSpec, solid
from evals.phantom_shapes import Blob, Compound, Shape, Tube
from evals.phantom_torso import Column

Piece = tuple[str | None, Shape, tuple[LayerSpec, ...]]
"""Class name or None, solid, and what it is made of."""


def spine(scale: float) -> list[Piece]:
    """The vertebrae with discs and spinal cord, `scale` times the nominal size."""
    bone = (LayerSpec("cortical_bone"), LayerSpec("marrow", 2.0))
    at = [(0.0, y * scale, z * scale) for _, y, z in SPINE]
    ends = ((0.0, at[0][1] - 12, at[0][2] - 26), *at, (0.0, at[-1][1] - 2, at[-1][2] + 60))
    parts: list[Piece] = [(None, Tube(ends, (17.0 * scale,) * len(ends)), solid("disc"))]
    for (name, _, _), (_, y, z) in zip(SPINE, at, strict=True):
        s = scale * (1.0 if name.startswith("vertebrae_L") else 0.88)
        pieces: list[Blob | Tube] = [Blob((0, y, z), (24 * s, 18 * s, 14 * s), exponent=3.2)]
        for side in (-1, 1):
            pieces += [
                Tube(((side * 12 * s, y - 12 * s, z + 3), (side * 15 * s, y - 34 * s, z)), (5.5 * s, 6 * s)),
                Tube(((side * 15 * s, y - 34 * s, z), (0, y - 46 * s, z - 4)), (5.5 * s, 5 * s)),
                Tube(((side * 15 * s, y - 31 * s, z), (side * 42 * s, y - 38 * s, z)), (4.5 * s, 3.6 * s)),
            ]
        pieces.append(Tube(((0, y - 46 * s, z - 4), (0, y - 70 * s, z - 9)), (4.2 * s, 5 * s)))
        parts.append((name, Compound(tuple(pieces)), bone))
    canal = tuple((0.0, y - 28 * scale, z) for _, y, z in ends)
    parts.append(("spinal_cord", Tube(canal, (8.0 * scale,) * len(canal)), solid("nerve")))
    return parts


def ribs(cavity: Column, scale: float) -> list[Piece]:
    """The lower ribs around the abdominal cavity."""
    bone = (LayerSpec("cortical_bone"), LayerSpec("marrow", 2.2))
    parts: list[Piece] = []
    for side, sign in (("right", 1.0), ("left", -1.0)):
        for number, height, reach, descent in RIBS:
            course = []
            for t in np.linspace(0, 1, 9):
                angle = np.radians(14 + (reach - 14) * t)
                level = (height - descent * t) * scale
                inside = np.asarray(cavity.outline(level, float(angle), -4.5))
                x, y, z = inside
                course.append((float(sign * x), float(y), float(z)))
            parts.append((f"rib_{side}_{number}", Tube(tuple(course), (4.6 * scale,) * 9), bone))
    return parts
