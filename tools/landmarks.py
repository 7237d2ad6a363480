"""Borders of regions from landmarks, where no label tells the regions apart: an approximation, and said to be one.

Liver: planes through the inferior vena cava and the three hepatic veins part the sectors, the level at which the
portal vein meets the middle plane parts upper and lower segments (Couinaud's scheme in its plane approximation;
Strasberg, HPB 2005, for the terms). With the gallbladder in place of the veins, only the lobes can be told.

Pancreas: the left border of the superior mesenteric and portal vein parts head and body, the left border of the
aorta body and tail (the limits of the UICC TNM classification).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tools.dividers import Numbers
from tools.masks import components, voxels_of
from tools.ontology import load_ontology
from tools.structure_parts import cover
from tools.volume import FloatArray, LabelSet

_LIVER_TOLERANCE = 10.0
_PANCREAS_TOLERANCE = 5.0
LANDMARKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "liver": ("inferior_vena_cava", "hepatic_vein", "portal_vein", "gallbladder"),
        "pancreas": ("superior_mesenteric_vein", "portal_vein", "aorta"),
    }
)
"""Structures that show where an organ's regions end, by organ."""
# mm around the vena cava in which the hepatic veins run together
_CONFLUENCE = 20.0
# A branch that holds less than this share of the veins is a twig.
_TWIG = 0.08
# Branches that leave in directions closer than this are one vein.
_APART = np.radians(18.0)
# Behind the portal vein and this near to the vena cava (mm) lies the caudate lobe.
_CAUDATE = 40.0
_BY_MIDDLE_PLANE = 10.0
_SEGMENTS = tuple(f"liver_segment_{n}" for n in range(1, 9))


@dataclass(frozen=True)
class LandmarkPlanes:
    """A division by landmarks.

    Attributes:
        ids: the regions; number n is ids[n - 1].
        missing: regions that these landmarks don't tell apart.
        method: which landmarks, as a clause without digits.
        tolerance_mm: how far the borders may be off.
        classify: numbers of world points (n, 3) in mm.
    """

    ids: tuple[str, ...]
    missing: tuple[str, ...]
    method: str
    tolerance_mm: float
    classify: Callable[[FloatArray], Numbers]


def landmark_planes(labels: LabelSet, organ: str) -> LandmarkPlanes | None:
    """The regions of an organ by landmarks, or None where too few of these are labelled."""
    if organ == "liver":
        return _liver(labels)
    return _pancreas(labels) if organ == "pancreas" else None


def _points(labels: LabelSet, structure: str, low: float = -np.inf, high: float = np.inf) -> FloatArray:
    """World mm of a structure's voxels between two heights; shape (n, 3)."""
    found = labels.region(cover(labels, structure, load_ontology())[0])
    if found is None:
        return np.empty((0, 3))
    points = labels.grid.world(voxels_of(found))
    return points[(points[:, 2] >= low) & (points[:, 2] <= high)]


def _heights(labels: LabelSet, organ: str) -> tuple[float, float] | None:
    """Lowest and highest voxel centre of an organ in world mm."""
    found = labels.region(cover(labels, organ, load_ontology())[0])
    if found is None:
        return None
    # Height is linear along a line of voxels: its ends are the extremes, and far fewer than all voxels.
    i, j = np.nonzero(found.mask.any(axis=2))
    lines = found.mask[i, j]
    ends = (lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1))
    at = np.concatenate([np.stack([i, j, k], axis=1) for k in ends]) + [s.start for s in found.box]
    heights = labels.grid.world(at)[:, 2]
    return float(heights.min()), float(heights.max())


# -- pancreas -------------------------------------------------------------------------------------------------


def _pancreas(labels: LabelSet) -> LandmarkPlanes | None:
    heights = _heights(labels, "pancreas")
    if heights is None:
        return None
    veins = np.concatenate([_points(labels, one, *heights) for one in ("superior_mesenteric_vein", "portal_vein")])
    aorta = _points(labels, "aorta", *heights)
    if not len(veins) or not len(aorta):
        return None
    # In RAS+ the patient's left is −x; a voxel reaches half its width beyond its centre.
    half = float(np.abs(labels.grid.affine[0, :3]).sum()) / 2
    head, tail = float(veins[:, 0].min()) - half, float(aorta[:, 0].min()) - half
    if tail >= head:
        return None

    def classify(points: FloatArray) -> Numbers:
        return np.where(points[:, 0] >= head, 1, np.where(points[:, 0] >= tail, 2, 3)).astype(np.uint8)

    method = "landmark planes at the left borders of the mesenteric and portal vein and of the aorta"
    return LandmarkPlanes(
        ("pancreas_head", "pancreas_body", "pancreas_tail"), (), method, _PANCREAS_TOLERANCE, classify
    )


# -- liver ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cava:
    """The course of the vena cava behind the liver: x and y as linear functions of height."""

    slopes: FloatArray
    starts: FloatArray

    def away(self, points: FloatArray) -> FloatArray:
        """(n, 2) mm to the right and to the front of the vena cava at the same height."""
        return points[:, :2] - (points[:, 2:] * self.slopes + self.starts)

    def direction(self, points: FloatArray) -> FloatArray:
        """(n,) angle about the vena cava, 0 to the front, positive to the patient's right."""
        away = self.away(points)
        return np.arctan2(away[:, 0], away[:, 1])


