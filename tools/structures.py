"""Which labels answer a question about a structure, and whether anything was able to see it.

This is where "absent" and "not assessed" part: absence may be claimed only of what a declared class of the same
or a more general kind, covering the whole place, would have shown.

A type proves the types above it and never those below: a cyst is a lesion, a lesion need not be a metastasis. An
empty class of lesions rules out metastases, an empty class of cysts doesn't rule out lesions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tools.explained import unexplained
from tools.lesion_sides import divisible, share_of_part
from tools.masks import merge_regions
from tools.ontology import Ontology, Structure, load_ontology
from tools.structure_parts import Key, cover, filled, holds, parts_of
from tools.volume import LabelSet, Region

_RECENT = ("recent regions",)
_KEPT, _KEPT_VOXELS = 4, 1 << 24


class Standing(StrEnum):
    """What the labels say about the existence of a structure."""

    PRESENT = "present"
    """A class of it has voxels."""
    ABSENT = "absent"
    """Classes able to show all of it were declared, and none has a voxel."""
    TYPE_UNKNOWN = "type_unknown"
    """A more general lesion lies there; whether it is of the asked type was not assessed."""
    SIDE_UNKNOWN = "side_unknown"
    """A class of both sides together has voxels, and nothing tells the sides apart."""
    NARROWER_ONLY = "narrower_only"
    """Only more special types were looked for, and not found."""
    PARTLY = "partly"
    """Only some parts or sides were looked for, and nothing was found in them."""
    NOT_LOOKED = "not_looked"
    """No declared class could show it."""


@dataclass(frozen=True)
class Resolved:
    """The labels that answer for a structure.

    Attributes:
        structure: canonical id that was asked for.
        keys: labels whose union is the structure as far as it is labelled; empty ones included. Where `shared`
            is not empty, only `region` knows the whole mask.
        classes: ids of the declared classes behind `keys`.
        shared: declared classes that hold this structure together with others (lesions of both kidneys, asked
            for one side); `region` takes the components that lie nearest to the asked part.
        looked: whether a class able to show all of it, or some of it, was declared. Absence of all of it needs
            `missing_parts` to be empty as well.
        found: whether it has voxels, parts of `shared` classes included.
        missing_parts: ids of parts that no class covers.
        exact_or_broader_declared: for a lesion, declared classes of the same or a more general type there.
        narrower_declared: for a lesion, declared classes of a more special type there.
        broader_found: those of a more general type that have voxels there.
        undivided: classes of both sides together with voxels whose side cannot be told.
        unlocated: lesion classes without an organ that have voxels; they never answer for an organ.
        looked_in: for a lesion without an organ, the organs whose lesions were looked for.
        drawn: for a lesion, classes of it that a person added and nothing looked for: they show what is there, and
            never that there is no more.
    """

    structure: str
    keys: tuple[Key, ...] = ()
    classes: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    looked: bool = False
    found: bool = False
    missing_parts: tuple[str, ...] = ()
    exact_or_broader_declared: tuple[str, ...] = ()
    narrower_declared: tuple[str, ...] = ()
    broader_found: tuple[str, ...] = ()
    undivided: tuple[str, ...] = ()
    unlocated: tuple[str, ...] = ()
    looked_in: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()

    @property
    def standing(self) -> Standing:
        """The one of the seven standings that holds; a found structure is present whatever else is missing."""
        if self.found:
            return Standing.PRESENT
        if self.undivided:
            return Standing.SIDE_UNKNOWN
        if self.broader_found:
            return Standing.TYPE_UNKNOWN
        if self.looked:
            return Standing.PARTLY if self.missing_parts else Standing.ABSENT
        return Standing.NARROWER_ONLY if self.narrower_declared else Standing.NOT_LOOKED


def resolve(labels: LabelSet, structure: str, *, with_lesions: bool = False) -> Resolved:
    """Find the labels of a structure.

    Args:
        labels: the label set; what it declares was looked for, voxels or not.
        structure: canonical id of an organ, a group ("kidney"), a lesion ("liver_lesion", "kidney_cyst_left",
            "lesion" for lesions anywhere), or a name of the user's own.
        with_lesions: for an organ, join the lesions that lie in it: label maps carve them out of the organ.
    """
    # Every tool begins here: what the labels say of a structure is worked out once.
    key = ("resolve", structure, "with lesions" if with_lesions else "")
    if key not in labels.memo:
        labels.memo[key] = _resolved(labels, structure, with_lesions)
    found: Resolved = labels.memo[key]
    return found


def _resolved(labels: LabelSet, structure: str, with_lesions: bool) -> Resolved:
    ontology = load_ontology()
    asked = ontology.get(structure)
    if asked.kind == "lesion":
        return _lesion(labels, asked, ontology)
    keys, classes, missing = cover(labels, structure, ontology)
    more: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    if with_lesions and classes:
        more, shared = _lesions_within(labels, asked, ontology)
    return Resolved(
        structure=structure,
        keys=_keys(labels, more, keys),
        classes=tuple(dict.fromkeys(classes + more)),
        shared=shared,
        looked=bool(classes),
        found=_any_filled(labels, classes),
        missing_parts=missing,
        undivided=() if classes else _wholes(labels, asked, ontology),
    )


def region(labels: LabelSet, structure: str, *, with_lesions: bool = False) -> Region | None:
    """Mask of a structure, cropped to its box, or None where it has no voxel.

    Lesions of a class that spans both sides are assigned component by component to the part they lie nearest to.
    """
    resolved = resolve(labels, structure, with_lesions=with_lesions)
    place = load_ontology().get(structure).organ or structure
    wanted = (resolved.keys, resolved.shared, place if resolved.shared else "")
    # Several tools look at one structure in turn: the last few masks are kept, if they are not large.
    recent: tuple[tuple[object, Region], ...] = labels.memo.get(_RECENT, ())
    for key, known in recent:
        if key == wanted:
            return known
    pieces = [labels.region(resolved.keys)] if resolved.keys else []
    pieces += [share_of_part(labels, one, place) for one in resolved.shared]
    found = merge_regions([piece for piece in pieces if piece is not None])
    if found is not None and found.mask.size <= _KEPT_VOXELS:
        labels.memo[_RECENT] = (*recent[1 - _KEPT :], (wanted, found))
    return found


def _keys(labels: LabelSet, classes: tuple[str, ...], keys: tuple[Key, ...] = ()) -> tuple[Key, ...]:
    return tuple(dict.fromkeys(keys + tuple(key for one in classes for key in labels.entries[one])))


def _any_filled(labels: LabelSet, classes: tuple[str, ...]) -> bool:
    return any(filled(labels, one) for one in classes)


def _wholes(labels: LabelSet, asked: Structure, ontology: Ontology) -> tuple[str, ...]:
    """Declared classes with voxels of which the asked structure is one side or part."""
    return tuple(
        ident
        for ident in labels.entries
        if ident != asked.id and asked.id in parts_of(ident, ontology) and filled(labels, ident)
    )


def _lesions_within(labels: LabelSet, organ: Structure, ontology: Ontology) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lesion classes that lie in an organ wholly, and those that also lie in its sibling."""
    inside: list[str] = []
    shared: list[str] = []
    for ident in labels.entries:
        lesion = ontology.get(ident)
        if lesion.kind != "lesion" or lesion.organ is None:
            continue
        if holds(organ.id, lesion.organ, ontology):
            inside.append(ident)
        elif holds(lesion.organ, organ.id, ontology):
            shared.append(ident)
    return tuple(inside), tuple(shared)


