"""Corrections that a person makes in masks: pure functions from a case and edits to new labels.

``remove`` takes the 26-connected component of a structure's mask at a point away. What other structures show of its
voxels they keep. Where most of the voxels around a removed lesion are its organ's, its own become the organ's: label
maps carve lesions out of organs, and a hole would be left; what a person added leaves what was there before. ``keep``
changes nothing and is recorded. ``add`` grows a lesion from a point (`tools.correct_grow`) and lays it over what is
there: no other structure loses a voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from tools.base import Case
from tools.correct_grow import grow
from tools.correct_layers import cleared, from_maps, laid_over, taken_in
from tools.correct_model import Amount, Change, Edit
from tools.correct_place import component_at, within
from tools.masks import connected
from tools.ontology import load_ontology
from tools.structure_parts import holds
from tools.volume import LabelSet, Region

BY_A_PERSON = "corrected by a person"
_MOSTLY = 0.5


@dataclass(frozen=True)
class Corrected:
    """What edits came to.

    Attributes:
        labels: the labels after all of them.
        changes: what became of each structure that was edited, in the order of the edits.
    """

    labels: LabelSet
    changes: tuple[Change, ...]


def correct(case: Case, edits: Sequence[Edit]) -> Corrected:
    """Apply edits to the masks of a case, one after the other.

    Args:
        case: the scan and its labels; without labels lesions can only be added.
        edits: what to change.

    Raises:
        UsageError: there is no such mask, nothing of it at the point, or nothing to grow from; says which edit.
    """
    before = case.labels or LabelSet(grid=case.scan.grid, layers=(), entries={}, source="masks drawn by a person")
    labels = before
    tally: dict[str, dict[str, int]] = {}
    notes: dict[str, list[str]] = {}
    for number, edit in enumerate(edits, start=1):
        try:
            labels, note = _STEPS[edit.kind](replace(case, labels=labels), labels, edit)
        except UsageError as error:
            raise UsageError(f"Edit {number} of {len(edits)} cannot be made: {error}") from error
        counts = tally.setdefault(edit.structure, {"remove": 0, "keep": 0, "add": 0})
        counts[edit.kind] += 1
        notes.setdefault(edit.structure, []).extend([note] if note else [])
    source = labels.source if BY_A_PERSON in labels.source else f"{labels.source}; {BY_A_PERSON}"
    labels = replace(labels, source=source, reviewed=labels.reviewed | tally.keys())
    changes = tuple(_change(before, labels, name, counts, notes[name]) for name, counts in tally.items())
    return Corrected(labels=labels, changes=changes)


def amount(labels: LabelSet, structure: str) -> Amount:
    """How much of a structure its own mask shows."""
    found = _region(labels, structure)
    if found is None:
        return Amount(lesions=0, volume_cm3=0.0)
    volume = found.voxels * labels.grid.voxel_volume / 1000
    return Amount(lesions=len(connected(found)), volume_cm3=round(volume, 4))


def _remove(case: Case, labels: LabelSet, edit: Edit) -> tuple[LabelSet, str]:
    part = _component(labels, edit)
    host, given = _host(labels, edit.structure, part), from_maps(labels, edit.structure, part)
    labels = cleared(labels, edit.structure, part)
    if host is not None:
        labels = taken_in(labels, host, given)
    return labels, ""


def _keep(case: Case, labels: LabelSet, edit: Edit) -> tuple[LabelSet, str]:
    _component(labels, edit)
    return labels, ""


def _add(case: Case, labels: LabelSet, edit: Edit) -> tuple[LabelSet, str]:
    grown = grow(case, edit)
    labels = laid_over(labels, edit.structure, grown.region)
    unseen = {name: why for name, why in labels.unseen.items() if name != edit.structure}
    # A region that grew by itself is no surer than one that an engine drew: of neither a bound is certain.
    return replace(labels, unseen=unseen, estimated=labels.estimated | {edit.structure}), grown.note


_STEPS = {"remove": _remove, "keep": _keep, "add": _add}


def _component(labels: LabelSet, edit: Edit) -> Region:
    name = load_ontology().get(edit.structure).name
    mask = _region(labels, edit.structure)
    if mask is None:
        raise UsageError(f"there is no mask of “{name}” in this scan; choose a structure that has one.")
    found = component_at(mask, labels.grid, edit.point)
    if found is None:
        raise UsageError(f"there is nothing of “{name}” within 5 mm of the point; choose a point in its mask.")
    return found


def _region(labels: LabelSet, structure: str) -> Region | None:
    return labels.region(labels.entries.get(structure, ()))


def _host(labels: LabelSet, structure: str, part: Region) -> str | None:
    """The organ's entry that most of the voxels around a lesion belong to, the organ's other lesions left aside."""
    ontology = load_ontology()
    organ = ontology.get(structure).organ
    if organ is None:
        return None
    box, shell = _shell(part, labels.grid.shape)
    total = int(np.count_nonzero(shell))
    best: tuple[int, str] | None = None
    for name in sorted(labels.entries):
        one = ontology.get(name)
        if one.kind == "lesion" or not (holds(organ, name, ontology) or holds(name, organ, ontology)):
            continue
        mask = _region(labels, name)
        if mask is None:
            continue
        count = int(np.count_nonzero(within(mask, box) & shell))
        if best is None or count > best[0]:
            best = (count, name)
    return best[1] if best is not None and best[0] > _MOSTLY * total else None


def _shell(part: Region, shape: tuple[int, int, int]) -> tuple[tuple[slice, slice, slice], NDArray[np.bool_]]:
    """The voxels around a component, one deep, and the box that they lie in."""
    from scipy import ndimage  # noqa: PLC0415

    low = [max(0, side.start - 1) for side in part.box]
    high = [min(length, side.stop + 1) for side, length in zip(part.box, shape, strict=True)]
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    inside = within(part, box)
    return box, ndimage.binary_dilation(inside, structure=np.ones((3, 3, 3))) & ~inside


def _change(before: LabelSet, after: LabelSet, name: str, counts: dict[str, int], notes: Sequence[str]) -> Change:
    return Change(
        structure=name, name=load_ontology().get(name).name, before=amount(before, name), after=amount(after, name),
        removed=counts["remove"], added=counts["add"], kept=counts["keep"], note="; ".join(dict.fromkeys(notes)),
    )  # fmt: skip