def _liver(labels: LabelSet) -> LandmarkPlanes | None:
    heights = _heights(labels, "liver")
    cava = _cava(labels, heights) if heights is not None else None
    if heights is None or cava is None:
        return None
    veins = _vein_directions(labels, cava, heights)
    gallbladder = _points(labels, "gallbladder")
    if veins is None and not len(gallbladder):
        return None
    middle = veins[1] if veins is not None else float(cava.direction(gallbladder.mean(axis=0, keepdims=True))[0])
    portal = _portal_point(labels, cava, middle, heights)
    if veins is None or portal is None:
        return _lobes(cava, middle, by_vein=veins is not None)
    left, _, right = veins

    def classify(points: FloatArray) -> Numbers:
        away, turn = cava.away(points), _about(cava.direction(points), middle)
        upper = points[:, 2] >= portal[2]
        numbers = np.where(turn >= right, np.where(upper, 7, 6), np.where(upper, 8, 5))
        numbers = np.where(turn < middle, 4, numbers)
        numbers = np.where(turn < left, np.where(upper, 2, 3), numbers)
        caudate = (points[:, 1] < portal[1]) & (turn < middle) & (np.linalg.norm(away, axis=1) < _CAUDATE)
        return np.where(caudate, 1, numbers).astype(np.uint8)

    method = (
        "landmark planes through the vena cava and the three hepatic veins, and the level of the portal bifurcation; "
        "the caudate lobe is what lies near the vena cava behind the portal vein"
    )
    return LandmarkPlanes(_SEGMENTS, (), method, _LIVER_TOLERANCE, classify)


def _lobes(cava: _Cava, middle: float, *, by_vein: bool) -> LandmarkPlanes:
    def classify(points: FloatArray) -> Numbers:
        return np.where(_about(cava.direction(points), middle) >= middle, 2, 1).astype(np.uint8)

    through = "the middle hepatic vein" if by_vein else "the gallbladder"
    method = f"a landmark plane through the vena cava and {through}; the caudate lobe is not told apart"
    ids = ("liver_left_lobe", "liver_right_lobe")
    return LandmarkPlanes(ids, ("liver_segment_1",), method, _LIVER_TOLERANCE, classify)


def _about(turn: FloatArray, middle: float) -> FloatArray:
    """Angles within half a turn of the middle plane."""
    return middle + (turn - middle + np.pi) % (2 * np.pi) - np.pi


def _cava(labels: LabelSet, heights: tuple[float, float]) -> _Cava | None:
    points = _points(labels, "inferior_vena_cava", *heights)
    if not len(points):
        return None
    middle = points.mean(axis=0)
    spread = points - middle
    slopes = spread[:, 2] @ spread[:, :2] / max(float(spread[:, 2] @ spread[:, 2]), 1e-9)
    return _Cava(slopes, middle[:2] - slopes * middle[2])


def _vein_directions(labels: LabelSet, cava: _Cava, heights: tuple[float, float]) -> tuple[float, float, float] | None:
    """Directions of left, middle and right hepatic vein about the vena cava; None unless three are told apart."""
    veins = labels.region(cover(labels, "hepatic_vein", load_ontology())[0])
    if veins is None:
        return None
    at = np.argwhere(veins.mask)
    points = labels.grid.world(at + [s.start for s in veins.box])
    outer = np.linalg.norm(cava.away(points), axis=1) > _CONFLUENCE
    outer &= (points[:, 2] >= heights[0]) & (points[:, 2] <= heights[1])
    mask = np.zeros_like(veins.mask)
    mask[tuple(at[outer].T)] = True
    branches = components(mask)[tuple(at[outer].T)]
    turns, weights = cava.direction(points[outer]), []
    found: list[float] = []
    for branch in np.unique(branches):
        own = turns[branches == branch]
        if len(own) >= _TWIG * len(turns):
            found.append(float(np.arctan2(np.sin(own).mean(), np.cos(own).mean())))
            weights.append(len(own))
    order = np.argsort(found)
    groups: list[list[int]] = []
    for one in order:
        if groups and found[one] - found[groups[-1][-1]] < _APART:
            groups[-1].append(int(one))
        else:
            groups.append([int(one)])
    if len(groups) != 3:
        return None
    left, middle, right = (float(np.average([found[i] for i in g], weights=[weights[i] for i in g])) for g in groups)
    return left, middle, right


def _portal_point(labels: LabelSet, cava: _Cava, middle: float, heights: tuple[float, float]) -> FloatArray | None:
    """World mm where the portal vein meets the middle plane in front of the vena cava: about its bifurcation."""
    points = np.concatenate([_points(labels, one, *heights) for one in ("portal_vein", "portal_vein_and_splenic_vein")])
    if not len(points):
        return None
    away = cava.away(points)
    ahead = away @ np.array([np.sin(middle), np.cos(middle)])
    aside = away @ np.array([np.cos(middle), -np.sin(middle)])
    near = points[(np.abs(aside) <= _BY_MIDDLE_PLANE) & (ahead > 0)]
    return np.asarray(np.median(near, axis=0)) if len(near) else None