def _lesion(labels: LabelSet, asked: Structure, ontology: Ontology) -> Resolved:
    kind = asked.lesion_type or ""
    above = ontology.ancestors(kind)
    declared = [one for one in map(ontology.get, labels.entries) if one.kind == "lesion" and one.lesion_type]
    same = [one for one in declared if kind in ontology.ancestors(one.lesion_type or "")]
    general = [one for one in declared if one.lesion_type in above]
    if asked.organ is None:
        return _anywhere(labels, asked, same, general, declared)
    organ = asked.organ
    inside, whole = _places(organ, same, ontology)
    shared, undivided = _divided(labels, organ, whole, ontology)
    found = _any_filled(labels, inside) or any(share_of_part(labels, one, organ) for one in shared)
    broad_in, broad_whole = _places(organ, [one for one in general if one.lesion_type != kind], ontology)
    broad_shared, broad_undivided = _divided(labels, organ, broad_whole, ontology)
    broader = [one for one in broad_in if filled(labels, one)]
    broader += [one for one in broad_shared if share_of_part(labels, one, organ)]
    able_in, able_whole = _places(organ, [one for one in general if one.id not in labels.drawn], ontology)
    able = able_in + able_whole
    missing = () if able_whole or not able else _uncovered(organ, able_in, ontology)
    return Resolved(
        structure=asked.id,
        keys=_keys(labels, inside),
        classes=inside + whole,
        shared=shared,
        looked=bool(able),
        found=found,
        missing_parts=tuple(ontology.lesion_id(kind, part) for part in missing),
        exact_or_broader_declared=able,
        narrower_declared=tuple(one for one in inside + whole if one not in able and one not in labels.drawn),
        broader_found=unexplained(labels, (*broader, *broad_undivided), kind, declared, ontology),
        undivided=undivided,
        unlocated=tuple(one.id for one in declared if one.organ is None and filled(labels, one.id)),
        drawn=tuple(one for one in inside + whole if one in labels.drawn),
    )


