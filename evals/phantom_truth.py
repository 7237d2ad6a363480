"""Truth about a finished phantom, counted over its final arrays by the plainest formulae there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.phantom_lesions import Lesion
from evals.phantom_options import LesionTruth, PhantomOptions, PhantomTruth, StructureTruth
from evals.phantom_patient import Patient
from evals.phantom_tissue import CLASSES


def describe(
    options: PhantomOptions,
    patient: Patient,
    lesions: tuple[Lesion, ...],
    *,
    hu: NDArray[np.int16],
    labels: NDArray[np.uint8],
    affine: NDArray[np.float64],
) -> PhantomTruth:
    """Count every class and every lesion of a phantom.

    Args:
        options, patient, lesions: what it was made from.
        hu, labels: final arrays (i, j, k).
        affine: (4, 4) voxel → world mm, RAS+, parallel to the axes.
    """
    spacing = (float(affine[0, 0]), float(affine[1, 1]), float(affine[2, 2]))
    voxel = spacing[0] * spacing[1] * spacing[2]
    first = affine[:3, 3] - np.asarray(patient.origin)
    low = first - np.asarray(spacing) / 2
    high = low + np.asarray(spacing) * labels.shape
    values = {key: hu[labels == key] for key in CLASSES.values()}
    border = _border_labels(labels)
    structures = {}
    for name, key in CLASSES.items():
        own = [lesion for lesion in lesions if lesion.organ == name]
        parts = {CLASSES[lesion.label] for lesion in own}
        data = values[key]
        structures[name] = StructureTruth(
            label=key,
            voxels=data.size,
            volume_cm3=data.size * voxel / 1000,
            volume_with_lesions_cm3=(data.size + sum(values[part].size for part in parts)) * voxel / 1000,
            hu_mean=float(data.mean(dtype=np.float64)) if data.size else None,
            hu_sd=float(data.std(dtype=np.float64)) if data.size else None,
            hu_median=float(np.median(data)) if data.size else None,
            touches_border=key in border,
            truncated=key in border or _leaves(patient, lesions, name, low, high),
            whole_volume_cm3=patient.volumes.get(name),
        )
    return PhantomTruth(
        seed=options.seed,
        options=options,
        phase=options.phase,
        fatty_liver=options.fatty_liver,
        shape=(labels.shape[0], labels.shape[1], labels.shape[2]),
        spacing_mm=spacing,
        voxel_volume_mm3=voxel,
        affine=tuple(tuple(float(value) for value in row) for row in affine),
        structures=structures,
        lesions=tuple(_lesion(lesion, patient, labels, affine, _holds(lesion, low, high)) for lesion in lesions),
    )


def _border_labels(labels: NDArray[np.uint8]) -> set[int]:
    """Labels with a voxel on one of the six faces."""
    faces = [labels.take(end, axis=axis) for axis in range(3) for end in (0, -1)]
    return {int(value) for face in faces for value in np.unique(face)}


def _leaves(
    patient: Patient, lesions: Sequence[Lesion], name: str, low: NDArray[np.float64], high: NDArray[np.float64]
) -> bool:
    """Whether the patient's structure reaches beyond the field of view (`low` to `high`, patient mm)."""
    own = [lesion for lesion in lesions if lesion.label == name]
    if own:
        return not all(_holds(lesion, low, high) for lesion in own)
    if name not in patient.extents:
        return False
    start, stop = patient.extents[name]
    return bool(np.any(np.asarray(start) < low) or np.any(np.asarray(stop) > high))


def _holds(lesion: Lesion, low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether the whole lesion lies in the field of view."""
    center, radius = np.asarray(lesion.center), lesion.diameter / 2
    return bool(np.all(center - radius >= low) and np.all(center + radius <= high))


def _lesion(
    lesion: Lesion,
    patient: Patient,
    labels: NDArray[np.uint8],
    affine: NDArray[np.float64],
    in_field: bool,
) -> LesionTruth:
    center = np.asarray(lesion.center) + np.asarray(patient.origin)
    found = np.argwhere(labels == CLASSES[lesion.label])
    away = np.linalg.norm(found * np.diag(affine)[:3] + affine[:3, 3] - center, axis=1)
    # Lesions keep more than 1 mm between them: half of it separates them whatever the rounding.
    voxels = int(np.count_nonzero(away <= lesion.diameter / 2 + 0.5))
    return LesionTruth(
        type=lesion.type,
        organ=lesion.organ,
        label=lesion.label,
        center_mm=(float(center[0]), float(center[1]), float(center[2])),
        diameter_mm=lesion.diameter,
        volume_cm3=math.pi / 6 * lesion.diameter**3 / 1000,
        hu=lesion.hu,
        voxels=voxels,
        voxel_volume_cm3=voxels * float(abs(np.linalg.det(affine[:3, :3]))) / 1000,
        in_field=in_field,
    )
