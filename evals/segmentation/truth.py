"""True lesions of a phantom as masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.phantom_truth_model import LesionTruth, PhantomTruth
from evals.segmentation.lesions import Piece
from tools.masks import connected, cropped, merge_regions, voxels_of
from tools.ontology import Ontology, load_ontology
from tools.segment.naming import canonical
from tools.volume import Grid, LabelSet, Region


def true_lesions(labels: LabelSet, truth: PhantomTruth) -> list[tuple[LesionTruth, Piece]]:
    """Every lesion that has voxels, with its mask.

    Args:
        labels: the phantom's own labels.
        truth: what its file says.
    """
    ontology = load_ontology()
    made = []
    for label in dict.fromkeys(one.label for one in truth.lesions):
        own = [one for one in truth.lesions if one.label == label and one.voxels]
        structure = ontology.get(_name(label, ontology))
        whole = labels.region(labels.entries.get(structure.id, ()))
        if whole is None or not own:
            continue
        for one, region in zip(own, _divided(whole, own, labels.grid), strict=True):
            if region is not None:
                made.append((one, Piece(structure.organ or one.organ, structure.lesion_type or one.type, region)))
    return made


def _name(label: str, ontology: Ontology) -> str:
    return canonical(label, ontology) or label


def _divided(whole: Region, lesions: Sequence[LesionTruth], grid: Grid) -> list[Region | None]:
    """A class's voxels by lesion: whole components, or single voxels where lesions run into each other."""
    parts = connected(whole)
    if len(parts) >= len(lesions):
        owners = [int(_nearest(grid.world(voxels_of(part)).mean(axis=0, keepdims=True), lesions)[0]) for part in parts]
        if set(owners) == set(range(len(lesions))):
            return [
                merge_regions([part for part, owner in zip(parts, owners, strict=True) if owner == number])
                for number in range(len(lesions))
            ]
    at = np.argwhere(whole.mask)
    owner = _nearest(grid.world(voxels_of(whole)), lesions)
    made = []
    for number in range(len(lesions)):
        mask = np.zeros_like(whole.mask)
        mask[tuple(at[owner == number].T)] = True
        made.append(cropped(whole, mask))
    return made


def _nearest(points: NDArray[np.float64], lesions: Sequence[LesionTruth]) -> NDArray[np.intp]:
    """Index of the lesion that each point (n, 3) in world mm is nearest to, or deepest in."""
    gaps = [
        np.linalg.norm(points - np.asarray(one.centroid_mm or one.center_mm), axis=1) - (one.long_axis_mm or 0) / 2
        for one in lesions
    ]
    found: NDArray[np.intp] = np.argmin(gaps, axis=0)
    return found
