"""A lesion that grows from a point that a person chose.

The rule, which is deterministic and knows nothing of lesion types: HU are smoothed by a Gaussian of 1 mm within the
place that the lesion may lie in. The seed is the median within 1.5 mm of the point (of its own voxel, where voxels are
larger), the surroundings are the median of the organ without its known lesions within 1.25 times the radius of the
point; where the organ's mask is not known, of all within that distance and beyond the radius that no other organ's
mask holds, where the lesion cannot lie either. A voxel belongs to the
lesion if its HU is nearer to the seed than to the surroundings, and not farther beyond the seed than those are on this
side of it (or 30 HU, if that is more); if it lies within the radius and in the organ (with its lesions, and with holes
that nothing fills); and if such voxels connect it to the point by their faces. Where a person says that it reaches
beyond the organ's mask, `tools.correct_beyond` has further limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import UsageError
from tools import correct_beyond as beyond
from tools.base import Case
from tools.correct_beyond import elsewhere
from tools.correct_model import Edit
from tools.correct_place import around_point, distances, voxel_at, within
from tools.masks import cropped
from tools.ontology import load_ontology
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


@dataclass(frozen=True)
class Grown:
    """A lesion that grew.

    Attributes:
        region: its voxels.
        note: what makes it doubtful, as a clause; empty where nothing does.
    """

    region: Region
    note: str


@dataclass(frozen=True)
class _Room:
    """Where a lesion may lie, within a box: `organ` is its organ's part of it, None where its mask is not known."""

    inside: NDArray[np.bool_]
    organ: NDArray[np.bool_] | None = None
    name: str = ""


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
    box = around_point(scan.grid, at, edit.radius_mm * _AROUND)
    distance = distances(scan.grid, box, edit.point)
    room = _room(case, edit, at, box)
    here = labels.region(labels.entries.get(edit.structure, ())) if labels is not None else None
    if here is not None and within(here, box)[_inner(at, box)]:
        raise UsageError(f"the mask of “{lesion.name}” has the point already.")
    if room.organ is not None and edit.beyond_organ:
        # Each side by itself: between bright organ and dark fat a mixture would look like a lesion along the border.
        own = room.inside & room.organ
        beside = _smoothed(scan.hu[box], room.inside & ~own, scan.grid)
        smooth = np.where(own, _smoothed(scan.hu[box], own, scan.grid), beside)
    else:
        smooth = _smoothed(scan.hu[box], room.inside, scan.grid)
    seed = _seed(smooth, distance, room.inside, _inner(at, box))
    like, contrast = _lesions_own(
        smooth, distance, seed, room, room.inside & ~_lesions(case, box), edit, _inner(at, box)
    )
    reach = room.inside & (distance <= edit.radius_mm)
    reach[_inner(at, box)] = True
    fits = reach & like
    fits[_inner(at, box)] = True
    parts, _ = ndimage.label(fits)  # its default connects by faces
    grown = parts == parts[_inner(at, box)]
    found = cropped(Region(box=box, mask=grown), grown)
    assert found is not None
    doubts = _doubts(grown, reach, contrast)
    if room.organ is not None and (grown & ~room.organ).any():
        doubts = "; ".join(one for one in (beyond.told(grown, room.organ, room.name), doubts) if one)
    return Grown(found, doubts)


def _room(case: Case, edit: Edit, at: tuple[int, int, int], box: Box) -> _Room:
    """The place that a lesion may lie in.

    Raises:
        UsageError: the point lies outside of it.
    """
    ontology = load_ontology()
    scan, labels, organ = case.scan, case.labels, ontology.get(edit.structure).organ
    hu = scan.hu[box]
    inside = np.ones(hu.shape, np.bool_) if scan.padding is None else hu != scan.padding
    if labels is None or organ is None:
        return _Room(inside)
    name = ontology.get(organ).name
    known = region(labels, organ, with_lesions=True)
    if known is None:
        others = elsewhere(labels, organ, box)
        taken = next((other for other, mask in others.items() if mask[_inner(at, box)]), None)
        if taken is not None:
            raise UsageError(f"the point lies in the mask of the {ontology.get(taken).name}; choose one outside of it.")
        for mask in others.values():
            inside &= ~mask
        return _Room(inside)
    own = _place(labels, known, box)
    if edit.beyond_organ:
        inside &= own | beyond.place(labels, organ, box)
        beyond.check_point(scan, known, edit, at, name, free=bool(inside[_inner(at, box)]))
    elif not own[_inner(at, box)]:
        raise UsageError(
            f"the point lies outside of the mask of the {name}; choose one within it, or say that the lesion reaches "
            "beyond the mask of its organ (beyond_organ)."
        )
    else:
        inside &= own
    return _Room(inside, own, name)


def _lesions_own(
    smooth: NDArray[np.float32], distance: NDArray[np.float32], seed: float, room: _Room, free: NDArray[np.bool_],
    edit: Edit, at: tuple[int, int, int],
) -> tuple[NDArray[np.bool_], float]:  # fmt: skip
    """Which HU are the lesion's rather than its surroundings', and how far (HU) those are from it."""
    if edit.beyond_organ and room.organ is not None:
        beyond.check_seed(seed, room.name)
    if room.organ is None or not edit.beyond_organ or not (free & ~room.organ & (distance > SEED_MM)).any():
        around = _around(smooth, free, distance, edit.radius_mm, organ_known=room.organ is not None)
        return _like(smooth, seed, around), abs(seed - around)
    around = _around(smooth, free & ~room.organ, distance, edit.radius_mm, organ_known=False)
    like = beyond.soft(smooth) & _like(smooth, seed, around)
    if (free & room.organ).any():
        # Within the organ it has to be told from the organ, which is no surroundings of what lies beyond.
        within_it = float(np.median(smooth[free & room.organ]))
        like &= ~room.organ | _like(smooth, seed, within_it)
        if room.organ[at]:
            # However dark the fat beyond is: what looks like the organ that it lies in is no lesion for certain.
            return like, min(abs(seed - around), abs(seed - within_it))
    return like, abs(seed - around)


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
