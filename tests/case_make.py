"""Small synthetic cases from analytic shapes in world mm, painted on any grid and brought into canonical order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.base import Case, CaseSettings
from tools.registry import load_tools
from tools.types import Evidence
from tools.volume import FloatArray, LabelSet, Scan, ScanHeader, to_canonical

BoolArray = NDArray[np.bool_]
Order = tuple[tuple[int, ...], tuple[bool, ...]]


@dataclass(frozen=True)
class Ellipsoid:
    """A structure of one attenuation: centre and half axes in world mm, and its rotation."""

    name: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    hu: float = 40.0
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def form(self) -> FloatArray:
        """Matrix A of the ellipsoid xᵀ A x ≤ 1 around its centre."""
        axes = rotation(*self.turn)
        return axes @ np.diag(1.0 / np.square(self.radii)) @ axes.T

    @property
    def volume(self) -> float:
        """Volume in cm³."""
        return float(4.0 / 3.0 * np.pi * np.prod(self.radii) / 1000.0)

    def inside(self, points: FloatArray) -> BoolArray:
        """Which world points (…, 3) lie in it."""
        away = points - np.array(self.centre)
        return np.asarray(np.einsum("...i,ij,...j->...", away, self.form, away) <= 1.0)

    def section(self, affine: FloatArray) -> tuple[float, float]:
        """Long and short axis in mm of the largest section parallel to the grid's axial plane."""
        plane, _ = np.linalg.qr(affine[:3, :2])
        low, high = np.linalg.eigvalsh(plane.T @ self.form @ plane)
        return float(2 / np.sqrt(low)), float(2 / np.sqrt(high))


def rotation(x: float, y: float, z: float) -> FloatArray:
    """Rotation by three angles in degrees, about x, then y, then z."""
    matrix = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        one = np.eye(3)
        a, b = [i for i in range(3) if i != axis]
        one[a, a], one[a, b], one[b, a], one[b, b] = c, -s, s, c
        matrix = one @ matrix
    return matrix


def affine_of(
    spacing: Sequence[float],
    shape: Sequence[int],
    *,
    turn: Sequence[float] = (0, 0, 0),
    shear: float = 0.0,
    centre: Sequence[float] = (0, 0, 0),
) -> FloatArray:
    """Affine of a grid centred in the world; `shear` tilts the gantry by so many degrees."""
    columns = np.diag(np.asarray(spacing, dtype=np.float64))
    columns[1, 2] = columns[2, 2] * np.tan(np.radians(shear))
    columns = rotation(*turn) @ columns
    affine = np.eye(4)
    affine[:3, :3] = columns
    affine[:3, 3] = np.asarray(centre) - columns @ ((np.asarray(shape) - 1) / 2)
    return affine


def paint(
    shapes: Sequence[Ellipsoid], size: tuple[int, int, int], affine: FloatArray, background: int = -80
) -> tuple[NDArray[np.int16], NDArray[np.uint8], dict[str, int]]:
    """HU, label map and values by name; later shapes are painted over earlier ones, at voxel centres."""
    hu = np.full(size, background, np.int16)
    labels = np.zeros(size, np.uint8)
    points = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"), axis=-1) @ affine[:3, :3].T
    points += affine[:3, 3]
    numbers: dict[str, int] = {}
    for one in shapes:
        number = numbers.setdefault(one.name, len(numbers) + 1)
        mask = one.inside(points)
        labels[mask], hu[mask] = number, one.hu
    return hu, labels, numbers


def case_of(
    hu: NDArray[Any],
    labels: NDArray[Any] | Sequence[NDArray[Any]],
    affine: FloatArray,
    numbers: Mapping[str, int] | Mapping[str, tuple[int, int]],
    *,
    padding: float | None = None,
    settings: CaseSettings | None = None,
    header: ScanHeader | None = None,
) -> Case:
    """A case from arrays in the order of a file; `numbers` gives a value, or (layer, value), by name."""
    voxels, grid, orientation = to_canonical(hu, affine)
    layers = [labels] if isinstance(labels, np.ndarray) else list(labels)
    moved = tuple(to_canonical(layer, affine)[0] for layer in layers)
    entries: dict[str, tuple[tuple[int, int], ...]] = {
        name: (key if isinstance(key, tuple) else (0, key),) for name, key in numbers.items()
    }
    scan = Scan(voxels, grid, orientation, header or ScanHeader(source="nifti"), padding)
    return Case(scan=scan, labels=LabelSet(grid, moved, entries), settings=settings or CaseSettings())


def boxes_case(
    size: tuple[int, int, int],
    boxes: Mapping[str, Any],
    *,
    empty: Sequence[str] = (),
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    hu: Mapping[str, int] | None = None,
    **more: Any,
) -> Case:
    """A case of index boxes (or lists of them) by name, each name in the one layer; `empty` are declared only."""
    layer = np.zeros(size, np.uint8)
    voxels = np.full(size, -80, np.int16)
    numbers: dict[str, int] = {}
    for number, name in enumerate([*boxes, *empty], start=1):
        numbers[name] = number
        where = boxes.get(name, [])
        for box in where if isinstance(where, list) else [where]:
            layer[box] = number
            voxels[box] = (hu or {}).get(name, 40)
    return case_of(voxels, layer, affine_of(spacing, size), numbers, **more)


def orders() -> Iterator[Order]:
    """All 48 axis permutations and flips."""
    for axes in itertools.permutations(range(3)):
        for flips in itertools.product((False, True), repeat=3):
            yield axes, flips


def reorder(array: NDArray[Any], affine: FloatArray, order: Order) -> tuple[NDArray[Any], FloatArray]:
    """The same physical volume with its array axes permuted and flipped."""
    axes, flips = order
    moved = array.transpose(axes)
    new = affine.copy()
    new[:3, :3] = affine[:3, list(axes)]
    for axis, flip in enumerate(flips):
        if flip:
            new[:3, 3] += new[:3, axis] * (moved.shape[axis] - 1)
            new[:3, axis] *= -1
            moved = np.flip(moved, axis)
    return moved, new


def run(case: Case, tool: str, **arguments: Any) -> dict[str, Evidence]:
    """Evidence of one tool call by quantity."""
    return {one.quantity: one for one in load_tools()[tool].call(case, arguments)}
