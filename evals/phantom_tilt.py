"""Where the voxels of a phantom lie, with or without a tilted gantry.

A tilted gantry leans its slices about the left-right axis while the table still moves along the body: the slices are
displaced along the table and not along their normal, so that the grid is sheared. Rows further to the front lie
higher by the sine of the tilt, and the middle row stays where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.phantom_patient import PLAN_STEP, Patient, label_at, plan_lattice
from evals.phantom_shapes import Vector
from evals.phantom_tissue import CLASSES

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FieldOfView:
    """The voxel grid of a scan in the patient.

    Attributes:
        origin: patient mm of the centre of voxel (0, 0, 0) as it lay without the tilt.
        spacing: mm between voxels along left-right, along a row of the slice from back to front, along the table.
        shape: number of voxels.
        tilt_degrees: angle between slice normal and table; positive where the front of a slice lies higher.
    """

    origin: Vector
    spacing: Vector
    shape: tuple[int, int, int]
    tilt_degrees: float = 0.0

    @property
    def steps(self) -> Vector:
        """Mm between lattice points along the patient's axes: tilted rows are nearer to each other."""
        return (self.spacing[0], self.spacing[1] * math.cos(math.radians(self.tilt_degrees)), self.spacing[2])

    @property
    def slope(self) -> float:
        """Mm that a slice rises per mm to the front."""
        return math.tan(math.radians(self.tilt_degrees))

    @property
    def pivot(self) -> float:
        """Patient y about which the slices lean: the middle row."""
        return self.origin[1] + self.steps[1] * (self.shape[1] - 1) / 2

    @property
    def affine(self) -> FloatArray:
        """(4, 4) matrix from voxel indices to patient mm."""
        matrix = np.diag([*self.steps, 1.0])
        matrix[2, 1] = self.slope * self.steps[1]
        matrix[:3, 3] = self.origin
        matrix[2, 3] += self.slope * (self.origin[1] - self.pivot)
        return matrix


def field_of_view(
    low: Vector, high: Vector, spacing: Vector, *, cut_bottom: float = 0.0, cut_top: float = 0.0, tilt_degrees: float
) -> FieldOfView:
    """The grid that covers a box of the patient.

    Tilted slices need a longer way of the table to see all of the box. Slices are counted from the uncut feet end, so
    that cutting leaves the others in place.

    Args:
        low, high: corners of the box in patient mm.
        spacing: mm, see `FieldOfView`.
        cut_bottom, cut_top: mm taken off at the feet and the head end.
        tilt_degrees: tilt of the gantry.
    """
    tilt = math.radians(tilt_degrees)
    # Half of a slice's depth, times its slope, is what its front and back rise and fall.
    reach = abs(math.tan(tilt)) * (high[1] - low[1]) / 2
    feet, head = low[2] - reach, high[2] + reach
    ends = (
        high[0] - low[0],
        (high[1] - low[1]) / math.cos(tilt),
        (head - cut_top) - (feet + cut_bottom),
    )
    count = [round(length / step) for length, step in zip(ends, spacing, strict=True)]
    skipped = round(cut_bottom / spacing[2])
    row = spacing[1] * math.cos(tilt)
    origin = (low[0] + spacing[0] / 2, low[1] + row / 2, feet + spacing[2] * (skipped + 0.5))
    return FieldOfView(origin, spacing, (count[0], count[1], count[2]), tilt_degrees)


def depth_inside(affine: FloatArray, shape: tuple[int, int, int], point: FloatArray) -> float:
    """Mm from a point to the nearest face of a scan, negative outside; faces lie half a voxel beyond the centres.

    Args:
        affine: (4, 4) voxel → mm, sheared or not.
        shape: number of voxels.
        point: (3,) mm.
    """
    return float(depths_inside(affine, shape, point[None])[0])


def depths_inside(affine: FloatArray, shape: tuple[int, int, int], points: FloatArray) -> FloatArray:
    """`depth_inside` of points of shape (n, 3)."""
    inverse = np.linalg.inv(affine[:3, :3])
    index = (points - affine[:3, 3]) @ inverse.T
    # One index step lies this many mm apart across the faces, whatever the angle of the axes.
    apart = 1 / np.linalg.norm(inverse, axis=1)
    nearest = np.minimum(index + 0.5, np.asarray(shape) - 0.5 - index) * apart
    return np.asarray(nearest.min(axis=1))


def reaching_beyond(patient: Patient, affine: FloatArray, shape: tuple[int, int, int]) -> frozenset[str]:
    """Names of the patient's structures (lesions apart) of which something lies outside of the scan.

    Counted on the lattice on which the patient was planned.

    Args:
        patient: the patient.
        affine: (4, 4) voxel → patient mm.
        shape: number of voxels.
    """
    low = (patient.low[0], patient.low[1], patient.low[2] - 25.0)
    high = (patient.high[0], patient.high[1], patient.high[2] + 45.0)
    lattice = plan_lattice(patient, low, high, PLAN_STEP)
    labels = label_at(patient, lattice)
    at = np.argwhere(labels)
    points = np.asarray(lattice.origin) + at * np.asarray(lattice.spacing)
    outside = at[depths_inside(affine, shape, points) < 0]
    there = np.unique(labels[tuple(outside.T)])
    return frozenset(name for name, key in CLASSES.items() if key in there)
