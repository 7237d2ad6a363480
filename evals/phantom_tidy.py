"""What lesions do to the rest of the phantom: ducts dilate above them; fragments that neighbours cut off go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evals.phantom_lesions import KINDS, Lesion
from evals.phantom_patient import Patient
from evals.phantom_shapes import Tube
from evals.phantom_tissue import CLASSES

DILATION = 2.1
"""Radius of the pancreatic duct upstream of a cancer relative to its normal one."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A connected piece of a lesion: its box in the volume and its voxels in the box."""

    box: tuple[slice, slice, slice]
    mask: NDArray[np.bool_]

    @property
    def voxels(self) -> int:
        """Their number."""
        return int(np.count_nonzero(self.mask))

    @property
    def index(self) -> NDArray[np.intp]:
        """(n, 3) indices of its voxels in the volume."""
        return np.asarray(np.argwhere(self.mask) + [part.start for part in self.box])


def congested(patient: Patient, lesions: Sequence[Lesion]) -> Patient:
    """The patient with a pancreatic duct that is wide upstream of a pancreatic cancer."""
    cancers = [lesion.center[0] for lesion in lesions if lesion.type == "pancreas_pdac"]
    if not cancers:
        return patient
    stop = max(cancers)
    parts = []
    for part in patient.parts:
        if part.name == "pancreatic_duct" and isinstance(part.shape, Tube):
            wide = tuple(
                radius * (DILATION if point[0] < stop else 1.0)
                for point, radius in zip(part.shape.points, part.shape.radii, strict=True)
            )
            part = replace(part, shape=replace(part.shape, radii=wide, _pieces=[]))  # noqa: PLW2901
        parts.append(part)
    return replace(patient, parts=tuple(parts))


def pieces(labels: NDArray[np.uint8], lesions: Sequence[Lesion], affine: Floats) -> list[list[Piece]]:
    """The 26-connected pieces of every lesion, largest first; a piece belongs to the nearest lesion of its class.

    Args:
        labels: (i, j, k) final labels.
        lesions: what was painted.
        affine: (4, 4) voxel → patient mm.

    Returns:
        One list for each lesion; empty where it has no voxels.
    """
    found: list[list[Piece]] = [[] for _ in lesions]
    if not lesions:
        return found
    boxes = ndimage.find_objects(labels)
    for label in dict.fromkeys(lesion.label for lesion in lesions):
        box = boxes[CLASSES[label] - 1] if CLASSES[label] <= len(boxes) else None
        if box is None:
            continue
        own = [number for number, lesion in enumerate(lesions) if lesion.label == label]
        numbered, count = ndimage.label(labels[box] == CLASSES[label], np.ones((3, 3, 3)))
        for number, inner in enumerate(ndimage.find_objects(numbered, max_label=count), start=1):
            mask = numbered[inner] == number
            start = [box[a].start + inner[a].start for a in range(3)]
            place = tuple(slice(start[a], start[a] + mask.shape[a]) for a in range(3))
            piece = Piece((place[0], place[1], place[2]), mask)
            middle = affine[:3, :3] @ piece.index.mean(axis=0) + affine[:3, 3]
            gaps = [float(np.linalg.norm(middle - lesions[n].center)) - lesions[n].reach for n in own]
            found[own[int(np.argmin(gaps))]].append(piece)
    return [sorted(of_one, key=lambda piece: -piece.voxels) for of_one in found]


def tidy(labels: NDArray[np.uint8], parts: NDArray[np.uint8], lesions: Sequence[Lesion], affine: Floats) -> None:
    """Give all but the largest piece of every lesion back to what is around it, in place.

    Args:
        labels, parts: (i, j, k) labels and values of parts.
        lesions: what was painted.
        affine: (4, 4) voxel → patient mm.
    """
    for lesion, found in zip(lesions, pieces(labels, lesions, affine), strict=True):
        for piece in found[1:]:
            bulging = KINDS[lesion.type].bulges
            labels[piece.box][piece.mask] = 0 if bulging else CLASSES[lesion.organ]
            if bulging:
                parts[piece.box][piece.mask] = 0
