"""Regions of an organ by which a place in it is told: liver segments, head, body and tail, poles, lobes, sides.

They come from labels where every region of the organ has a class; else from landmarks, which are less certain; the
thirds of a kidney are cut along its own long axis. Where neither is possible, nothing is told.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.attached import apart
from tools.base import Case
from tools.dividers import Divider, Joined, Numbers, Painted, Planes
from tools.landmarks import landmark_planes
from tools.masks import connected, cropped, merge_regions, voxels_of
from tools.ontology import Ontology, is_pair, load_ontology
from tools.shape import touched_faces
from tools.structure_parts import cover, keys_within, labelled_regions, leaves
from tools.types import State
from tools.volume import Grid, LabelSet, Region

_POLES = ("kidney_upper_pole", "kidney_interpolar", "kidney_lower_pole")
# A kidney that lies flatter than this (cosine to the superior axis) has no upper and lower third.
_UPRIGHT = 0.25


@dataclass(frozen=True)
class Subregions:
    """How an organ is divided.

    Attributes:
        organ: canonical id.
        ids: the regions that are told apart; number n of `numbers` is ids[n - 1].
        missing: regions of it that nothing tells apart from the rest.
        method: what the division rests on, as a clause without digits.
        landmarks: whether it rests on landmarks alone.
        tolerance_mm: how far the borders may be off besides the resolution.
        divider: gives the number of any voxel.
        labels: the labels it was made from.
        place: mask of the organ, or of as much of it as is labelled; for `region`.
    """

    organ: str
    ids: tuple[str, ...]
    missing: tuple[str, ...]
    method: str
    divider: Divider
    labels: LabelSet = field(repr=False)
    landmarks: bool = False
    tolerance_mm: float = 0.0
    place: Region | None = field(default=None, repr=False)
    _known: dict[tuple[Any, ...], Numbers] = field(default_factory=dict, repr=False, compare=False)

    @property
    def grid(self) -> Grid:
        """The grid of the labels."""
        return self.labels.grid

    def numbers(self, ijk: NDArray[Any]) -> Numbers:
        """Numbers of the regions that voxels (n, 3) belong to or lie nearest to; 0 where that cannot be told."""
        return self.divider.numbers(ijk)

    def numbers_of(self, lesion: Region) -> Numbers:
        """Numbers of the voxels of one connected lesion, in the order of `voxels_of`; found once for each.

        All are 0 where it lies apart from the organ: it is in no region then, though some region is the nearest.
        """
        key = (*((s.start, s.stop) for s in lesion.box), hashlib.sha256(np.packbits(lesion.mask).tobytes()).digest())
        if key not in self._known:
            at = voxels_of(lesion)
            outside = apart(self.labels, self.organ, lesion)
            self._known[key] = np.zeros(len(at), np.uint8) if outside else self.numbers(at)
        return self._known[key]

    def holding(self, place: str) -> tuple[int, ...]:
        """Numbers of the regions that make up a region or several together; empty where they aren't told apart."""
        if place in self.ids:
            return (self.ids.index(place) + 1,)
        smallest = leaves(place, load_ontology())
        return tuple(self.ids.index(one) + 1 for one in smallest) if set(smallest) <= set(self.ids) else ()

    @property
    def cut(self) -> tuple[str, ...]:
        """The regions that reach a face of the scan, beyond which they may go on."""
        if isinstance(self.divider, Painted):
            return tuple(self.ids[number - 1] for number in self.divider.at_faces())
        return self.ids if self.place is not None and touched_faces(self.place, self.grid) else ()

    def region(self, ident: str) -> Region | None:
        """Mask of one region, cropped, or None where it has no voxel (or is not told apart)."""
        wanted = self.holding(ident)
        if self.place is None or not wanted:
            return None
        mask = self.place.mask.copy()
        mask[mask] = np.isin(self.numbers(voxels_of(self.place)), wanted)
        return cropped(self.place, mask)


@dataclass(frozen=True)
class Untold:
    """Why the regions of an organ can't be told apart; `state` is NOT_ASSESSED or NOT_MEASURABLE."""

    state: State
    reason: str


def subregions(case: Case, organ: str) -> Subregions | Untold:
    """The regions of an organ (``Structure.regions``), as they can be told in a case.

    Args:
        case: the case.
        organ: canonical id of an organ; of a pair (kidneys: its sides; lungs: all lobes) or of one side.
    """
    if case.labels is None:
        return Untold(State.NOT_ASSESSED, "no label map or segmentation was given")
    return divide(case.labels, organ)


def divide(labels: LabelSet, organ: str) -> Subregions | Untold:
    """The same from the labels alone; worked out once for each organ."""
    key = ("subregions", organ)
    if key not in labels.memo:
        labels.memo[key] = _divide(labels, organ, load_ontology())
    found: Subregions | Untold = labels.memo[key]
    return found


def finest(labels: LabelSet, organ: str) -> Subregions | Untold:
    """The smallest regions known of an organ: for a pair that is told by side, the regions of each side."""
    whole = divide(labels, organ)
    if isinstance(whole, Untold) or not is_pair(organ):
        return whole
    key = ("finest subregions", organ)
    if key not in labels.memo:
        labels.memo[key] = _finest(labels, organ, whole)
    found: Subregions = labels.memo[key]
    return found


