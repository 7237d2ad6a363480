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
from tools.correct_layers import cleared, from_maps, laid_over, renamed, taken_in
from tools.correct_model import Amount, Change, Edit
from tools.correct_place import component_at, within
from tools.masks import common_voxels, connected
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
    labels = renamed(labels, source=source, reviewed=labels.reviewed | tally.keys())
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
    hosts, given = _hosts(labels, edit.structure, part), from_maps(labels, edit.structure, part)
    drawn = edit.structure in labels.drawn
    labels = cleared(labels, edit.structure, part)
    if drawn and _region(labels, edit.structure) is None:
        # Nothing looked for it before a person added it: without that it is not absent but not assessed again.
        entries = {name: keys for name, keys in labels.entries.items() if name != edit.structure}
        labels = renamed(labels, entries=entries, estimated=labels.estimated - {edit.structure})
    for host in hosts:
        labels = taken_in(labels, host, given)
    return labels, _still_shown(labels, edit.structure, part)


def _keep(case: Case, labels: LabelSet, edit: Edit) -> tuple[LabelSet, str]:
    _component(labels, edit)
    return labels, ""


def _add(case: Case, labels: LabelSet, edit: Edit) -> tuple[LabelSet, str]:
    grown = grow(case, edit)
    grown_over = laid_over(labels, edit.structure, grown.region)
    joined = amount(grown_over, edit.structure).lesions <= amount(labels, edit.structure).lesions
    notes = [grown.note, "what was added counts as one with what it touches"] if joined else [grown.note]
    unseen = {name: why for name, why in labels.unseen.items() if name != edit.structure}
    # A region that grew by itself is no surer than one that an engine drew: of neither a bound is certain.
    estimated = labels.estimated | {edit.structure}
    return renamed(grown_over, unseen=unseen, estimated=estimated), "; ".join(note for note in notes if note)


def _still_shown(labels: LabelSet, structure: str, part: Region) -> str:
    """Which masks of other lesions have voxels of what was removed, as a clause: it still counts as theirs."""
    ontology = load_ontology()
    named = []
    for name, keys in labels.entries.items():
        mask = labels.region(keys) if name != structure and ontology.get(name).kind == "lesion" else None
        if mask is not None and common_voxels(mask, part):
            named.append(ontology.get(name).name)
    return f"what was removed is still shown as {', '.join(sorted(named))}" if named else ""


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


def _hosts(labels: LabelSet, structure: str, part: Region) -> list[str]:
    """The entries of an organ, its parts and wholes, that most of the voxels around a lesion belong to."""
    ontology = load_ontology()
    organ = ontology.get(structure).organ
    if organ is None:
        return []
    box, shell = _shell(part, labels.grid.shape)
    total = int(np.count_nonzero(shell))
    found = []
    for name in sorted(labels.entries):
        one = ontology.get(name)
        if one.kind == "lesion" or not (holds(organ, name, ontology) or holds(name, organ, ontology)):
            continue
        mask = _region(labels, name)
        if mask is None:
            continue
        if np.count_nonzero(within(mask, box) & shell) > _MOSTLY * total:
            found.append(name)
    return found


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
