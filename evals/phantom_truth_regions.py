"""Truth about the regions of organs: how large they are and what lesions they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evals.phantom_regions import POLES, thirds
from evals.phantom_tidy import Piece
from evals.phantom_tissue import CLASSES, LESION_CLASSES, PART_ORGANS, PARTS
from evals.phantom_truth_model import LesionTruth, RegionTruth

SHARE = 0.10
"""A lesion counts in every region that holds more than this of it."""
Values = NDArray[np.uint8]


class PoleMap:
    """Thirds of the kidneys along their own longest axes, lesions included.

    Args:
        labels: (i, j, k) final labels.
        affine: (4, 4) voxel → mm.
    """

    def __init__(self, labels: Values, affine: NDArray[np.float64]) -> None:
        self.affine = affine
        self.filling: dict[str, NDArray[np.float64]] = {}
        boxes = ndimage.find_objects(labels)
        for organ in ("kidney_left", "kidney_right"):
            keys = [CLASSES[organ], *(CLASSES[name] for name, own in LESION_CLASSES.items() if own == organ)]
            index = [
                np.argwhere(labels[box] == key) + [part.start for part in box]
                for key in keys
                if key <= len(boxes) and (box := boxes[key - 1]) is not None
            ]
            if index and sum(map(len, index)) > 3:
                self.filling[organ] = np.concatenate(index) @ affine[:3, :3].T

    def counts(self, organ: str, index: NDArray[np.intp] | None = None) -> dict[str, int]:
        """Voxels in each third of a kidney, of all or of those given (n, 3); empty without a kidney."""
        if organ not in self.filling:
            return {}
        filling = self.filling[organ]
        points = filling if index is None else index @ self.affine[:3, :3].T
        found = np.bincount(thirds(points, filling), minlength=3)
        side = organ.rsplit("_", 1)[1]
        return {f"kidney_{pole}_{side}": int(found[n]) for n, pole in enumerate(POLES)}


def region_counts(organ: str, index: NDArray[np.intp], parts: Values, poles: PoleMap) -> dict[str, int]:
    """Voxels in each region of an organ, of those given (n, 3); empty for an organ without regions."""
    if organ.startswith("kidney"):
        return poles.counts(organ, index)
    names = [name for name, own in PART_ORGANS.items() if own == organ]
    if not names:
        return {}
    found = np.bincount(parts[tuple(index.T)], minlength=256)
    return {name: int(found[PARTS[name]]) for name in names}


def region_truth(
    labels: Values,
    parts: Values,
    poles: PoleMap,
    lesions: Sequence[LesionTruth],
    found: Sequence[Sequence[Piece]],
    voxel: float,
) -> dict[str, dict[str, RegionTruth]]:
    """What is in each region of each organ that has regions.

    Args:
        labels, parts: (i, j, k) final arrays.
        poles: thirds of the kidneys.
        lesions: truth about the lesions.
        found: their voxels.
        voxel: mm³ of one voxel.
    """
    sizes: dict[str, dict[str, int]] = {}
    counts = np.bincount(parts.reshape(-1), minlength=256)
    for name, organ in PART_ORGANS.items():
        sizes.setdefault(organ, {})[name] = int(counts[PARTS[name]])
    for organ in ("kidney_left", "kidney_right"):
        if poles.counts(organ):
            sizes[organ] = poles.counts(organ)
            sizes.setdefault("kidney", {})[organ] = len(poles.filling[organ])
    inside: dict[str, dict[str, int]] = {}
    for lesion, of_one in zip(lesions, found, strict=True):
        for piece in of_one:
            here = inside.setdefault(lesion.organ, {})
            for region, count in region_counts(lesion.organ, piece.index, parts, poles).items():
                here[region] = here.get(region, 0) + count
            if lesion.organ.startswith("kidney"):
                pair = inside.setdefault("kidney", {})
                pair[lesion.organ] = pair.get(lesion.organ, 0) + piece.voxels
    return {
        organ: {
            region: RegionTruth(
                volume_cm3=size * voxel / 1000,
                lesion_count=sum(_in_region(lesion, organ, region) for lesion in lesions),
                lesion_volume_cm3=_get(inside, organ, region) * voxel / 1000,
            )
            for region, size in regions.items()
        }
        for organ, regions in sizes.items()
    }


def _in_region(lesion: LesionTruth, organ: str, region: str) -> bool:
    if organ == "kidney":
        return lesion.organ == region and lesion.voxels > 0
    return lesion.organ == organ and lesion.regions.get(region, 0.0) > SHARE


def _get(inside: Mapping[str, Mapping[str, int]], organ: str, region: str) -> int:
    return inside.get(organ, {}).get(region, 0)
