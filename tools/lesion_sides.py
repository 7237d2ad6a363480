"""Give the lesions of a class that spans several parts (both kidneys) to the part they belong to."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from tools.ontology import Ontology, load_ontology
from tools.structure_parts import cover, siblings
from tools.volume import Grid, LabelSet, Region


def divisible(labels: LabelSet, part: str, lesion_class: str, ontology: Ontology) -> bool:
    """Whether lesions of a class can be told apart by part: every sibling was labelled, one has voxels."""
    whole = ontology.get(lesion_class).organ or ""
    covered = [cover(labels, one, ontology) for one in siblings(part, whole, ontology)]
    return bool(covered) and all(found for _, found, _ in covered) and any(
        key in labels.boxes for keys, _, _ in covered for key in keys
    )  # fmt: skip


def share_of_part(labels: LabelSet, lesion_class: str, part: str) -> Region | None:
    """Those 26-connected components of a lesion class that lie nearest to a part, nearer than to its siblings.

    Args:
        labels: the label set.
        lesion_class: a declared lesion class of a whole organ ("kidney_tumor").
        part: canonical id of one part or side of that organ ("kidney_left").

    Returns:
        The components joined, or None where none belongs to the part or nothing tells the parts apart.
    """
    ontology = load_ontology()
    lesions = labels.region(labels.entries[lesion_class])
    if lesions is None or not divisible(labels, part, lesion_class, ontology):
        return None
    components: NDArray[Any] = cc3d.connected_components(lesions.mask, connectivity=26)
    at = _surface(lesions)
    owner = components[tuple(at.T)]
    count = int(components.max())
    points = labels.grid.world(at + _corner(lesions))
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
    return _cropped(lesions, np.isin(components, chosen))


def merge_regions(regions: list[Region]) -> Region | None:
    """Union of regions as one cropped mask, or None for an empty list."""
    if len(regions) < 2:
        return regions[0] if regions else None
    low = [min(r.box[axis].start for r in regions) for axis in range(3)]
    high = [max(r.box[axis].stop for r in regions) for axis in range(3)]
    mask = np.zeros([b - a for a, b in zip(low, high, strict=True)], dtype=np.bool_)
    for one in regions:
        inner = tuple(slice(s.start - a, s.stop - a) for s, a in zip(one.box, low, strict=True))
        mask[inner] |= one.mask
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return Region(box=(box[0], box[1], box[2]), mask=mask)


def _cropped(around: Region, mask: NDArray[np.bool_]) -> Region:
    inner = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = tuple(slice(outer.start + s.start, outer.start + s.stop) for outer, s in zip(around.box, inner, strict=True))
    return Region(box=(box[0], box[1], box[2]), mask=np.ascontiguousarray(mask[inner]))


def _corner(region: Region) -> NDArray[Any]:
    return np.array([s.start for s in region.box])


def _surface(region: Region) -> NDArray[Any]:
    """Indices within the box of the voxels that have a face neighbour outside; shape (n, 3)."""
    return np.argwhere(region.mask & ~ndimage.binary_erosion(region.mask))


def _gaps(points: NDArray[np.float64], organ: Region, grid: Grid) -> NDArray[np.float64]:
    """Distance in mm of world points from the nearest voxel centre of an organ's surface."""
    tree = cKDTree(grid.world(_surface(organ) + _corner(organ)))
    distances, _ = tree.query(points)
    return np.asarray(distances, dtype=np.float64)
