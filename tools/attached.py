"""Whether a lesion lies in the organ that its label names, or apart from it.

A label map may be wrong, shifted, or put together from several. A lesion that lies far from its organ has no place in
it: to tell the nearest region would hide the fault.
"""

from __future__ import annotations

import numpy as np

from tools.masks import components, cropped, merge_regions
from tools.ontology import load_ontology
from tools.structure_parts import cover, keys_within
from tools.surface import Surface, shared_voxels
from tools.volume import LabelSet, Region

_SEAM_MM = 5.0
"""Label maps of different makers, or of different resolution, may leave a seam between an organ and its lesion."""


def apart(labels: LabelSet, organ: str, lesion: Region) -> bool:
    """Whether a lesion lies farther from its organ than a seam between two label maps is wide.

    A lesion that hangs on the organ by other lesions of it lies in it. False where the organ has no voxel without
    lesions: then nothing tells.

    Args:
        labels: the label set.
        organ: canonical id of the organ, pair or side that the lesion's label names.
        lesion: mask of one connected lesion.
    """
    key = ("body of an organ", organ)
    if key not in labels.memo:
        labels.memo[key] = _body(labels, organ)
    body: Region | None = labels.memo[key]
    if body is None or shared_voxels(body, lesion):
        return False
    return Surface(lesion, labels.grid).gap_within(body, _SEAM_MM) is None


def _body(labels: LabelSet, organ: str) -> Region | None:
    """The organ with all lesions that are connected with it (26-neighbourhood), or None where it isn't labelled."""
    ontology = load_ontology()
    tissue = labels.region(cover(labels, organ, ontology)[0])
    within = labels.region(keys_within(labels, organ, ontology))
    if tissue is None or within is None:
        return None
    whole = merge_regions([tissue, within])
    assert whole is not None
    pieces = components(whole.mask)
    inner = tuple(slice(t.start - w.start, t.stop - w.start) for t, w in zip(tissue.box, whole.box, strict=True))
    held = np.zeros(int(pieces.max()) + 1, dtype=np.bool_)
    held[pieces[inner][tissue.mask]] = True
    return cropped(whole, held[pieces])
