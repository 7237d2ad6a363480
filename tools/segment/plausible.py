"""Are masks that a program drew possible at all? What is impossible is refused, what disease may explain is noted.

A segmenter names voxels whatever it is given: it crops too tightly, takes one kidney for the other, finds a bladder
in the stomach. This holds its masks against what is known of the body (`organ_norms.toml`), in world millimetres,
and against the scan. It can't tell a good mask from a slightly wrong one.
"""

from __future__ import annotations

from tools.segment.plausible_clip import check_clipped
from tools.segment.plausible_facts import gather
from tools.segment.plausible_flag import Flag
from tools.segment.plausible_lesion import check_lesions
from tools.segment.plausible_organ import check_empty, check_fragments, check_outside, check_tissue, check_volume
from tools.segment.plausible_place import check_overlap, check_position
from tools.segment.plausible_repair import repair
from tools.segment.plausible_sides import check_sides
from tools.volume import LabelSet, Scan

__all__ = ["Flag", "judge_masks", "repair"]


def judge_masks(scan: Scan, labels: LabelSet, *, phase: str | None = None) -> tuple[Flag, ...]:
    """Everything that is wrong with the masks of a scan.

    Args:
        scan: the scan.
        labels: masks on the scan's grid.
        phase: contrast phase ("native", "arterial", "portal", "delayed") where it is known.

    Returns:
        Flags, those that refuse first, then by structure; empty where all is plausible.
    """
    facts = gather(scan, labels, phase)
    sides = check_sides(facts)
    flags = [
        *check_empty(facts),
        *check_clipped(facts),
        *sides.flags,
        *check_volume(facts),
        *check_tissue(facts),
        *check_position(facts, mirrored=sides.mirrored),
        *check_fragments(facts),
        *check_outside(facts),
        *check_overlap(facts),
        *check_lesions(facts),
    ]
    return tuple(sorted(flags, key=lambda flag: (flag.severity != "refuse", flag.structure)))
