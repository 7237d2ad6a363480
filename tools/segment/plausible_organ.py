"""What one mask tells by itself: is it there, its volume, its tissue, its pieces, flat faces, air around the body."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from tools.masks import connected, voxels_of
from tools.ontology import Structure, is_pair, load_ontology
from tools.segment.plausible_facts import Facts, Mask
from tools.segment.plausible_flag import Flag
from tools.structures import region

STRAY_SHARE = 0.05
"""Islands below this share of a mask may be taken off; more than that outside the main piece is noted."""
LEAST_MAIN_SHARE = 0.6
TOGETHER_MM = 20.0
"""Pieces that near to the main piece may belong to it: thin bridges get lost in fat and between thick slices."""
OUTSIDE_NOTED, OUTSIDE_REFUSED = 0.05, 0.25
LEAST_SAMPLE = 30
"""Masks with fewer sampled voxels are mostly partial volume: their HU are not judged."""
# By tissue, for structures without limits of their own; as in tools/segment/fit.py.
_SOFT_MEDIAN, _BONE_UPPER, _AIR_MEDIAN = -50.0, 110.0, -300.0
_SPINE = tuple(f"vertebrae_{n}" for n in (*(f"C{i}" for i in range(1, 8)), *(f"T{i}" for i in range(1, 13)),
                                          *(f"L{i}" for i in range(1, 6))))  # fmt: skip


def check_empty(facts: Facts) -> Iterator[Flag]:
    """Declared structures without voxels whose neighbours are all wholly in the scan."""
    ontology = load_ontology()
    for ident in facts.empty:
        structure = ontology.get(ident)
        if structure.kind in {"lesion", "finding", "user", "cavity"} or _shown_by_parts(facts, structure):
            continue
        norm = facts.norms.of(ident)
        near = [*structure.near, *norm.near]
        series = _beside_in_spine(ident)
        around = [one for one in near if one in facts.masks] or [one for one in series if one in facts.masks]
        # Of a row of bones both neighbours must be there: the row may as well begin here.
        if not around or (not near and len(around) < 2) or not all(facts.masks[one].whole for one in around):
            continue
        other = f"{structure.base}_{'left' if structure.side == 'right' else 'right'}" if structure.side else None
        lacking = norm.may_lack and (other is None or other in facts.masks)
        names = " and ".join(facts.name(one) for one in around)
        why = "people live without it" if lacking else "it must be there"
        yield Flag(
            ident, "empty", "note" if lacking else "refuse",
            f"its mask is empty although the {names} {'is' if len(around) == 1 else 'are'} wholly in the scan, "
            f"and {why}", {"voxels": 0},
        )  # fmt: skip


def _shown_by_parts(facts: Facts, structure: Structure) -> bool:
    """Whether a class stands for both sides, or its parts are labelled instead of it."""
    return is_pair(structure.id) or any(part in facts.masks for part in structure.parts)


def _beside_in_spine(ident: str) -> tuple[str, ...]:
    if ident not in _SPINE:
        return ()
    at = _SPINE.index(ident)
    return _SPINE[max(0, at - 1) : at] + _SPINE[at + 1 : at + 2]


def check_volume(facts: Facts) -> Iterator[Flag]:
    """Volumes outside of the table's limits; of a mask that is cut off only too large ones."""
    for ident, mask in facts.organs():
        norm = facts.norms.of(ident)
        for limits, severity in ((norm.possible, "refuse"), (norm.usual, "note")):
            if limits is None:
                continue
            ml = mask.ml
            if mask.whole and ml < limits[0]:  # lesions are carved out of it
                ml = _with_lesions(facts, ident)
            if ml > limits[1] or (mask.whole and ml < limits[0]):
                yield Flag(
                    ident, "volume", "refuse" if severity == "refuse" else "note",
                    f"its volume is {ml:.{0 if ml >= 10 else 2}f} ml, and {limits[0]:g} to {limits[1]:g} ml "
                    f"{'are possible' if severity == 'refuse' else 'are usual'} in adults",
                    {"ml": round(ml, 3), "least_ml": limits[0], "most_ml": limits[1]},
                )  # fmt: skip
                break


def _with_lesions(facts: Facts, ident: str) -> float:
    whole = region(facts.labels, ident, with_lesions=True)
    return whole.voxels * facts.scan.grid.voxel_volume / 1000 if whole is not None else 0.0


