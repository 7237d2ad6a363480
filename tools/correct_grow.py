"""A lesion that grows from a point that a person chose.

The rule, which is deterministic and knows nothing of lesion types: HU are smoothed by a Gaussian of 1 mm within the
place that the lesion may lie in. The seed is the median within 1.5 mm of the point (of its own voxel, where voxels are
larger), the surroundings are the median of the organ without its known lesions within 1.25 times the radius of the
point; where the organ's mask is not known, of all within that distance and beyond the radius that no other organ's
mask holds, where the lesion cannot lie either. A voxel belongs to the
lesion if its HU is nearer to the seed than to the surroundings, and not farther beyond the seed than those are on this
side of it (or 30 HU, if that is more); if it lies within the radius and in the organ (with its lesions, and with holes
that nothing fills); and if such voxels connect it to the point by their faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import UsageError
from tools.base import Case
from tools.correct_model import Edit
from tools.correct_place import voxel_at, within
from tools.masks import cropped
from tools.ontology import load_ontology
from tools.structure_parts import holds
from tools.structures import region
from tools.volume import Box, Grid, LabelSet, Region

SMOOTH_MM = 1.0
SEED_MM = 1.5
_AROUND = 1.25
_FEWEST = 8
"""A lesion of fewer voxels than this is told to be too small to rely on."""
_FULL = 0.98
_LOW_CONTRAST_HU = 10.0
_BEYOND_HU = 30.0
_SOLID = frozenset({"organ", "bone", "muscle", "vessel"})


@dataclass(frozen=True)
class Grown:
    """A lesion that grew.

    Attributes:
        region: its voxels.
        note: what makes it doubtful, as a clause; empty where nothing does.
    """

    region: Region
    note: str


def grow(case: Case, edit: Edit) -> Grown:
    """Let a lesion grow from a point.

    Args:
        case: the scan, with labels that may hold the organ's mask.
        edit: structure, point (world mm) and radius (mm).

    Raises:
        UsageError: no lesion is meant, or the point lies outside of the scan, of its organ, or in the lesion already.
    """
    ontology = load_ontology()
    lesion = ontology.get(edit.structure)
    if lesion.kind != "lesion" or lesion.id != edit.structure:
        raise UsageError(f"“{lesion.name}” is no lesion; only lesions can be added.")
    scan, labels = case.scan, case.labels
    at = voxel_at(scan.grid, edit.point)
    if at is None or (scan.padding is not None and scan.hu[at] == scan.padding):
        raise UsageError("the point lies outside of the scan; choose one within it.")
    box = _box(scan.grid, edit, at)
    distance = _distances(scan.grid, box, edit)
    hu = scan.hu[box]
    inside = np.ones(hu.shape, np.bool_) if scan.padding is None else hu != scan.padding
    known = region(labels, lesion.organ, with_lesions=True) if labels is not None and lesion.organ is not None else None
    lesions = _lesions(case, box)
    if known is not None and labels is not None:
        inside &= _place(labels, known, box)
        organ = ontology.get(str(lesion.organ)).name
        if not inside[_inner(at, box)]:
            raise UsageError(f"the point lies outside of the mask of the {organ}; choose one within it.")
    elif labels is not None and lesion.organ is not None:
        others = _elsewhere(labels, lesion.organ, box)
        taken = next((name for name, mask in others.items() if mask[_inner(at, box)]), None)
        if taken is not None:
            raise UsageError(f"the point lies in the mask of the {ontology.get(taken).name}; choose one outside of it.")
        for mask in others.values():
            inside &= ~mask
    here = labels.region(labels.entries.get(edit.structure, ())) if labels is not None else None
    own = within(here, box) if here is not None else np.zeros(hu.shape, np.bool_)
    if own[_inner(at, box)]:
        raise UsageError(f"the mask of “{lesion.name}” has the point already.")
    smooth = _smoothed(hu, inside, scan.grid)
    seed = _seed(smooth, distance, inside, _inner(at, box))
    around = _around(smooth, inside & ~lesions, distance, edit.radius_mm, organ_known=known is not None)
    reach = inside & (distance <= edit.radius_mm)
    reach[_inner(at, box)] = True
    fits = reach & _like(smooth, seed, around)
    fits[_inner(at, box)] = True
    parts, _ = ndimage.label(fits)  # its default connects by faces
    grown = parts == parts[_inner(at, box)]
    found = cropped(Region(box=box, mask=grown), grown)
    assert found is not None
    return Grown(found, _doubts(grown, reach, abs(seed - around)))


def _like(smooth: NDArray[np.float32], seed: float, around: float) -> NDArray[np.bool_]:
    """Which HU are the lesion's rather than its surroundings'."""
    beyond = (smooth - seed) * (1.0 if seed >= around else -1.0)
    contrast = abs(seed - around)
    like: NDArray[np.bool_] = (beyond > -contrast / 2) & (beyond <= max(contrast, _BEYOND_HU))
    return like


def _doubts(grown: NDArray[np.bool_], reach: NDArray[np.bool_], contrast: float) -> str:
    voxels, most = int(np.count_nonzero(grown)), int(np.count_nonzero(reach))
    doubts = []
    if voxels < _FEWEST:
        doubts.append(f"what was added has only {voxels} voxel{'s' if voxels != 1 else ''}")
    elif voxels >= _FULL * most:
        doubts.append("what was added fills all of the region that it was allowed, so that its border is not its own")
    if contrast < _LOW_CONTRAST_HU:
        doubts.append("it hardly stands out from what lies around it")
    return "; ".join(doubts)


def _inner(at: tuple[int, int, int], box: Box) -> tuple[int, int, int]:
    return at[0] - box[0].start, at[1] - box[1].start, at[2] - box[2].start


def _box(grid: Grid, edit: Edit, at: tuple[int, int, int]) -> Box:
    """The voxels that may lie within the distance that is looked at: as far as a step along each axis leads out."""
    # The rows of the inverse are the normals of the slices; their lengths, voxels for each mm along them.
    steps = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1) * edit.radius_mm * _AROUND
    sides = [
        slice(max(0, index - int(np.ceil(step)) - 1), min(length, index + int(np.ceil(step)) + 2))
        for index, step, length in zip(at, steps, grid.shape, strict=True)
    ]
    return sides[0], sides[1], sides[2]


def _distances(grid: Grid, box: Box, edit: Edit) -> NDArray[np.float32]:
    """Distance in mm of the centre of every voxel of a box from the point; shape of the box."""
    total: Any = np.float32(0)
    i, j, k = np.ogrid[box]
    for row, middle in zip(grid.affine[:3], edit.point, strict=True):
        along = i * row[0] + j * row[1] + k * row[2] + (row[3] - middle)
        total = total + np.square(along.astype(np.float32))
    distances: NDArray[np.float32] = np.sqrt(total)
    return distances


def _smoothed(hu: NDArray[Any], inside: NDArray[np.bool_], grid: Grid) -> NDArray[np.float32]:
    sigma = [SMOOTH_MM / length for length in grid.spacing]
    # Of the place alone: what lies beyond its border would make a rim that looks like a lesion.
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="nearest")
    total = ndimage.gaussian_filter(np.where(inside, hu, 0).astype(np.float32), sigma, mode="nearest")
    smooth: NDArray[np.float32] = np.divide(total, weight, out=np.zeros_like(total), where=inside)
    # Rounding noise differs between orders of the axes; the border must not.
    return np.round(smooth, 2)


def _seed(
    smooth: NDArray[np.float32], distance: NDArray[np.float32], inside: NDArray[np.bool_], at: tuple[int, int, int]
) -> float:
    near = inside & (distance <= SEED_MM)
    near[at] = True
    return float(np.median(smooth[near]))


def _around(
    smooth: NDArray[np.float32], free: NDArray[np.bool_], distance: NDArray[np.float32], radius: float,
    *, organ_known: bool,
) -> float:  # fmt: skip
    far = distance <= radius * _AROUND
    around = free & far & (distance > (SEED_MM if organ_known else radius))
    if not around.any():
        around = free & (distance > SEED_MM)
    if not around.any():
        raise UsageError("nothing lies around the point that it could be told from; choose a larger radius.")
    return float(np.median(smooth[around]))


def _place(labels: LabelSet, organ: Region, box: Box) -> NDArray[np.bool_]:
    """An organ within a box, with those holes in its mask that nothing fills: what nobody labelled lies there."""
    holes = within(Region(organ.box, ndimage.binary_fill_holes(organ.mask) & ~organ.mask), box)
    if holes.any():
        used = {key for keys in labels.entries.values() for key in keys}
        for number, layer in enumerate(labels.layers):
            holes &= ~np.isin(layer[box], [value for one, value in used if one == number])
    return within(organ, box) | holes


def _elsewhere(labels: LabelSet, organ: str, box: Box) -> dict[str, NDArray[np.bool_]]:
    """What other structures than an organ show within a box, by canonical id; the body and findings hold anything."""
    ontology = load_ontology()
    found = {}
    for name, keys in labels.entries.items():
        other = ontology.get(name).kind in _SOLID and not (holds(organ, name, ontology) or holds(name, organ, ontology))
        mask = labels.region(keys) if other else None
        if mask is not None and (here := within(mask, box)).any():
            found[name] = here
    return found


def _lesions(case: Case, box: Box) -> NDArray[np.bool_]:
    """Voxels of a box in which a known lesion lies."""
    found = np.zeros([side.stop - side.start for side in box], dtype=np.bool_)
    if case.labels is None:
        return found
    ontology = load_ontology()
    for name, keys in case.labels.entries.items():
        one = ontology.get(name)
        if one.kind == "lesion" and (mask := case.labels.region(keys)) is not None:
            found |= within(mask, box)
    return found
