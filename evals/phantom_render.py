"""From patient to voxels: labels, partial volume, noise and artefacts, a slab of slices at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evals.phantom_lesions import Lesion, distance_on
from evals.phantom_patient import WALL, Part, Patient, bounded
from evals.phantom_regions import part_values
from evals.phantom_shapes import Array, Field, Lattice, Vector
from evals.phantom_site import paintable
from evals.phantom_tissue import CLASSES

SLAB_POINTS = 1_500_000
"""Points painted at once: bounds the memory whatever the size of the scan."""
HU_RANGE = (-1024, 3071)
OUTSIDE = -2000
"""HU outside the reconstruction circle."""
METAL_RADIUS = 4.0


def render(
    patient: Patient,
    lesions: tuple[Lesion, ...],
    tissue_hu: Mapping[str, float],
    *,
    origin: Vector,
    spacing: Vector,
    shape: tuple[int, int, int],
    metal: Vector | None = None,
    slope: float = 0.0,
    pivot: float = 0.0,
) -> Iterator[tuple[slice, Array, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Paint the patient slab by slab.

    Args:
        patient: the anatomy.
        lesions: painted over their organs and what yields to them.
        tissue_hu: HU by tissue.
        origin: patient mm of the first voxel's centre.
        spacing, shape: the voxel grid.
        metal: patient mm of a metal screw, None for none.
        slope, pivot: how the slices lean, see `Lattice`.

    Yields:
        The slab's slices, its noise-free HU (float32), its labels and its parts (uint8), of shape (i, j, slab).
    """
    # Thick slices average the tissue over their thickness: paint several thin ones, label the middle one.
    thin = int(np.ceil(spacing[2] / (1.5 * max(spacing[0], spacing[1]))))
    thin = min(thin + (thin + 1) % 2, 7)
    fine = (spacing[0], spacing[1], spacing[2] / thin)
    depth = max(1, SLAB_POINTS // (shape[0] * shape[1] * thin))
    for start in range(0, shape[2], depth):
        stop = min(start + depth, shape[2])
        first = origin[2] + spacing[2] * start - fine[2] * (thin // 2)
        size = (shape[0], shape[1], (stop - start) * thin)
        lattice = Lattice((origin[0], origin[1], first), fine, size, patient.warps, slope=slope, pivot=pivot)
        hu, labels = _paint(patient, lesions, tissue_hu, lattice)
        if metal is not None:
            _implant(hu, lattice, metal, tissue_hu["metal"])
        averaged = hu.reshape(shape[0], shape[1], stop - start, thin).mean(axis=3, dtype=np.float32)
        middle = Lattice(
            (origin[0], origin[1], origin[2] + spacing[2] * start), spacing, averaged.shape, patient.warps,
            slope=slope, pivot=pivot,
        ) if thin > 1 else lattice  # fmt: skip
        labels = labels[:, :, thin // 2 :: thin]
        yield slice(start, stop), averaged, labels, part_values(patient, middle, labels)


def _paint(
    patient: Patient, lesions: tuple[Lesion, ...], tissue_hu: Mapping[str, float], lattice: Lattice
) -> tuple[Array, NDArray[np.uint8]]:
    width = np.float32(np.mean(lattice.spacing))
    hu = np.full(lattice.shape, tissue_hu["air"], dtype=np.float32)
    labels = np.full(lattice.shape, WALL, dtype=np.uint8)
    _table(hu, lattice, patient.table_top, tissue_hu)
    for part in patient.parts:
        found = bounded(part, lattice)
        if found is not None:
            _fill(hu[found.box], found, part, tissue_hu, width)
            labels[found.box][found.distance <= 0] = part.code
    for lesion in lesions:
        _grow(hu, labels, lattice, lesion, width)
    labels[labels == WALL] = 0
    return hu, labels


def _grow(hu: Array, labels: NDArray[np.uint8], lattice: Lattice, lesion: Lesion, width: np.float32) -> None:
    """Put a lesion into its organ and what yields to it, in place; vessels and other neighbours stay."""
    center = np.asarray(lesion.center)
    box = lattice.box(center - lesion.reach, center + lesion.reach)
    if box is None:
        return
    distance = distance_on(lesion.solid, lattice, box)
    room = np.isin(labels[box], paintable(lesion.organ))
    share = np.clip(np.float32(0.5) - distance / np.float32(max(float(width), lesion.softness)), 0, 1)
    value = np.full(distance.shape, np.float32(lesion.hu))
    if lesion.core is not None:
        _blend(value, distance_on(lesion.core, lattice, box), lesion.core_hu, np.float32(max(float(width), 2.0)))
    hu[box] += np.where(room, share, np.float32(0)) * (value - hu[box])
    labels[box][room & (distance <= 0)] = CLASSES[lesion.label]


def _fill(hu: Array, found: Field, part: Part, tissue_hu: Mapping[str, float], width: np.float32) -> None:
    for layer in part.layers:
        distance = found.distance + np.float32(layer.inset)
        if layer.gas_above is not None:
            distance = np.maximum(distance, np.float32(layer.gas_above) - found.height)
        _blend(hu, distance, tissue_hu[layer.tissue], width)


def _blend(hu: Array, distance: Array, value: float, width: np.float32) -> None:
    """Mix `value` into `hu` by the share of each voxel that lies inside, in place."""
    share = np.clip(np.float32(0.5) - distance / width, 0, 1)
    hu += share * (np.float32(value) - hu)


def _table(hu: Array, lattice: Lattice, top: float, tissue_hu: Mapping[str, float]) -> None:
    """A curved carbon table under the patient, in place."""
    x, y, _ = lattice.open()
    sag = y - (np.float32(top) - 10 + (x / 210) ** 2 * 38)
    half = np.float32(9)
    edge = np.abs(x) - np.float32(195)
    outside = np.maximum(np.abs(sag + half) - half, edge) + np.zeros_like(hu)
    width = np.float32(np.mean(lattice.spacing))
    _blend(hu, outside, tissue_hu["table_shell"], width)
    _blend(hu, outside + np.float32(2.0), tissue_hu["table"], width)


def _implant(hu: Array, lattice: Lattice, tip: Vector, value: float) -> None:
    """A rod running backwards from `tip`, with streaks that fade with distance, in place."""
    x, y, z = lattice.open()
    beside = (x - np.float32(tip[0])) ** 2 + (z - np.float32(tip[2])) ** 2
    along = np.maximum(y - np.float32(tip[1]), np.float32(tip[1] - 40) - y)
    distance = np.maximum(np.sqrt(beside) - np.float32(METAL_RADIUS), along)
    level = np.exp(-(((z - np.float32(tip[2])) / np.float32(METAL_RADIUS)) ** 2))
    dy = y - np.float32(tip[1] - 20)
    away = np.sqrt((x - np.float32(tip[0])) ** 2 + dy**2)
    angle = np.arctan2(dy, x - np.float32(tip[0]))
    hu += level * np.float32(330) * np.cos(14 * angle) * np.exp(-away / 55)
    _blend(hu, distance.astype(np.float32), value, np.float32(np.mean(lattice.spacing)))


def noise_slices(rng: np.random.Generator, shape: tuple[int, int, int], spacing: Vector, sd: float) -> Iterator[Array]:
    """CT-like noise, one slice of shape (i, j) at a time.

    White noise loses its finest grain (reconstruction kernel) and its coarse waves (ramp filter), which leaves
    the correlated grain of filtered back-projection; it is stronger in the middle of the body.
    """
    fine = [1.1 / spacing[a] for a in range(2)]
    u, v = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape[:2])
    gain = np.float32(sd) * (np.float32(1.12) - np.float32(0.34) * (u[:, None] ** 2 + v[None, :] ** 2))
    for _ in range(shape[2]):
        white = rng.standard_normal(shape[:2], dtype=np.float32)
        grain = ndimage.gaussian_filter(white, fine, mode="wrap")
        grain -= 0.8 * ndimage.gaussian_filter(white, [4 * f for f in fine], mode="wrap")
        yield gain * grain / max(float(grain.std()), 1e-6)


def outside_circle(shape: tuple[int, int, int], spacing: Vector) -> NDArray[np.bool_]:
    """Pixels (i, j) outside the circle that the scanner reconstructs (as wide as the longer side)."""
    x = (np.arange(shape[0]) - (shape[0] - 1) / 2) * spacing[0]
    y = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing[1]
    radius = max(shape[0] * spacing[0], shape[1] * spacing[1]) / 2
    return np.asarray(x[:, None] ** 2 + y[None, :] ** 2 > radius**2)
