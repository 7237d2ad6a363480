"""Masks that a crop of the segmenter cut off: a flat face within the scan, with the same tissue going on beyond."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tools.segment.plausible_facts import Facts, Mask
from tools.segment.plausible_flag import Flag
from tools.shape import FACES
from tools.volume import Box

FACE_SHARE = 0.15
"""Least area of the end face, as a share of the largest cross-section along its axis: round ends are smaller."""
FACE_MM2 = 250.0
DEPTH_MM = 10.0
"""How far the same tissue must go on: muscle between ribs and other thin layers beside an organ end sooner."""
CONTINUED_SHARE = 0.5
"""Least share of the face beyond which it goes on."""
LIKE_HU, SPREADS = 15.0, 2.0
"""HU that count as the same tissue: within so many HU, or so many robust standard deviations, of the face's median."""


def check_clipped(facts: Facts) -> Iterator[Flag]:
    """Compact organs with a flat face within the scan."""
    for ident, mask in facts.organs():
        if not facts.norms.of(ident).clip:
            continue
        for axis in range(3):
            for end in (0, 1):
                found = _continued(facts, mask, axis, end)
                if found is not None:
                    area, share = found
                    yield Flag(
                        ident, "clipped_by_roi", "refuse",
                        f"it ends in a flat face of {area / 100:.0f} cm² towards {FACES[axis][end]} within the scan, "
                        f"beyond {share:.0%} of which the same tissue goes on for {DEPTH_MM:.0f} mm",
                        {"face": FACES[axis][end], "area_mm2": round(area, 1), "continued_share": round(share, 3)},
                    )  # fmt: skip


def _continued(facts: Facts, mask: Mask, axis: int, end: int) -> tuple[float, float] | None:
    """Area of the face in mm² and the share of it that goes on, None where nothing is suspicious."""
    grid, box = facts.scan.grid, mask.region.box
    planes = max(1, math.ceil(DEPTH_MM / grid.spacing[axis]))
    start = box[axis].stop if end else box[axis].start - planes
    if start < 0 or start + planes > grid.shape[axis]:
        return None  # so near to the scan's border the field of view may have been the reason
    others = tuple(one for one in range(3) if one != axis)
    areas = np.count_nonzero(mask.region.mask, axis=others)
    pixel = grid.voxel_volume / grid.spacing[axis]
    face_count = int(areas[-1 if end else 0])
    if face_count * pixel < FACE_MM2 or face_count < FACE_SHARE * int(areas.max()):
        return None
    face = mask.region.mask.take(-1 if end else 0, axis=axis)

    def slab(first: int, last: int) -> Box:
        cut = list(box)
        cut[axis] = slice(first, last)
        return (cut[0], cut[1], cut[2])

    at = box[axis].stop - 1 if end else box[axis].start
    inside = facts.scan.hu[slab(at, at + 1)].take(0, axis=axis)[face].astype(np.float64)
    middle = float(np.median(inside))
    reach = max(LIKE_HU, SPREADS * 1.4826 * float(np.median(np.abs(inside - middle))))
    beyond = slab(start, start + planes)
    like = np.abs(facts.scan.hu[beyond].astype(np.float32) - middle) <= reach
    for layer in facts.labels.layers:
        like &= layer[beyond] == 0
    # Noise takes single voxels out: of every column four fifths must be alike.
    going_on = np.count_nonzero(like, axis=axis) >= math.ceil(0.8 * planes)
    share = float(np.mean(going_on[face]))
    return (face_count * pixel, share) if share >= CONTINUED_SHARE else None
