"""A large synthetic scan for benchmarks of measuring: 60 structures and 40 lesions in a trunk, made in seconds.

Ellipsoids and arcs of about the sizes and places of an adult's organs, so that masks fill their boxes to the usual
share and the boxes overlap. It looks like no patient and has no exact truth: for that there is the phantom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.base import Case
from tools.volume import Grid, LabelSet, Orientation, Scan, ScanHeader

FULL = (512, 512, 400)
FIELD_MM = (410.0, 410.0, 600.0)
"""Extent of the scan: the voxel size follows from the number of voxels."""
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Solid:
    """A structure: an ellipsoid, or with `arc` a rib (the shell of an elliptic cylinder that descends to the front).

    Attributes:
        name: canonical identifier.
        center: mm from the middle of the scan, RAS+.
        radii: mm.
        hu: mean attenuation.
        arc: side of a rib, +1 right, −1 left, else 0.
    """

    name: str
    center: Triple
    radii: Triple
    hu: float
    arc: int = 0


_ORGANS = (
    Solid("lung_upper_lobe_right", (80, 10, 215), (62, 85, 75), -840),
    Solid("lung_middle_lobe_right", (82, 45, 150), (55, 48, 45), -840),
    Solid("lung_lower_lobe_right", (80, -45, 135), (58, 50, 85), -840),
    Solid("lung_upper_lobe_left", (-80, 15, 200), (58, 82, 90), -840),
    Solid("lung_lower_lobe_left", (-80, -45, 135), (55, 50, 85), -840),
    Solid("heart", (-18, 45, 130), (55, 48, 58), 140),
    Solid("liver", (62, 25, 40), (95, 80, 62), 108),
    Solid("spleen", (-105, -25, 42), (32, 48, 52), 120),
    Solid("stomach", (-58, 45, 30), (50, 55, 50), 30),
    Solid("pancreas", (-12, 30, 5), (62, 18, 20), 92),
    Solid("gallbladder", (55, 65, 2), (16, 18, 30), 9),
    Solid("kidney_right", (70, -35, -25), (28, 30, 55), 185),
    Solid("kidney_left", (-70, -35, -15), (28, 30, 55), 185),
    Solid("adrenal_gland_right", (38, -20, 28), (9, 12, 16), 62),
    Solid("adrenal_gland_left", (-40, -18, 32), (9, 12, 16), 62),
    Solid("duodenum", (35, 35, -20), (22, 24, 42), 40),
    Solid("small_bowel", (0, 50, -95), (95, 50, 70), 40),
    Solid("colon", (0, 70, -110), (120, 32, 110), 20),
    Solid("urinary_bladder", (0, 25, -235), (45, 38, 34), 8),
    Solid("esophagus", (-8, -18, 185), (10, 10, 100), 45),
    Solid("aorta", (-14, -22, 40), (12, 12, 240), 158),
    Solid("inferior_vena_cava", (16, -12, 10), (12, 12, 190), 142),
    Solid("portal_vein", (28, 22, 22), (34, 9, 12), 172),
    Solid("superior_mesenteric_vein", (8, 28, -40), (7, 7, 58), 165),
    Solid("superior_mesenteric_artery", (-8, 18, -38), (6, 6, 62), 160),
    Solid("iliopsoas_right", (42, -25, -150), (26, 28, 105), 62),
    Solid("iliopsoas_left", (-42, -25, -150), (26, 28, 105), 62),
    Solid("autochthon_right", (35, -85, 0), (28, 22, 260), 60),
    Solid("autochthon_left", (-35, -85, 0), (28, 22, 260), 60),
    Solid("spinal_cord", (0, -78, 20), (8, 8, 270), 35),
    Solid("sacrum", (0, -65, -215), (50, 22, 52), 240),
    Solid("hip_right", (92, -20, -215), (24, 58, 62), 300),
    Solid("hip_left", (-92, -20, -215), (24, 58, 62), 300),
)
_SPINE = [(f"vertebrae_L{n}", -95.0 + 36 * (4 - n)) for n in range(5, 0, -1)]
_SPINE += [(f"vertebrae_T{n}", 49.0 + 27 * (12 - n)) for n in range(12, 4, -1)]
_BONES = tuple(Solid(name, (0, -45, z), (26, 22, 13.5), 260) for name, z in _SPINE)
_RIBS = tuple(
    Solid(f"rib_{side}_{n}", (0, 0, 60.0 + 30 * (12 - n)), (165, 118, 7), 420, sign)
    for n in range(12, 5, -1)
    for side, sign in (("right", 1), ("left", -1))
)
STRUCTURES = _ORGANS + _BONES + _RIBS
_LESIONS = (
    ("liver_metastasis", "liver", 14, 62.0),
    ("liver_cyst", "liver", 6, 6.0),
    ("pancreas_tumor", "pancreas", 1, 55.0),
    ("kidney_cyst_right", "kidney_right", 4, 7.0),
    ("kidney_cyst_left", "kidney_left", 4, 7.0),
    ("lung_tumor_right", "lung_lower_lobe_right", 5, 40.0),
    ("lung_tumor_left", "lung_upper_lobe_left", 5, 40.0),
    ("spleen_lesion", "spleen", 1, 70.0),
)
"""Class, the organ that it lies in, how many of it, and HU: 40 in all."""


@dataclass(frozen=True)
class Large:
    """A large scan with its labels.

    Attributes:
        hu: (i, j, k) int16.
        labels: (i, j, k) uint8.
        affine: (4, 4) voxel → world mm, RAS+.
        names: structure or lesion class → label value.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]
    names: dict[str, int]

    def case(self, only: list[str] | None = None) -> Case:
        """A fresh case, with nothing known of it yet; with `only`, just these names are declared."""
        shape = (self.hu.shape[0], self.hu.shape[1], self.hu.shape[2])
        grid = Grid(shape, self.affine)
        order = Orientation(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), shape)
        entries: dict[str, tuple[tuple[int, int], ...]] = {
            name: ((0, value),) for name, value in self.names.items() if only is None or name in only
        }
        labels = LabelSet(grid, (self.labels,), entries)
        return Case(scan=Scan(self.hu, grid, order, ScanHeader("nifti")), labels=labels)


