"""Cleaning up of predicted lesions: a lesion is one piece of one type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from tools.masks import components

LEAST_MM3 = 100.0
"""Smaller components are taken for noise of the network (a sphere of 5.8 mm)."""


LEAST_SURE = 0.7
"""Components with a lower mean probability are dropped too.

On ten phantoms that were neither trained on nor scored (`evals.embedded.pieces`), 95 % of the true lesions had 0.72 and
more; false pieces had 0.35 to 0.71.
"""


def tidy_lesions(
    labels: NDArray[np.uint8],
    groups: Mapping[str, Sequence[int]],
    voxel_mm3: float,
    least_mm3: float = LEAST_MM3,
    sure: Callable[[Sequence[int]], NDArray[np.float32]] | None = None,
) -> NDArray[np.uint8]:
    """Give every connected lesion the type that most of its voxels have, and drop the smallest and unlikely ones.

    Args:
        labels: (i, j, k) label values.
        groups: values of the lesion classes by organ: only lesions of one organ are joined.
        voxel_mm3: volume of a voxel.
        least_mm3: smallest lesion that is kept.
        sure: (i, j, k) probability that a voxel is of any of some classes; None where it is not known.

    Returns:
        A cleaned copy; dropped voxels become what lies around them mostly, background where that is nothing.
    """
    result = labels.copy()
    for values in groups.values():
        mask = np.isin(result, values)
        if not mask.any():
            continue
        parts = components(mask)
        boxes = cc3d.statistics(parts)["bounding_boxes"]
        likely = sure(values) if sure is not None else None
        for number in range(1, len(boxes)):
            box = tuple(slice(max(0, one.start - 1), one.stop + 1) for one in boxes[number])
            piece = parts[box] == number
            view: Any = result[box]
            small = np.count_nonzero(piece) * voxel_mm3 < least_mm3
            if small or (likely is not None and likely[box][piece].mean() < LEAST_SURE):
                rim = view[_grown(piece) & ~piece]
                rim = rim[~np.isin(rim, values)]
                view[piece] = np.bincount(rim).argmax() if rim.size else 0
            else:
                view[piece] = np.bincount(view[piece], minlength=1).argmax()
    return result


def _grown(piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy import ndimage  # noqa: PLC0415

    grown: NDArray[np.bool_] = ndimage.binary_dilation(piece)
    return grown


def give_sides(
    labels: NDArray[np.uint8],
    value: int,
    organs: Mapping[str, int],
    new: Mapping[str, int],
    spacing: NDArray[np.float64],
) -> None:
    """Give every lesion of a paired organ the side whose organ is nearest to it, in place.

    Args:
        labels: (i, j, k) label values.
        value: value of the lesions.
        organs: side → value of the organ.
        new: side → value that the lesions get.
        spacing: mm along the axes.
    """
    from scipy import ndimage  # noqa: PLC0415

    parts = components(labels == value)
    if not parts.any():
        return
    centres = {
        side: np.array(ndimage.center_of_mass(labels == organ))
        for side, organ in organs.items()
        if (labels == organ).any()
    }
    stats = cc3d.statistics(parts)
    for number in range(1, len(stats["bounding_boxes"])):
        box = tuple(slice(max(0, one.start - 1), one.stop + 1) for one in stats["bounding_boxes"][number])
        piece = parts[box] == number
        around = labels[box][_grown(piece)]
        touching = {side: int(np.count_nonzero(around == organ)) for side, organ in organs.items()}
        side = max(touching, key=lambda one: touching[one])
        if not touching[side] and centres:
            middle = stats["centroids"][number]
            side = min(centres, key=lambda one: float(np.linalg.norm((centres[one] - middle) * spacing)))
        labels[box][piece] = new[side]