def check_tissue(facts: Facts) -> Iterator[Flag]:
    """HU that the structure can't consist of."""
    for ident, mask in facts.organs():
        if mask.hu.size < LEAST_SAMPLE:
            continue
        norm, tissue = facts.norms.of(ident), mask.structure.tissue
        limits = norm.hu_by_phase.get(facts.phase or "", norm.hu)
        median = mask.median
        if limits is None and tissue == "soft":
            limits = (_SOFT_MEDIAN, 1000.0)
        if limits is None and tissue == "air":
            limits = (-1100.0, _AIR_MEDIAN)
        if limits is not None and not limits[0] <= median <= limits[1]:
            # An opaque lung is disease.
            noted = tissue == "air" and median > limits[1]
            yield _hu_flag(ident, "note" if noted else "refuse", "median", median, limits)
            continue
        upper = float(np.percentile(mask.hu, 75))
        if tissue == "bone" and upper < _BONE_UPPER:
            yield _hu_flag(ident, "refuse", "upper quartile", upper, (_BONE_UPPER, 3000.0))
            continue
        fat = float(np.mean(mask.hu < _SOFT_MEDIAN))
        if norm.fat_share is not None and fat > norm.fat_share:
            yield Flag(
                ident, "hu", "refuse",
                f"{fat:.0%} of it lie below {_SOFT_MEDIAN:.0f} HU (fat or gas), and at most {norm.fat_share:.0%} can",
                {"share": round(fat, 3), "most": norm.fat_share},
            )  # fmt: skip


def _hu_flag(ident: str, severity: str, what: str, value: float, limits: tuple[float, float]) -> Flag:
    return Flag(
        ident, "hu", "refuse" if severity == "refuse" else "note",
        f"its {what} is {value:.0f} HU, and {limits[0]:.0f} to {limits[1]:.0f} HU are possible",
        {"hu": round(value, 1), "least_hu": limits[0], "most_hu": limits[1]},
    )  # fmt: skip


def check_fragments(facts: Facts) -> Iterator[Flag]:
    """Organs of one piece that fell apart."""
    for ident, mask in facts.organs():
        # Of paired bones and muscles the scan shows parts; pieces on the other side are the business of the sides.
        if facts.norms.of(ident).pieces != "one" or len(mask.pieces) < 2:
            continue
        total = sum(piece.voxels for piece in mask.pieces)
        main = mask.pieces[0].voxels / total
        together = main if main >= LEAST_MAIN_SHARE else _together(facts, mask)
        measured = {"pieces": len(mask.pieces), "main_share": round(main, 3), "together_share": round(together, 3)}
        if together < LEAST_MAIN_SHARE and mask.whole:
            yield Flag(
                ident, "fragments", "refuse",
                f"its main piece with all within {TOGETHER_MM:.0f} mm of it holds {together:.0%} of the mask in "
                f"{len(mask.pieces)} pieces, and at least {LEAST_MAIN_SHARE:.0%} are expected", measured,
            )  # fmt: skip
        elif main < 1:
            yield Flag(
                ident,
                "fragments",
                "note",
                f"it is in {len(mask.pieces)} pieces, of which the largest holds {main:.1%}; one piece is expected",
                measured,
            )


def _together(facts: Facts, mask: Mask) -> float:
    """Share of the mask within reach of its largest piece, from piece to piece."""
    grid = facts.scan.grid
    parts = sorted(connected(mask.region), key=lambda one: -one.voxels)
    parts = [one for one in parts if one.voxels >= 0.01 * mask.region.voxels]
    points = [grid.world(voxels_of(one)) for one in parts]
    joined, left = points[0][:: max(1, len(points[0]) // 20_000)], points[1:]
    count = parts[0].voxels
    grew = True
    while grew and left:
        tree = cKDTree(joined)
        near = [bool((tree.query(one[:: max(1, len(one) // 5_000)])[0] <= TOGETHER_MM).any()) for one in left]
        grew = any(near)
        count += sum(len(one) for one, is_near in zip(left, near, strict=True) if is_near)
        joined = np.concatenate([joined, *(one for one, is_near in zip(left, near, strict=True) if is_near)])
        left = [one for one, is_near in zip(left, near, strict=True) if not is_near]
    return count / mask.region.voxels


def check_outside(facts: Facts) -> Iterator[Flag]:
    """Masks that reach into the air around the body, or into padding."""
    for ident, mask in facts.masks.items():
        # Where a scan is cropped to within the body, lungs and gas may be joined to its border.
        airy = mask.structure.tissue == "air"
        if mask.outside <= OUTSIDE_NOTED or (airy and mask.faces):
            continue
        yield Flag(
            ident, "outside_body", "refuse" if mask.outside > OUTSIDE_REFUSED else "note",
            f"{mask.outside:.0%} of it lie in the air around the body or in padding, and none should",
            {"share": round(mask.outside, 3)},
        )  # fmt: skip