def lesion_classes() -> list[str]:
    """Names of the lesion classes."""
    return [name for name, *_ in _LESIONS]


def make_large(shape: tuple[int, int, int] = FULL, seed: int = 1) -> Large:
    """Make the scan; equal arguments give equal voxels.

    Args:
        shape: number of voxels; the field of view stays.
        seed: of lesions and noise.
    """
    rng = np.random.default_rng(seed)
    spacing = np.array(FIELD_MM) / shape
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
    labels = np.zeros(shape, np.uint8)
    values = np.full(256, -100.0, np.float32)
    names: dict[str, int] = {}
    for number, solid in enumerate(STRUCTURES, start=1):
        names[solid.name], values[number] = number, solid.hu
        for box, inside in _painted(solid, affine, shape):
            labels[box][inside] = number
    for number, (name, host, count, hu) in enumerate(_LESIONS, start=len(STRUCTURES) + 1):
        names[name], values[number] = number, hu
        _seed_lesions(labels, names[host], number, count, affine, rng)
    return Large(_attenuation(labels, values, rng), labels, affine, names)


def _painted(
    solid: Solid, affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> Iterator[tuple[tuple[slice, ...], NDArray[np.bool_]]]:
    """The box of a solid and which of its voxels lie inside; nothing where it lies outside of the scan."""
    center, radii = np.array(solid.center), np.array(solid.radii)
    reach = radii + np.array([0, 0, 40 if solid.arc else 0])
    low = np.clip(np.floor((center - reach - affine[:3, 3]) / np.diag(affine)[:3]), 0, shape).astype(int)
    high = np.clip(np.ceil((center + reach - affine[:3, 3]) / np.diag(affine)[:3]) + 1, 0, shape).astype(int)
    if (low >= high).any():
        return
    x, y, z = np.ix_(*(affine[a, 3] + affine[a, a] * np.arange(low[a], high[a]) - center[a] for a in range(3)))
    if solid.arc:
        ring = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2)
        inside = (np.abs(ring - 0.96) < 0.04) & (np.abs(z + 0.3 * y) < radii[2]) & (x * solid.arc > 20) & (y < 80)
    else:
        inside = (x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2 <= 1
    yield tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), inside


def _seed_lesions(
    labels: NDArray[np.uint8], host: int, number: int, count: int, affine: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Paint lesions of 8 to 40 mm into an organ."""
    spacing = np.diag(affine)[:3]
    places = np.argwhere(labels == host)
    for index in rng.choice(len(places), count, replace=False):
        at = places[index]
        radii = rng.uniform(4, 20) * rng.uniform(0.7, 1.0, 3)
        solid = Solid("", tuple(affine[:3, 3] + at * spacing), tuple(radii), 0.0)
        for box, inside in _painted(solid, affine, labels.shape):
            labels[box][inside & (labels[box] == host)] = number


def _attenuation(labels: NDArray[np.uint8], values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int16]:
    """HU of every voxel with noise, and air around an elliptic trunk, slice by slice."""
    hu = np.empty(labels.shape, np.int16)
    u, v = (np.linspace(-1, 1, n, dtype=np.float32) for n in labels.shape[:2])
    air = (u[:, None] / 0.92) ** 2 + (v[None, :] / 0.68) ** 2 > 1
    for k in range(labels.shape[2]):
        slice_hu = values[labels[:, :, k]]
        slice_hu[air & (labels[:, :, k] == 0)] = -1000
        hu[:, :, k] = np.rint(slice_hu + 12 * rng.standard_normal(air.shape, dtype=np.float32))
    return hu
