"""What can be said of a structure before it is measured: was it looked for, is it there, is it cut off.

Every measuring tool begins here, so that the four states mean the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.base import Case
from tools.ontology import Structure, load_ontology
from tools.shape import cut_off_by, grown, touches
from tools.structure_parts import region_host
from tools.structures import Resolved, Standing, region, resolve
from tools.types import State
from tools.volume import Region


@dataclass(frozen=True)
class Look:
    """Result of looking for a structure.

    Attributes:
        state: MEASURED when it is there and may be measured; otherwise why not.
        reason: the reason, as a clause without digits; None when there is nothing to say.
        region: its mask, None unless it is there.
        cut: what cuts it off ("superior", …, "the edge of the reconstruction"); empty where it is whole.
        missing: names of parts that no label covers.
        none_found: whether classes of it were looked for and none of them has voxels, though it need not be absent.
        narrow: for a lesion that is there, a clause where only more special types, or none, were looked for.
    """

    state: State
    reason: str | None = None
    region: Region | None = None
    cut: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    none_found: bool = False
    narrow: str | None = None

    @property
    def whole(self) -> bool:
        """Whether all of it lies within the scan and is labelled."""
        return self.region is not None and not self.cut and not self.missing

    @property
    def incomplete_reason(self) -> str | None:
        """Why a size is only a lower bound."""
        if self.cut:
            return "it is cut off by the field of view (" + ", ".join(self.cut) + ")"
        if self.missing:
            return "not all of its parts are labelled (" + ", ".join(self.missing) + ")"
        return None


def look(case: Case, structure: str, *, with_lesions: bool = False) -> Look:
    """Look for a structure in the labels of a case.

    Args:
        case: the case.
        structure: canonical identifier.
        with_lesions: for an organ, include the lesions that lie in it (label maps carve them out).
    """
    ontology = load_ontology()
    name = ontology.get(structure).name
    if case.labels is None:
        return Look(State.NOT_ASSESSED, f"no label map or segmentation that could show the {name} was given")
    resolved = resolve(case.labels, structure, with_lesions=with_lesions)
    # An organ may be all lesion: then its own class is empty, but it is there.
    if resolved.standing is not Standing.PRESENT and not (with_lesions and resolved.standing is Standing.ABSENT):
        return _unseen(case, resolved)
    mask = region(case.labels, structure, with_lesions=with_lesions)
    if mask is None or mask.voxels == 0:  # shared lesions may all belong to the other side
        return _unseen(case, resolved)
    missing = tuple(ontology.get(part).name for part in resolved.missing_parts)
    narrow = None
    if resolved.narrower_declared and not resolved.exact_or_broader_declared:
        kinds = ", ".join(dict.fromkeys(ontology.get(name).name for name in resolved.narrower_declared))
        narrow = f"other kinds than these were not looked for: {kinds}"
    elif resolved.drawn and not resolved.exact_or_broader_declared:
        narrow = "nothing looked for others than those that a person added"
    return Look(State.MEASURED, None, mask, cut_by(case, mask), missing, narrow=narrow)


def host_of(case: Case, lesion: str) -> tuple[Structure, Look] | None:
    """The organ in which a lesion would lie, and what is seen of it; None for lesions anywhere.

    For a region of an organ that is not wholly seen by itself (nothing labels it), the organ counts.
    """
    ontology = load_ontology()
    place = ontology.get(lesion).organ
    if place is None:
        return None
    own = look(case, place, with_lesions=True)
    above = region_host(place, ontology)
    while not own.whole and above is not None:
        seen = look(case, above, with_lesions=True)
        if seen.region is not None and (seen.whole or own.region is None):
            place, own = above, seen
        above = region_host(above, ontology)
    return ontology.get(place), own


def tissue(case: Case, structure: str) -> Region | None:
    """Mask of an organ without its lesions, whether the labels carve them out of it or lay them over it.

    Lesions that no label gives to an organ are left out where they lie in it.
    """
    assert case.labels is not None
    mask = region(case.labels, structure)
    if mask is None:
        return None
    classes = resolve(case.labels, structure, with_lesions=True)
    ontology = load_ontology()
    declared = (ontology.get(name) for name in case.labels.entries)
    lesions = {one.id for one in declared if one.kind == "lesion" and one.organ is None}
    lesions |= {name for name in (*classes.classes, *classes.shared) if ontology.get(name).kind == "lesion"}
    own = {layer for layer, _ in resolve(case.labels, structure).keys}
    over = sorted({key for name in lesions for key in case.labels.entries[name] if key in case.labels.boxes})
    # Within one map a voxel has one label: lesions of the organ's own map are carved out of it already.
    over = [key for key in over if own != {key[0]}]
    bare = mask.mask.copy() if over else mask.mask
    for layer, value in over:
        bare &= case.labels.layers[layer][mask.box] != value
    return Region(mask.box, bare)


def cut_by(case: Case, region: Region) -> tuple[str, ...]:
    """What cuts a mask off: faces of the scan, or padding beside it."""
    return cut_off_by(case.scan, region)


def _unseen(case: Case, resolved: Resolved) -> Look:
    """State and reason of a structure without voxels."""
    ontology = load_ontology()
    asked = ontology.get(resolved.structure)

    def names(idents: tuple[str, ...]) -> str:
        return ", ".join(ontology.get(ident).name for ident in idents)

    reasons = {
        Standing.NOT_LOOKED: (
            why_unseen(case, resolved.structure)
            or f"the labels have no class for the {asked.name}, so nothing looked for it"
        )
        + _unplaced(case, resolved)
        + _unnamed(case),
        Standing.NARROWER_ONLY: f"only this was looked for, and not found: {names(resolved.narrower_declared)}",
        Standing.TYPE_UNKNOWN: f"the labels show a {names(resolved.broader_found)}, but nothing tells its type",
        Standing.SIDE_UNKNOWN: f"the labels show a {names(resolved.undivided)}, but nothing tells the "
        + ("regions apart" if region_host(asked.organ or asked.id, ontology) else "sides apart"),
        Standing.PARTLY: "nothing was found where it was looked for, but this was not looked at: "
        + names(resolved.missing_parts),
    }
    if resolved.standing in reasons:
        none_found = resolved.standing is Standing.NARROWER_ONLY
        return Look(State.NOT_ASSESSED, reasons[resolved.standing], none_found=none_found)
    if asked.kind != "lesion":
        problem = _out_of_view(case, resolved.structure)
        if problem is not None:
            return problem
    if asked.kind == "lesion" and resolved.shared:
        return Look(State.ABSENT, "none of the lesions that the labels show lies there")
    return Look(State.ABSENT, "the labels have a class for it, which is empty")


def why_unseen(case: Case, structure: str) -> str | None:
    """Why nothing looked for a structure, where the segmentation told; of parts and of hosts that holds as well."""
    if case.labels is None or not case.labels.unseen:
        return None
    ontology = load_ontology()
    asked = ontology.get(structure)
    related = (structure, asked.organ, *asked.parts, *asked.regions, region_host(structure, ontology))
    return next((case.labels.unseen[one] for one in related if one is not None and one in case.labels.unseen), None)


def _out_of_view(case: Case, structure: str) -> Look | None:
    """Why an organ without voxels may simply lie beyond the scan; None where it would have been seen.

    It would have been seen where its neighbours are wholly in the scan; without known neighbours, where the labelled
    organs of its region are.
    """
    ontology = load_ontology()
    asked = ontology.get(structure)
    assert case.labels is not None
    labelled = [name for name, keys in case.labels.entries.items() if any(key in case.labels.boxes for key in keys)]
    around = [name for name in labelled if name in asked.near]
    if not asked.near and asked.region != "any":
        around = [
            name for name in labelled if (other := ontology.get(name)).region == asked.region and other.kind == "organ"
        ]
    if not around:
        where = f"the {asked.region} region" if asked.region != "any" else "its surroundings"
        return Look(
            State.NOT_ASSESSED,
            f"nothing around it ({where}) is labelled, so the scan does not seem to reach the {asked.name}",
        )
    cut = [name for name in around if (mask := region(case.labels, name)) is not None and cut_by(case, mask)]
    if cut:
        names = ", ".join(ontology.get(name).name for name in cut)
        return Look(
            State.NOT_MEASURABLE,
            f"it was not found, but the scan cuts off what lies around it ({names}), so it may lie beyond",
        )
    return None


def _unplaced(case: Case, resolved: Resolved) -> str:
    """A hint where lesions that no label gives to an organ lie in or beside the one that was asked about."""
    ontology = load_ontology()
    organ = ontology.get(resolved.structure).organ
    mask = region(case.labels, organ, with_lesions=True) if organ is not None and case.labels is not None else None
    if mask is None or case.labels is None:
        return ""
    around = grown(mask, case.scan.grid)
    there = []
    for ident in resolved.unlocated:
        keys = case.labels.entries[ident]
        if any(touches(around.mask, case.labels.layers[layer][around.box] == value) for layer, value in keys):
            there.append(ontology.get(ident).name)
    if not there:
        return ""
    return f"; labels that name no organ have voxels in it or beside it ({', '.join(there)})"


def _unnamed(case: Case) -> str:
    """A hint where the labels have values that nobody named."""
    names = case.labels.entries if case.labels is not None else {}
    return (
        "; some labels have no name (--class-map gives them one)" if any(n.startswith("label_") for n in names) else ""
    )