def _finest(labels: LabelSet, organ: str, whole: Subregions) -> Subregions:
    inner = {side: divide(labels, side) for side in whole.ids if load_ontology().get(side).regions}
    known = {side: sub for side, sub in inner.items() if isinstance(sub, Subregions)}
    if not known:
        return whole
    ids = tuple(one for side in whole.ids for one in (known[side].ids if side in known else (side,)))
    tables = tuple(known[side].divider if side in known else None for side in whole.ids)
    sizes = tuple(len(known[side].ids) if side in known else 1 for side in whole.ids)
    methods = dict.fromkeys([whole.method, *(sub.method for sub in known.values())])
    return Subregions(organ, ids, whole.missing, ", then ".join(methods), Joined(whole.divider, tables, sizes), labels)


def _divide(labels: LabelSet, organ: str, ontology: Ontology) -> Subregions | Untold:
    one = ontology.get(organ)
    if not one.regions:
        if one.side is None:
            return Untold(State.NOT_ASSESSED, f"no regions of the {one.name} are told apart")
        return Subregions(organ, (organ,), (), "the side that the labels name", Planes.of_one(labels.grid), labels)
    ids, missing = labelled_regions(labels, organ, ontology)
    painted = _painted(labels, organ, ids, missing, ontology) if ids else None
    if painted is not None and not missing:
        return painted
    if organ in {f"kidney_{side}" for side in ("left", "right")}:
        return _thirds(labels, organ, ontology)
    planes = landmark_planes(labels, organ)
    if planes is not None:
        return Subregions(
            organ, planes.ids, planes.missing, planes.method, Planes(labels.grid, planes.classify), labels,
            landmarks=True, tolerance_mm=planes.tolerance_mm, place=labels.region(keys_within(labels, organ, ontology)),
        )  # fmt: skip
    if painted is not None:
        return painted
    return Untold(
        State.NOT_ASSESSED,
        f"the labels do not tell the regions of the {one.name} apart, and too few landmarks are labelled",
    )


def _painted(
    labels: LabelSet, organ: str, ids: tuple[str, ...], missing: tuple[str, ...], ontology: Ontology
) -> Subregions | None:
    """The regions as labelled, lesions of classes of their own included; None where all of them are empty."""
    pieces = [labels.region(keys) if (keys := keys_within(labels, one, ontology)) else None for one in ids]
    around = merge_regions([piece for piece in pieces if piece is not None])
    if around is None:
        return None
    index = np.zeros(around.mask.shape, dtype=np.uint8)
    for number, piece in enumerate(pieces, start=1):
        if piece is not None:
            inner = tuple(
                slice(s.start - b.start, s.stop - b.start) for s, b in zip(piece.box, around.box, strict=True)
            )
            view = index[inner]
            view[piece.mask & (view == 0)] = number
    by_side = set(ids) <= set(ontology.get(organ).parts) and is_pair(organ)
    method = "labels of the two sides" if by_side else f"labels of the regions of the {ontology.get(organ).name}"
    divider = Painted(labels.grid, around.box, index, fill=not missing)
    return Subregions(organ, ids, missing, method, divider, labels, place=around)


def _thirds(labels: LabelSet, kidney: str, ontology: Ontology) -> Subregions | Untold:
    """Upper, middle and lower third of a kidney with its lesions, along its long axis."""
    one = ontology.get(kidney)
    if labels.region(cover(labels, kidney, ontology)[0]) is None:
        return Untold(State.NOT_ASSESSED, f"the {one.name} is not labelled")
    whole = _with_lesions(labels, kidney, ontology)
    if touched_faces(whole, labels.grid):
        return Untold(State.NOT_MEASURABLE, f"the {one.name} is cut off by the field of view")
    points = labels.grid.world(voxels_of(whole))
    _, vectors = np.linalg.eigh(np.cov(points.T) + 1e-12 * np.eye(3))
    axis = vectors[:, 2] if vectors[2, 2] >= 0 else -vectors[:, 2]
    if axis[2] < _UPRIGHT:
        return Untold(State.NOT_MEASURABLE, f"the {one.name} lies across, so that it has no upper and lower part")
    along = points @ axis
    low, high = float(along.min()), float(along.max())

    def classify(points: NDArray[np.float64]) -> Numbers:
        share = (points @ axis - low) / max(high - low, 1e-9)
        return np.where(share >= 2 / 3, 1, np.where(share < 1 / 3, 3, 2)).astype(np.uint8)

    return Subregions(
        kidney, tuple(f"{pole}_{one.side}" for pole in _POLES), (), "thirds along the long axis of the kidney",
        Planes(labels.grid, classify), labels, place=whole,
    )  # fmt: skip


def _with_lesions(labels: LabelSet, side: str, ontology: Ontology) -> Region:
    """One of a pair with its lesions, those of a class for both sides as well where they lie nearer to it."""
    pieces = [labels.region(keys_within(labels, side, ontology))]
    pair = ontology.get(side).part_of or side
    told = divide(labels, pair)
    for ident, keys in labels.entries.items():
        lesion = ontology.get(ident)
        lesions = labels.region(keys) if lesion.kind == "lesion" and lesion.organ == pair else None
        if lesions is None or not isinstance(told, Subregions):
            continue
        for piece in connected(lesions):
            mask = piece.mask.copy()
            mask[mask] = np.isin(told.numbers_of(piece), told.holding(side))
            pieces.append(cropped(piece, mask))
    whole = merge_regions([piece for piece in pieces if piece is not None])
    assert whole is not None
    return whole
