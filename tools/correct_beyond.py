"""A lesion that a person draws outside of its organ's mask: it grows out of the organ, or the mask is cut short.

Only where the person says so, and within limits: the point lies within 30 mm of the organ's mask, in the body where its
mask is known, and in no other organ, bone, muscle or vessel that is labelled; and it and all that grows from it has the
attenuation of soft tissue or fluid, so that neither fat, air nor calcium is taken for a lesion by mistake. What lies
beyond the mask is told with the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from tools.correct_model import Edit
from tools.correct_place import around_point, distances, within
from tools.ontology import load_ontology
from tools.structure_parts import holds
from tools.volume import Box, LabelSet, Region, Scan

NEAR_MM = 30.0
"""How far from its organ's mask the point may lie."""
SOFT_HU = (-20.0, 250.0)
"""From fluid to strongly enhancing tissue, with room for noise; fat lies below, calcium and bone above."""
_SOLID = frozenset({"organ", "bone", "muscle", "vessel"})
_BODY = "body"


def place(labels: LabelSet, organ: str, box: Box) -> NDArray[np.bool_]:
    """Where a lesion of an organ may lie beyond its mask, within a box."""
    free = np.ones([side.stop - side.start for side in box], dtype=np.bool_)
    body = labels.region(labels.entries.get(_BODY, ()))
    if body is not None:
        # Maps of one layer carve the organs out of the body: holes in it are no outside.
        free &= within(body, box) | _labelled(labels, box)
    for mask in elsewhere(labels, organ, box).values():
        free &= ~mask
    return free


def check_point(scan: Scan, organ: Region, edit: Edit, at: tuple[int, int, int], name: str, *, free: bool) -> None:
    """Refuse a point from which no lesion of an organ may grow.

    Args:
        scan: the scan.
        organ: the organ's mask with its lesions.
        edit: the edit.
        at: the voxel of its point.
        name: of the organ, for reading.
        free: whether the voxel is part of the organ or of `place`.

    Raises:
        UsageError: it lies too far from the organ, in another one, or outside of the body.
    """
    box = around_point(scan.grid, at, NEAR_MM)
    near = distances(scan.grid, box, edit.point)[within(organ, box)]
    if near.size == 0 or float(near.min()) > NEAR_MM:
        raise UsageError(f"the point lies farther than {NEAR_MM:g} mm from the mask of the {name}; choose one nearer.")
    if not free:
        raise UsageError(
            f"the point lies outside of the {name}, and in another labelled structure or outside of the body; choose "
            "one in neither, or take that part of the other mask away first."
        )


def check_seed(hu: float, name: str) -> None:
    """Refuse a point whose attenuation (HU) is no soft tissue's.

    Raises:
        UsageError: it is none's.
    """
    low, high = SOFT_HU
    if not low <= hu <= high:
        raise UsageError(
            f"the point has {hu:.0f} HU, which is not soft tissue or fluid ({low:g} to {high:g} HU); beyond the mask "
            f"of the {name} choose a point of the lesion that has."
        )


def soft(hu: NDArray[Any]) -> NDArray[np.bool_]:
    """Which attenuations (HU) are soft tissue's or fluid's."""
    found: NDArray[np.bool_] = (hu >= SOFT_HU[0]) & (hu <= SOFT_HU[1])
    return found


def told(grown: NDArray[np.bool_], organ: NDArray[np.bool_], name: str) -> str:
    """Where a lesion lies, as a clause."""
    share = np.count_nonzero(grown & ~organ) / np.count_nonzero(grown)
    if share == 1:
        return f"all of what a person added lies outside of the mask of the {name}"
    amount = f"{min(share, 0.99):.0%}".replace("%", " %") if share >= 0.01 else "less than 1 %"
    return f"{amount} of what a person added lies outside of the mask of the {name}"


def elsewhere(labels: LabelSet, organ: str, box: Box) -> dict[str, NDArray[np.bool_]]:
    """What other structures than an organ, and lesions of theirs, show within a box, by canonical id.

    The body and findings hold anything, and so do lesions that are no organ's.
    """
    ontology = load_ontology()
    found = {}
    for name, keys in labels.entries.items():
        one = ontology.get(name)
        # Maps of one layer carve a lesion out of its organ, whose own label then has none of it.
        whose = one.organ if one.kind == "lesion" else name if one.kind in _SOLID else None
        other = whose is not None and not (holds(organ, whose, ontology) or holds(whose, organ, ontology))
        mask = labels.region(keys) if other else None
        if mask is not None and (here := within(mask, box)).any():
            found[name] = here
    return found


def _labelled(labels: LabelSet, box: Box) -> NDArray[np.bool_]:
    found = np.zeros([side.stop - side.start for side in box], dtype=np.bool_)
    for layer in labels.layers:
        found |= layer[box] > 0
    return found
