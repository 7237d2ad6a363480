"""What a structure is made of, and which labels cover it."""

from __future__ import annotations

from tools.ontology import Ontology, is_pair
from tools.volume import LabelSet

Key = tuple[int, int]


def parts_of(structure: str, ontology: Ontology) -> frozenset[str]:
    """A structure and everything that it is made of."""
    found = {structure}
    for part in ontology.get(structure).parts:
        found |= parts_of(part, ontology)
    return frozenset(found)


def leaves(structure: str, ontology: Ontology) -> tuple[str, ...]:
    """The smallest parts that a structure is made of; itself where it has none."""
    parts = ontology.get(structure).parts
    return tuple(leaf for part in parts for leaf in leaves(part, ontology)) if parts else (structure,)


def region_host(structure: str, ontology: Ontology) -> str | None:
    """The organ of which a structure is a region, or several regions together ("left lobe of the liver").

    A side of a pair is no region: it has labels of its own kind. None for whatever is no region.
    """
    one = ontology.get(structure)
    if one.part_of is not None:
        pair = ontology.get(one.part_of)
        return None if structure in pair.parts and pair.side is None and one.side else one.part_of
    hosts = {region_host(part, ontology) for part in one.parts}
    if not hosts or None in hosts:
        return None
    if len(hosts) > 1:  # regions of both sides: those of the pair
        hosts = {ontology.get(str(host)).part_of for host in hosts}
    host = hosts.pop() if len(hosts) == 1 else None
    return None if host == structure else host


def holds(whole: str, place: str, ontology: Ontology) -> bool:
    """Whether a place is the structure itself, a part of it, or a region within it."""
    within = parts_of(whole, ontology)
    while place not in within:
        above = region_host(place, ontology)
        if above is None:
            return False
        place = above
    return True


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


def labelled_regions(labels: LabelSet, organ: str, ontology: Ontology) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Regions of an organ that have classes, larger ones where the small ones have none; and those without."""
    regions = ontology.get(organ).regions
    fine = tuple(one for one in regions if cover(labels, one, ontology)[1])
    open_ = set(regions) - set(fine)
    coarse = []
    sides = ontology.get(organ).parts if is_pair(organ) else ()
    for one in (*sides, *labels.entries):
        inside = set(leaves(one, ontology))
        own = one in sides or region_host(one, ontology) == organ
        if own and one not in fine and inside <= open_ and cover(labels, one, ontology)[1]:
            coarse.append(one)
            open_ -= inside
    return (*fine, *coarse), tuple(one for one in regions if one in open_)


def keys_within(labels: LabelSet, place: str, ontology: Ontology) -> tuple[Key, ...]:
    """Labels of a place and of the lesions that are known to lie in it."""
    keys = cover(labels, place, ontology)[0]
    for ident, more in labels.entries.items():
        lesion = ontology.get(ident)
        if lesion.kind == "lesion" and lesion.organ is not None and holds(place, lesion.organ, ontology):
            keys += more
    return tuple(dict.fromkeys(keys))
