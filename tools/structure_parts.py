"""What a structure is made of, and which labels cover it."""

from __future__ import annotations

from tools.ontology import Ontology
from tools.volume import LabelSet

Key = tuple[int, int]


def parts_of(structure: str, ontology: Ontology) -> frozenset[str]:
    """A structure and everything that it is made of."""
    found = {structure}
    for part in ontology.get(structure).parts:
        found |= parts_of(part, ontology)
    return frozenset(found)


def siblings(part: str, whole: str, ontology: Ontology) -> tuple[str, ...]:
    """The parts of a whole at the level where `part` is one of them: both kidneys, the lobes of one lung."""
    parts = ontology.get(whole).parts
    if part in parts:
        return parts
    inner = next((one for one in parts if part in parts_of(one, ontology)), None)
    return siblings(part, inner, ontology) if inner else ()


def cover(
    labels: LabelSet, structure: str, ontology: Ontology
) -> tuple[tuple[Key, ...], tuple[str, ...], tuple[str, ...]]:
    """Labels of a structure or of its parts.

    Returns:
        The keys, the declared classes behind them, and the parts that no class covers (none where the structure
        has a class of its own).
    """
    own = structure in labels.entries
    keys = labels.entries.get(structure, ())
    classes: tuple[str, ...] = (structure,) if own else ()
    missing: tuple[str, ...] = ()
    for part in ontology.get(structure).parts:
        inner_keys, inner, lacking = cover(labels, part, ontology)
        keys, classes = keys + inner_keys, classes + inner
        missing += lacking if inner else (part,)
    return tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(classes)), () if own else missing


def filled(labels: LabelSet, ident: str) -> bool:
    """Whether a declared class has voxels."""
    return any(key in labels.boxes for key in labels.entries[ident])
