"""Where masks lie to each other: relations of the table, and overlaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree

from tools.masks import common_voxels
from tools.ontology import load_ontology
from tools.segment.plausible_facts import Facts, Mask
from tools.segment.plausible_flag import Flag
from tools.segment.plausible_norms import Relation

OVERLAP_SHARE = 0.2
"""Share of the smaller of two masks that may lie in the other."""
_ENDS = {"above": (2, "superior", "inferior"), "left_of": (0, "left", "right")}


def check_position(facts: Facts, *, mirrored: bool) -> Iterator[Flag]:
    """Structures that lie where they can't, judged by those around them.

    Of two structures that contradict each other the one with more contradictions is at fault; where that does not
    tell, both are.

    Args:
        facts: what was measured.
        mirrored: whether the viscera are mirrored as a whole; then left and right say nothing more.
    """
    broken = []
    for row in facts.norms.relations:
        if mirrored and row.direction == "left_of":
            continue
        away = _away(facts, row)
        if away is not None and away > row.slack:
            broken.append((row, away))
    at_fault = _at_fault([row for row, _ in broken])
    seen = set()
    for row, away in broken:
        for ident, other in ((row.one, row.other), (row.other, row.one)):
            if ident not in at_fault or ident in seen:
                continue
            seen.add(ident)
            yield Flag(ident, "position", "refuse", _reason(facts, row, ident, other, away),
                       {"relation": f"{row.one} {row.direction} {row.other}", "mm": round(away, 1),
                        "most_mm": row.slack})  # fmt: skip


def misplaced_sides(facts: Facts) -> tuple[int, int]:
    """How many of the table's left-right relations are broken by more than 10 mm, and how many could be judged."""
    rows = [_away(facts, row) for row in facts.norms.relations if row.direction == "left_of"]
    known = [away for away in rows if away is not None]
    return sum(away > 10 for away in known), len(known)


def _away(facts: Facts, row: Relation) -> float | None:
    """How far in mm a relation is from being met (for `within`, the gap); None where it can't be judged."""
    if row.one not in facts.masks or row.other not in facts.masks:
        return None
    one, other = facts.masks[row.one], facts.masks[row.other]
    if row.direction == "within":
        # What the scan cuts off may bridge the gap.
        return None if one.faces and other.faces else _gap(one, other)
    axis, far, near = _ENDS[row.direction]
    # The centre of what is cut off at that end lies farther out than it seems.
    if far in one.faces or near in other.faces:
        return None
    sign = 1.0 if row.direction == "above" else -1.0
    return float(sign * (other.centre[axis] - one.centre[axis]))


def _gap(one: Mask, other: Mask) -> float:
    """Distance in mm of two masks, to the pitch of their samples."""
    few, many = sorted((one, other), key=lambda mask: len(mask.points))
    distances, _ = cKDTree(many.points).query(few.points[:: max(1, len(few.points) // 2000)])
    pitch = (1000 * many.ml / len(many.points)) ** (1 / 3) + (1000 * few.ml / min(2000, len(few.points))) ** (1 / 3)
    return max(0.0, float(np.min(distances)) - float(pitch))


def _at_fault(rows: list[Relation]) -> set[str]:
    found: set[str] = set()
    while rows:
        counts = Counter(name for row in rows for name in (row.one, row.other))
        most = max(counts.values())
        worst = {name for name, count in counts.items() if count == most}
        found |= worst
        rows = [row for row in rows if row.one not in worst and row.other not in worst]
    return found


def _reason(facts: Facts, row: Relation, ident: str, other: str, away: float) -> str:
    name = facts.name(other)
    if row.direction == "within":
        return f"it lies {away:.0f} mm from the {name}, and at most {row.slack:.0f} mm are expected"
    below, above = ("below", "above") if row.direction == "above" else ("right of", "left of")
    found, expected = (below, above) if ident == row.one else (above, below)
    slack = f", or at most {row.slack:.0f} mm {found} it" if row.slack else ""
    return f"its centre lies {away:.0f} mm {found} that of the {name}, and {expected} it is expected{slack}"


def check_overlap(facts: Facts) -> Iterator[Flag]:
    """Different organs that share voxels across layers."""
    if len(facts.labels.layers) < 2:
        return
    rows = [(ident, mask) for ident, mask in facts.organs() if mask.structure.kind in {"organ", "bone", "muscle"}]
    for (first, one), (second, other) in combinations(rows, 2):
        if _opposite(one, other) or _may_overlap(facts, first, second):
            continue
        share = shared(one, other)
        if share > OVERLAP_SHARE:
            for ident, name in ((first, facts.name(second)), (second, facts.name(first))):
                yield Flag(
                    ident, "overlap", "refuse",
                    f"it and the {name} share {share:.0%} of the smaller of them, and at most {OVERLAP_SHARE:.0%} "
                    "are expected", {"share": round(share, 3)},
                )  # fmt: skip


def shared(one: Mask, other: Mask) -> float:
    """Share of the smaller of two masks that lies in the other."""
    return common_voxels(one.region, other.region) / min(one.region.voxels, other.region.voxels)


def _opposite(one: Mask, other: Mask) -> bool:
    return one.structure.base == other.structure.base and one.structure.side is not None


def _may_overlap(facts: Facts, first: str, second: str) -> bool:
    return any(
        other in facts.norms.of(ident).may_overlap or other in _within(ident) for ident, other in
        ((first, second), (second, first))
    )  # fmt: skip


def _within(ident: str) -> set[str]:
    """All parts and regions of a structure, and theirs."""
    ontology = load_ontology()
    found: set[str] = set()
    left = [ident]
    while left:
        structure = ontology.get(left.pop())
        new = {*structure.parts, *structure.regions} - found
        found |= new
        left += new
    return found