def _divided(
    labels: LabelSet, organ: str, classes: tuple[str, ...], ontology: Ontology
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Classes with voxels of a larger whole: those whose lesions can be given to the organ, and the others."""
    with_voxels = [one for one in classes if filled(labels, one)]
    told_apart = {one: divisible(labels, organ, one, ontology) for one in with_voxels}
    return tuple(one for one in with_voxels if told_apart[one]), tuple(
        one for one in with_voxels if not told_apart[one]
    )


def _anywhere(
    labels: LabelSet, asked: Structure, same: list[Structure], general: list[Structure], declared: list[Structure]
) -> Resolved:
    ontology = load_ontology()
    classes = tuple(one.id for one in same)
    broader = [one for one in general if one.lesion_type != asked.lesion_type]
    able = [one for one in general if one.id not in labels.drawn]
    return Resolved(
        structure=asked.id,
        keys=_keys(labels, classes),
        classes=classes,
        looked=bool(able),
        found=_any_filled(labels, classes),
        exact_or_broader_declared=tuple(one.id for one in able),
        narrower_declared=tuple(one.id for one in same if one not in general and one.id not in labels.drawn),
        broader_found=unexplained(
            labels, [one.id for one in broader if filled(labels, one.id)], asked.lesion_type or "", declared, ontology
        ),
        unlocated=tuple(one.id for one in same if one.organ is None and filled(labels, one.id)),
        looked_in=tuple(sorted({one.organ for one in able if one.organ})),
        drawn=tuple(one.id for one in same if one.id in labels.drawn),
    )


def _places(organ: str, lesions: list[Structure], ontology: Ontology) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lesion classes that lie within an organ (or are the same), and those of a larger whole around it."""
    inside = tuple(one.id for one in lesions if one.organ and holds(organ, one.organ, ontology))
    whole = tuple(one.id for one in lesions if one.organ and one.id not in inside and holds(one.organ, organ, ontology))
    return inside, whole


def _uncovered(organ: str, classes: tuple[str, ...], ontology: Ontology) -> tuple[str, ...]:
    """Parts of an organ in which none of the lesion classes lies."""
    hosts = {ontology.get(ident).organ for ident in classes}
    if organ in hosts:
        return ()
    parts = ontology.get(organ).parts
    if not parts:
        return (organ,)
    missing: tuple[str, ...] = ()
    for part in parts:
        lacking = _uncovered(part, classes, ontology)
        # a part in which nothing at all was looked for is named as a whole
        missing += (part,) if not hosts & parts_of(part, ontology) else lacking
    return missing
