"""The lesion classes of a label map, and the same lesion under several of their names."""

from __future__ import annotations

from tools.base import Case
from tools.lesion_list import Lesion, lesion_list
from tools.ontology import load_ontology
from tools.shape import BoolArray
from tools.volume import Region


def lesion_classes(case: Case) -> list[str]:
    """Labelled lesion classes, the more special before those that hold them."""
    ontology = load_ontology()
    declared = sorted(case.labels.entries) if case.labels is not None else []
    every = [one for ident in declared if (one := ontology.get(ident)).kind == "lesion"]
    return [one.id for one in sorted(every, key=lambda one: -len(ontology.ancestors(one.lesion_type or "lesion")))]


def labelled_as(case: Case, structure: str, one: Lesion) -> str | None:
    """What a lesion is in the table of its own class, where it was asked for by a more general name.

    "Liver lesion 3" counts metastases and cysts together; its label says "liver cyst 1".

    Args:
        case: a case with labels.
        structure: canonical identifier by which it was asked for.
        one: the lesion.
    """
    if case.labels is None:
        return None
    ontology = load_ontology()
    kind = ontology.get(structure).lesion_type or "lesion"
    found: list[str] = []
    seen: list[Region] = []
    for name in lesion_classes(case):
        own = ontology.get(name).lesion_type or "lesion"
        special = own != kind if structure in case.labels.entries else name != structure
        if not special or kind not in ontology.ancestors(own):
            continue
        for number, other in enumerate(lesion_list(case, name).lesions, start=1):
            if overlap(one.region, other.region) and not any(overlap(other.region, more) for more in seen):
                found.append(ontology.get(f"{name}#{number}").name)
                seen.append(other.region)
    return f"by its label it is {' and '.join(found)}" if found else None


def overlap(one: Region, other: Region) -> bool:
    """Whether two masks of one grid share a voxel."""
    box = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True)]
    if any(part.start >= part.stop for part in box):
        return False

    def inside(region: Region) -> BoolArray:
        at = tuple(
            slice(part.start - own.start, part.stop - own.start) for part, own in zip(box, region.box, strict=True)
        )
        shared: BoolArray = region.mask[at]
        return shared

    return bool((inside(one) & inside(other)).any())
