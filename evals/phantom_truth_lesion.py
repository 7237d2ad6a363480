"""The truth about one lesion, put together from what is counted of its voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.phantom_count import axial_axes, contact_degrees, feret, neighbours
from evals.phantom_course import Course
from evals.phantom_lesions import Lesion, inner_points
from evals.phantom_shapes import Vector
from evals.phantom_tidy import Piece
from evals.phantom_tissue import CLASSES, LESION_CLASSES
from evals.phantom_truth_model import Attenuation, LesionTruth, StructureTruth
from evals.phantom_truth_regions import PoleMap, region_counts

BAND_SD = 0.1
"""A lesion within this many standard deviations of its organ's mean is isoattenuating."""
NAMES: Mapping[int, str] = {key: name for name, key in CLASSES.items()}


def lesion_truth(
    ident: str,
    lesion: Lesion,
    of_one: Sequence[Piece],
    organ: StructureTruth,
    *,
    hu: NDArray[np.int16],
    labels: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    poles: PoleMap,
    courses: Mapping[str, tuple[Course, ...]],
    affine: NDArray[np.float64],
    origin: Vector,
    in_field: bool,
) -> LesionTruth:
    """Count one lesion.

    Args:
        ident: its identifier.
        lesion: what was painted.
        of_one: its voxels.
        organ: truth about its organ's class.
        hu, labels, parts: (i, j, k) final arrays.
        poles: thirds of the kidneys.
        courses: vessels that have voxels.
        affine: (4, 4) voxel → patient mm.
        origin: world mm of the patient's origin.
        in_field: whether the whole solid lies in the field of view.
    """
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    count = sum(piece.voxels for piece in of_one)
    index = np.concatenate([piece.index for piece in of_one]) if of_one else np.zeros((0, 3), dtype=np.intp)
    values = hu[tuple(index.T)].astype(np.float64)
    mean, sd = (float(values.mean()), float(values.std())) if count else (None, None)
    axes = axial_axes(index, affine) if count else None
    near = neighbours(of_one[0], labels, affine) if of_one else {}
    distances = {NAMES[key]: gap for key, gap in sorted(near.items(), key=lambda item: (item[1], item[0]))}
    widest = max(float(np.linalg.norm(affine[:3, a])) for a in range(3))
    contacts = {
        name: contact_degrees(of_one[0], tubes, CLASSES[name], labels, affine)
        if distances.get(name, np.inf) <= widest and of_one
        else 0.0
        for name, tubes in courses.items()
    }
    shares = region_counts(lesion.organ, index, parts, poles) if count else {}
    center, middle = np.asarray(lesion.center) + origin, None
    if count:
        mean_point = affine[:3, :3] @ index.mean(axis=0) + affine[:3, 3] + origin
        middle = (float(mean_point[0]), float(mean_point[1]), float(mean_point[2]))
    cloud = inner_points(lesion.solid)
    step = 2 * lesion.reach / 25
    return LesionTruth(
        id=ident,
        type=lesion.type,
        organ=lesion.organ,
        label=lesion.label,
        center_mm=(float(center[0]), float(center[1]), float(center[2])),
        diameter_mm=lesion.diameter,
        solid_volume_cm3=len(cloud) * step**3 / 1000,
        hu=lesion.hu,
        in_field=in_field,
        voxels=count,
        volume_cm3=count * voxel / 1000,
        voxel_volume_cm3=count * voxel / 1000,
        components=len(of_one),
        long_axis_mm=axes.long if axes else None,
        short_axis_mm=axes.short if axes else None,
        slice=axes.slice if axes else None,
        feret_mm=feret(index, affine) if count else None,
        hu_mean=mean,
        hu_sd=sd,
        attenuation=attenuation(mean, organ),
        regions={name: n / count for name, n in sorted(shares.items(), key=lambda item: -item[1]) if n},
        contacts=contacts,
        adjacent={name: gap for name, gap in distances.items() if name not in LESION_CLASSES},
        centroid_mm=middle,
    )


def attenuation(mean: float | None, organ: StructureTruth) -> Attenuation | None:
    """A lesion's attenuation against its organ; None where one of them has no voxels."""
    if mean is None or organ.hu_mean is None or organ.hu_sd is None:
        return None
    difference = mean - organ.hu_mean
    if abs(difference) < BAND_SD * organ.hu_sd:
        return "isoattenuating"
    return "hypoattenuating" if difference < 0 else "hyperattenuating"
