"""Give the lesions of a class that spans several parts (both kidneys, all of the liver) to where they belong.

Lesions of a pair go to one side as a whole. In the regions of one organ (segments, poles, lobes) every voxel goes
to its own region: there a lesion may well lie in several.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from tools.masks import components, connected, cropped, merge_regions
from tools.ontology import Ontology, load_ontology
from tools.structure_parts import cover, region_host, siblings
from tools.subregions import Subregions, Untold, finest
from tools.volume import Grid, LabelSet, Region


def divisible(labels: LabelSet, part: str, lesion_class: str, ontology: Ontology) -> bool:
    """Whether lesions of a class can be told apart by part: every sibling was labelled, one has voxels."""
    whole = ontology.get(lesion_class).organ or ""
    host = region_host(part, ontology)
    if host is not None:
        if whole != host and whole in _above(host, ontology) and not divisible(labels, host, lesion_class, ontology):
            return False
        told = finest(labels, host)
        return isinstance(told, Subregions) and bool(told.holding(part))
    covered = [cover(labels, one, ontology) for one in siblings(part, whole, ontology)]
    return bool(covered) and all(found for _, found, _ in covered) and any(
        key in labels.boxes for keys, _, _ in covered for key in keys
    )  # fmt: skip


def share_of_part(labels: LabelSet, lesion_class: str, part: str) -> Region | None:
    """What of a lesion class belongs to a part: worked out once for each pair of them.

    Args:
        labels: the label set.
        lesion_class: a declared lesion class of a whole organ ("kidney_tumor").
        part: canonical id of one part, side or region of that organ ("kidney_left", "liver_segment_4").

    Returns:
        For a side, the 26-connected components that lie nearer to it than to its siblings; for a region, the
        voxels in it. None where nothing belongs to the part or nothing tells the parts apart.
    """
    key = ("share_of_part", lesion_class, part)
    if key not in labels.memo:
        ontology = load_ontology()
        inside = _in_region if region_host(part, ontology) is not None else _of_side
        labels.memo[key] = inside(labels, lesion_class, part, ontology)
    found: Region | None = labels.memo[key]
    return found


def _above(part: str, ontology: Ontology) -> frozenset[str]:
    """The wholes that a structure is a part of, step by step."""
    above = ontology.get(part).part_of
    return frozenset() if above is None else frozenset({above}) | _above(above, ontology)


def _in_region(labels: LabelSet, lesion_class: str, part: str, ontology: Ontology) -> Region | None:
    if not divisible(labels, part, lesion_class, ontology):
        return None
    host, whole = region_host(part, ontology) or "", ontology.get(lesion_class).organ or ""
    beside = whole != host and whole in _above(host, ontology)
    lesions = share_of_part(labels, lesion_class, host) if beside else labels.region(labels.entries[lesion_class])
    told = finest(labels, host)
    if lesions is None or isinstance(told, Untold):
        return None
    pieces = []
    for one in connected(lesions):
        mask = one.mask.copy()
        mask[mask] = np.isin(told.numbers_of(one), told.holding(part))
        pieces.append(cropped(one, mask))
    return merge_regions([piece for piece in pieces if piece is not None])


def _of_side(labels: LabelSet, lesion_class: str, part: str, ontology: Ontology) -> Region | None:
    lesions = labels.region(labels.entries[lesion_class])
    if lesions is None or not divisible(labels, part, lesion_class, ontology):
        return None
    pieces: NDArray[Any] = components(lesions.mask)
    at = _surface(lesions)
    owner = pieces[tuple(at.T)]
    count = int(pieces.max())
    points = labels.grid.world(at + _start(lesions))
    nearest = np.full(count, np.inf)
    own = np.full(count, np.inf)
    for one in siblings(part, ontology.get(lesion_class).organ or "", ontology):
        organ = labels.region(cover(labels, one, ontology)[0])
        if organ is None:
            continue
        gaps = _gaps(points, organ, labels.grid)
        per_component = np.asarray(ndimage.minimum(gaps, owner, np.arange(1, count + 1)))
        nearest = np.minimum(nearest, per_component)
        if one == part:
            own = per_component
    chosen = np.flatnonzero(own <= nearest) + 1
    if chosen.size == 0 or not np.isfinite(own).any():
        return None
    return cropped(lesions, np.isin(pieces, chosen))


def _start(region: Region) -> NDArray[Any]:
    return np.array([s.start for s in region.box])


def _surface(region: Region) -> NDArray[Any]:
    """Indices within the box of the voxels that have a face neighbour outside; shape (n, 3)."""
    return np.argwhere(region.mask & ~ndimage.binary_erosion(region.mask))


def _gaps(points: NDArray[np.float64], organ: Region, grid: Grid) -> NDArray[np.float64]:
    """Distance in mm of world points from the nearest voxel centre of an organ's surface."""
    tree = cKDTree(grid.world(_surface(organ) + _start(organ)))
    distances, _ = tree.query(points)
    return np.asarray(distances, dtype=np.float64)
