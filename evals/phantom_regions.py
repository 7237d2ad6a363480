"""Where the regions of organs begin and end: liver segments, thirds of the pancreas and kidneys, lobes of the lungs.

The liver is divided as Couinaud did: by the planes of its three hepatic veins and the level of the portal bifurcation,
with the caudate lobe between vena cava and portal vein. The pancreas is divided at the left borders of the superior
mesenteric vein and of the aorta (AJCC, 8th edition), the kidney into thirds along its own longest axis.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from evals.phantom_patient import Patient
from evals.phantom_shapes import Array, Lattice
from evals.phantom_tissue import CLASSES, LESION_CLASSES, PART_ORGANS, PARTS

Floats = NDArray[np.floating]
Values = NDArray[np.uint8]
CAVA = (21.0, 10.0)
"""Nominal x and y of the vena cava behind the liver: the axis on which the planes of the hepatic veins meet."""
RIGHT_VEIN, MIDDLE_VEIN, LEFT_VEIN = 14.0, 59.0, 90.0
"""Degrees of the planes of the hepatic veins about that axis, from the patient's right to the front."""
PORTAL_RIGHT, PORTAL_LEFT = 90.0, 100.0
"""Nominal z of the right portal vein, which parts segments 5 and 6 from 8 and 7, and of the left, 3 from 2."""
CAUDATE = ((9.0, 31.0, 99.0), (24.0, 19.0, 27.0))
"""Nominal centre and half axes of the ellipsoid that holds the caudate lobe."""
SMV_LEFT, AORTA_LEFT = 1.5, -21.0
"""Nominal x of the left borders of the superior mesenteric vein and the aorta."""
POLES = ("lower_pole", "interpolar", "upper_pole")
INSIDE: Mapping[str, tuple[int, ...]] = {
    organ: (CLASSES[organ], *(CLASSES[name] for name, own in LESION_CLASSES.items() if own == organ))
    for organ in dict.fromkeys(PART_ORGANS.values())
}
"""Label values that belong to an organ with parts, lesions included."""


def liver_segment(x: Floats, y: Floats, z: Floats) -> Values:
    """Segment number (1 to 8) of points in nominal mm."""
    angle = np.degrees(np.arctan2(y - CAVA[1], x - CAVA[0]))
    angle = np.where(angle < -120, angle + 360, angle)
    center, radii = CAUDATE
    caudate = sum(((axis - c) / r) ** 2 for axis, c, r in zip((x, y, z), center, radii, strict=True)) < 1
    high = z > PORTAL_RIGHT
    return np.select(
        [caudate, angle < RIGHT_VEIN, angle < MIDDLE_VEIN, angle < LEFT_VEIN],
        [np.uint8(1), np.where(high, 7, 6), np.where(high, 8, 5), np.uint8(4)],
        np.where(z > PORTAL_LEFT, 2, 3),
    ).astype(np.uint8)


def pancreas_part(x: Floats) -> Values:
    """Value in `PARTS` of the part of the pancreas at nominal x."""
    return np.select(
        [x > SMV_LEFT, x > AORTA_LEFT], [PARTS["pancreas_head"], PARTS["pancreas_body"]], PARTS["pancreas_tail"]
    ).astype(np.uint8)


def lung_lobe(y: Floats, z: Floats, side: str) -> Values:
    """Value in `PARTS` of the lobe at nominal y and z: an oblique fissure, on the right a horizontal one too."""
    front = y > 52 - 0.55 * (z - 140)
    upper = PARTS[f"lung_upper_lobe_{side}"]
    ahead = np.where(z > 172, upper, PARTS["lung_middle_lobe_right"]) if side == "right" else upper
    return np.where(front, ahead, PARTS[f"lung_lower_lobe_{side}"]).astype(np.uint8)


def parts_of(organ: str, x: Floats, y: Floats, z: Floats) -> Values:
    """Value in `PARTS` at points in nominal mm, wherever they are, as parts of an organ."""
    if organ == "liver":
        return liver_segment(x, y, z)
    if organ == "pancreas":
        return pancreas_part(x)
    return lung_lobe(y, z, organ.rsplit("_", 1)[1])


def part_values(patient: Patient, lattice: Lattice, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Parts of the labelled voxels of a lattice, 0 where there are none; lesions belong to their organ's parts.

    Args:
        patient: the patient.
        lattice: its points.
        labels: (i, j, k) labels on it.
    """
    parts = np.zeros(labels.shape, dtype=np.uint8)
    for organ, values in INSIDE.items():
        wanted = np.zeros(256, dtype=bool)
        wanted[list(values)] = True
        at = np.flatnonzero(wanted[labels])
        if at.size:
            x, y, z = nominal(patient, lattice, at)
            parts.reshape(-1)[at] = parts_of(organ, x, y, z)
    return parts


def nominal(patient: Patient, lattice: Lattice, at: NDArray[np.intp] | slice) -> tuple[Array, Array, Array]:
    """Nominal mm of lattice points, given by flat index: without the patient's own size and shape."""
    x, y, z = (axis.reshape(-1)[at] / np.float32(patient.scale) for axis in lattice.points)
    return x, y, z


def thirds(points: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.intp]:
    """Thirds of a solid along its longest axis, 0 at the feet end.

    Args:
        points: (n, 3) mm, points to sort.
        among: (m, 3) mm, points that fill the solid.
    """
    middle = among.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((among - middle).T))
    axis = vectors[:, -1] * (1 if vectors[2, -1] >= 0 else -1)
    along = (among - middle) @ axis
    low, high = float(along.min()), float(along.max())
    share = ((points - middle) @ axis - low) / max(high - low, 1e-9)
    return np.asarray(np.clip((share * 3).astype(np.intp), 0, 2))
