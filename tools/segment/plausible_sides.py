"""Left and right: the same mask twice, sides exchanged, a body that is mirrored as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tools.segment.plausible_facts import Facts, Mask, side_of
from tools.segment.plausible_flag import Flag
from tools.segment.plausible_place import misplaced_sides, shared

DUPLICATED_SHARE = 0.3
"""Share of the smaller of two sides that lies in the other."""
CLEAR_MM = 10.0
"""How far from the midline a centre must lie to be on one side for certain; the heart's side of the chest sags less."""
STRAYED_SHARE = 0.05
"""Share of a mask in pieces on the other side that is noticed."""
_ORGAN_KINDS = {"organ", "bone", "muscle"}


@dataclass(frozen=True)
class Sides:
    """What was found out about left and right.

    Attributes:
        flags: what is wrong.
        mirrored: whether the unpaired organs lie mirrored as a whole.
    """

    flags: tuple[Flag, ...]
    mirrored: bool


def midline(facts: Facts, z: float) -> float:
    """World x of the midline at a height: from the spine, else from the whole body; NaN where nothing tells."""
    spine = [mask.centre for ident, mask in facts.masks.items() if ident.startswith(("vertebrae_", "sacrum"))]
    if not spine and "spinal_cord" in facts.masks:
        spine = [facts.masks["spinal_cord"].centre]
    if not spine:
        return facts.body_x
    at = np.array(sorted((float(one[2]), float(one[0])) for one in spine))
    return float(np.interp(z, at[:, 0], at[:, 1]))


def pairs(facts: Facts) -> dict[str, dict[str, Mask]]:
    """Masks of sided structures: base → side → mask."""
    found: dict[str, dict[str, Mask]] = {}
    for ident, mask in facts.organs():
        side = side_of(mask.structure)
        if side and mask.structure.kind in _ORGAN_KINDS:
            base = mask.structure.base if mask.structure.side else ident.replace(f"_{side}_", "_")
            found.setdefault(base, {})[side] = mask
    return found


def check_sides(facts: Facts) -> Sides:
    """Judge everything that has a side."""
    found = pairs(facts)
    doubled, wrong, right = [], [], []
    for base, sides in found.items():
        if len(sides) == 2 and shared(sides["left"], sides["right"]) > DUPLICATED_SHARE:
            doubled.append(base)
        elif len(sides) == 2:
            # In RAS x grows from left to right.
            apart = sides["right"].centre[0] - sides["left"].centre[0]
            if apart < 0:
                wrong.append(base)
            elif _same_side(facts, sides):
                doubled.append(base)
            else:
                right.append(base)
        else:
            side, mask = next(iter(sides.items()))
            (wrong if _off(facts, mask, side) > CLEAR_MM else right).append(base)
    broken, judged = misplaced_sides(facts)
    mirrored = judged > 0 and broken == judged and (judged > 1 or not right)
    all_wrong = bool(wrong) and not right and not doubled
    flags: list[Flag] = []
    if mirrored and (all_wrong or not wrong):
        flags += _mirror_notes(facts, all_wrong)
        wrong = [] if all_wrong else wrong
    flags += [flag for base in doubled for flag in _doubled(facts, found[base])]
    flags += [flag for base in wrong for flag in _swapped(facts, found[base])]
    if not all_wrong:
        flags += [flag for base in right for flag in _strayed(facts, found[base])]
    return Sides(tuple(flags), mirrored)


def _off(facts: Facts, mask: Mask, side: str) -> float:
    """How far in mm a centre lies on the side that is not its own; negative on its own side, NaN if unknown."""
    return _beyond(facts, mask.centre[0], mask.centre[2], side)


def _beyond(facts: Facts, x: float, z: float, side: str) -> float:
    offset = float(x) - midline(facts, float(z))
    return offset if side == "left" else -offset


def _same_side(facts: Facts, sides: dict[str, Mask]) -> bool:
    return any(_off(facts, mask, side) > CLEAR_MM for side, mask in sides.items())


def _doubled(facts: Facts, sides: dict[str, Mask]) -> Iterator[Flag]:
    left, right = sides["left"], sides["right"]
    share = shared(left, right)
    if share > DUPLICATED_SHARE:
        said = f"it and the other side's mask share {share:.0%} of the smaller of them, and none is expected"
        for mask in (left, right):
            yield Flag(mask.structure.id, "duplicated_side", "refuse", said, {"share": round(share, 3)})
        return
    for side, mask in sides.items():
        away = _off(facts, mask, side)
        if away > CLEAR_MM:
            yield Flag(
                mask.structure.id, "duplicated_side", "refuse",
                f"both sides lie on the same side of the body, its centre {away:.0f} mm beyond the midline, and one on "
                "either side is expected", {"beyond_midline_mm": round(away, 1)},
            )  # fmt: skip


def _swapped(facts: Facts, sides: dict[str, Mask]) -> Iterator[Flag]:
    for side, mask in sides.items():
        away = _off(facts, mask, side)
        other = "right" if side == "left" else "left"
        yield Flag(
            mask.structure.id, "swapped_sides", "refuse",
            f"its centre lies {abs(away):.0f} mm {other if away > 0 else side} of the midline and on the wrong side of "
            f"its counterpart or of the body, and {side} is expected", {"beyond_midline_mm": round(away, 1)},
        )  # fmt: skip


def _strayed(facts: Facts, sides: dict[str, Mask]) -> Iterator[Flag]:
    """Pieces of one side's mask that lie on the other side: components that were mixed up."""
    for side, mask in sides.items():
        total = sum(piece.voxels for piece in mask.pieces)
        across = [piece for piece in mask.pieces if _beyond(facts, piece.centre[0], piece.centre[2], side) > CLEAR_MM]
        share = sum(piece.voxels for piece in across) / total if total else 0.0
        if share > STRAYED_SHARE:
            yield Flag(
                mask.structure.id, "swapped_sides", "refuse",
                f"{share:.0%} of it lie in {len(across)} pieces beyond the midline, and none is expected",
                {"share": round(share, 3), "pieces": len(across)},
            )  # fmt: skip


def _mirror_notes(facts: Facts, paired_too: bool) -> Iterator[Flag]:
    what = "and the paired ones with them, so either the scan's left and right are exchanged or this is" if paired_too \
        else "and the paired ones do not, which fits"  # fmt: skip
    for ident in ("liver", "spleen", "stomach"):
        if ident in facts.masks:
            yield Flag(
                ident, "swapped_sides", "note",
                f"the unpaired organs lie mirrored to what is usual, {what} situs inversus",
                {"paired_too": int(paired_too)},
            )  # fmt: skip
