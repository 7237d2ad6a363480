"""Truth about a finished phantom, counted over its final arrays by the plainest formulae there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.phantom_course import Course, vessel_courses
from evals.phantom_lesions import Lesion
from evals.phantom_options import PhantomOptions
from evals.phantom_patient import Patient
from evals.phantom_tidy import pieces
from evals.phantom_tilt import depth_inside, reaching_beyond
from evals.phantom_tissue import CLASSES, LESION_CLASSES, PARTS
from evals.phantom_truth_lesion import lesion_truth
from evals.phantom_truth_model import PhantomTruth, StructureTruth
from evals.phantom_truth_regions import PoleMap, region_truth

Floats = NDArray[np.float64]
Values = NDArray[np.uint8]
LOWEST_HU, HIGHEST_HU = -2048, 3071
SLAB_VOXELS = 4_000_000


def describe(
    options: PhantomOptions,
    patient: Patient,
    lesions: tuple[Lesion, ...],
    *,
    hu: NDArray[np.int16],
    labels: Values,
    parts: Values,
    affine: Floats,
) -> PhantomTruth:
    """Count every class and every lesion of a phantom.

    Args:
        options, patient, lesions: what it was made from.
        hu, labels, parts: final arrays (i, j, k).
        affine: (4, 4) voxel → world mm, RAS+, sheared by the tilt of the gantry.
    """
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    inner = affine.copy()
    inner[:3, 3] -= patient.origin
    shape = (labels.shape[0], labels.shape[1], labels.shape[2])
    structures = _structures(options, patient, lesions, hu, labels, inner)
    found = pieces(labels, lesions, inner)
    poles = PoleMap(labels, inner)
    courses: Mapping[str, tuple[Course, ...]] = {
        name: tubes for name, tubes in (vessel_courses(patient) if lesions else {}).items() if structures[name].voxels
    }
    numbers = _numbers(lesions, [sum(piece.voxels for piece in of_one) for of_one in found])
    truths = []
    for number, lesion, of_one in zip(numbers, lesions, found, strict=True):
        organ = structures[lesion.organ]
        truths.append(
            lesion_truth(
                f"{lesion.label}#{number}", lesion, of_one, organ, hu=hu, labels=labels, parts=parts, poles=poles,
                courses=courses, affine=inner, origin=patient.origin, in_field=_holds(lesion, inner, shape),
            )
        )  # fmt: skip
    return PhantomTruth(
        seed=options.seed,
        options=options,
        phase=options.phase,
        fatty_liver=options.fatty_liver,
        shape=shape,
        spacing_mm=options.spacing,
        voxel_volume_mm3=voxel,
        affine=tuple(tuple(float(value) for value in row) for row in affine),
        structures=structures,
        part_labels=dict(PARTS),
        lesions=tuple(truths),
        regions=region_truth(labels, parts, poles, truths, found, voxel),
    )


def _structures(
    options: PhantomOptions,
    patient: Patient,
    lesions: Sequence[Lesion],
    hu: NDArray[np.int16],
    labels: Values,
    affine: Floats,
) -> dict[str, StructureTruth]:
    """Truth about every class (`affine` to patient mm)."""
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    counts = _histograms(hu, labels)
    border = _border_labels(labels)
    beyond = _beyond(options, patient, lesions, affine, (labels.shape[0], labels.shape[1], labels.shape[2]))
    structures = {}
    for name, key in CLASSES.items():
        size = int(counts[key].sum())
        own = sum(int(counts[CLASSES[part]].sum()) for part, organ in LESION_CLASSES.items() if organ == name)
        mean, sd, median = _statistics(counts[key])
        structures[name] = StructureTruth(
            label=key,
            voxels=size,
            volume_cm3=size * voxel / 1000,
            volume_with_lesions_cm3=(size + own) * voxel / 1000,
            hu_mean=mean,
            hu_sd=sd,
            hu_median=median,
            touches_border=key in border,
            truncated=key in border or name in beyond,
            whole_volume_cm3=patient.volumes.get(name),
        )
    return structures


def _histograms(hu: NDArray[np.int16], labels: Values) -> NDArray[np.int64]:
    """Voxels by label value and HU, shape (256, levels): exact, and small however large the scan is."""
    levels = HIGHEST_HU - LOWEST_HU + 1
    counts = np.zeros(256 * levels, dtype=np.int64)
    thick = max(1, SLAB_VOXELS // (hu.shape[0] * hu.shape[1]))
    for start in range(0, hu.shape[2], thick):
        slab = labels[:, :, start : start + thick]
        there = slab > 0
        at = slab[there].astype(np.intp) * levels + (hu[:, :, start : start + thick][there] - np.intp(LOWEST_HU))
        counts += np.bincount(at, minlength=len(counts))
    return counts.reshape(256, levels)


def _statistics(counts: NDArray[np.int64]) -> tuple[float, float, float] | tuple[None, None, None]:
    """Mean, standard deviation of the population, and median of a class; None without voxels."""
    size = int(counts.sum())
    if not size:
        return None, None, None
    values = np.arange(LOWEST_HU, HIGHEST_HU + 1, dtype=np.float64)
    mean = float(counts @ values) / size
    sd = float(np.sqrt(counts @ (values - mean) ** 2 / size))
    sums = np.cumsum(counts)
    middle = [float(values[np.searchsorted(sums, rank, side="right")]) for rank in ((size - 1) // 2, size // 2)]
    return mean, sd, sum(middle) / 2


def _numbers(lesions: Sequence[Lesion], voxels: Sequence[int]) -> list[int]:
    """Number of each lesion among those of its class, largest first."""
    numbers = [0] * len(lesions)
    for label in {lesion.label for lesion in lesions}:
        own = [n for n, lesion in enumerate(lesions) if lesion.label == label]
        for place, n in enumerate(sorted(own, key=lambda n: (-voxels[n], n)), start=1):
            numbers[n] = place
    return numbers


def _border_labels(labels: Values) -> set[int]:
    """Labels with a voxel on one of the six faces."""
    faces = [labels.take(end, axis=axis) for axis in range(3) for end in (0, -1)]
    return {int(value) for face in faces for value in np.unique(face)}


def _beyond(
    options: PhantomOptions,
    patient: Patient,
    lesions: Sequence[Lesion],
    affine: Floats,
    shape: tuple[int, int, int],
) -> set[str]:
    """Classes of which the patient has something outside of the field of view (`affine` to patient mm)."""
    names = {lesion.label for lesion in lesions if not _holds(lesion, affine, shape)}
    if options.tilt_degrees:
        return names | reaching_beyond(patient, affine, shape)
    low = affine[:3, 3] - np.diag(affine)[:3] / 2
    high = low + np.diag(affine)[:3] * shape
    for name, (start, stop) in patient.extents.items():
        if np.any(np.asarray(start) < low) or np.any(np.asarray(stop) > high):
            names.add(name)
    return names


def _holds(lesion: Lesion, affine: Floats, shape: tuple[int, int, int]) -> bool:
    """Whether the whole lesion lies in the field of view (`affine` to patient mm)."""
    return depth_inside(affine, shape, np.asarray(lesion.center)) >= lesion.reach
