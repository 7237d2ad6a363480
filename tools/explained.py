"""Lesions of a general class that more special classes account for.

Several label maps may show the same lesion twice: as a pancreatic lesion, and as an adenocarcinoma. The general class
then leaves nothing open: where each of its voxels also belongs to another type, no further type hides in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tools.ontology import Ontology, Structure
from tools.volume import LabelSet


def unexplained(
    labels: LabelSet, general: Iterable[str], kind: str, declared: Iterable[Structure], ontology: Ontology
) -> tuple[str, ...]:
    """The general classes that may still hold lesions of a type.

    Args:
        labels: the labels.
        general: declared lesion classes of more general types, with voxels.
        kind: the lesion type that is looked for.
        declared: every declared lesion class.
        ontology: the lesion types.
    """
    above = set(ontology.ancestors(kind))
    others = [
        one.id
        for one in declared
        if one.lesion_type and one.lesion_type not in above and kind not in ontology.ancestors(one.lesion_type)
    ]
    keys = {key for name in others for key in labels.entries[name] if key in labels.boxes}
    return tuple(name for name in general if not _accounted_for(labels, name, keys))


def _accounted_for(labels: LabelSet, name: str, keys: set[tuple[int, int]]) -> bool:
    """Whether every voxel of a class also belongs to one of some labels; labels of one layer never overlap."""
    layers = {layer for layer, _ in labels.entries[name]}
    elsewhere = sorted(key for key in keys if key[0] not in layers)
    if not elsewhere:
        return False
    own = labels.region(labels.entries[name])
    if own is None:
        return False
    left = own.mask.copy()
    for layer, value in elsewhere:
        left &= labels.layers[layer][own.box] != value
    return not left.any()
