"""Mending of masks: stray islands, sides that were mixed up between components, lesion components far from home."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.masks import connected
from tools.ontology import load_ontology
from tools.segment.plausible_facts import Facts, gather
from tools.segment.plausible_flag import Flag
from tools.segment.plausible_lesion import HOST_MM, LEAST_VOXELS, far_components
from tools.segment.plausible_organ import STRAY_SHARE
from tools.segment.plausible_sides import CLEAR_MM, midline
from tools.volume import LabelSet, Region, Scan

_SIDED = {"duplicated_side", "swapped_sides"}


class _Layers:
    """Layers of a label set that are copied when they are first written to."""

    def __init__(self, labels: LabelSet) -> None:
        self._labels = labels
        self._layers = list(labels.layers)
        self._own: set[int] = set()

    def write(self, index: int) -> NDArray[Any]:
        if index not in self._own:
            self._layers[index] = self._layers[index].copy()
            self._own.add(index)
        return self._layers[index]

    def clear(self, ident: str, parts: Iterable[Region]) -> None:
        """Take components off a structure."""
        for part in parts:
            for layer, value in self._labels.entries[ident]:
                view = self.write(layer)[part.box]
                view[part.mask & (view == value)] = 0

    def move(self, source: str, target: str, part: Region) -> None:
        """Give a component to another structure; voxels that something else has taken there stay without a label."""
        layer, value = self._labels.entries[target][0]
        self.clear(source, [part])
        view = self.write(layer)[part.box]
        view[part.mask & (view == 0)] = value

    def result(self, notes: Iterable[str]) -> LabelSet:
        return replace(self._labels, layers=tuple(self._layers), notes=(*self._labels.notes, *notes))


def repair(scan: Scan, labels: LabelSet, flags: Collection[Flag]) -> tuple[LabelSet, tuple[str, ...]]:
    """Mend what the flags say and what can be mended without guessing.

    Components of paired organs go to the side that they lie on, if both sides then have some; stray islands and
    specks of lesions are taken off, and lesion components far from their organ. All else is left as it is.

    Args:
        scan: the scan.
        labels: the labels that were judged; not changed.
        flags: what `judge_masks` found in them.

    Returns:
        The labels (the same object where nothing is done) with the notes added, and the notes.
    """
    sided, note_sides = _mend_sides(scan, labels, flags)
    cleaned, note_islands = _mend_islands(sided, flags)
    return cleaned, (*note_sides, *note_islands)


def _mend_islands(labels: LabelSet, flags: Collection[Flag]) -> tuple[LabelSet, tuple[str, ...]]:
    layers, notes = _Layers(labels), []
    ontology = load_ontology()
    for ident, kinds in _by_structure(flags).items():
        own = labels.region(labels.entries.get(ident, ()))
        if own is None:
            continue
        name = ontology.get(ident).name
        if ontology.get(ident).kind == "lesion":
            far = [part for part, away in far_components(labels, labels.grid, ident) if away > HOST_MM] \
                if "position" in kinds else []  # fmt: skip
            specks = [part for part in connected(own) if part.voxels < LEAST_VOXELS] if "fragments" in kinds else []
            if far or specks:
                layers.clear(ident, [*far, *specks])
                notes.append(
                    f"of the mask of the {name}, {len(far)} components far from the organ and {len(specks)} of fewer "
                    f"than {LEAST_VOXELS} voxels were taken off"
                )
        elif kinds.get("fragments") == "note":
            parts = connected(own)
            main = max(part.voxels for part in parts)
            stray = [part for part in parts if part.voxels < STRAY_SHARE * own.voxels and part.voxels < main]
            if stray:
                layers.clear(ident, stray)
                share = sum(part.voxels for part in stray) / own.voxels
                notes.append(f"{len(stray)} stray islands ({share:.1%}) of the {name}'s mask were taken off")
    return (layers.result(notes), tuple(notes)) if notes else (labels, ())


def _mend_sides(scan: Scan, labels: LabelSet, flags: Collection[Flag]) -> tuple[LabelSet, tuple[str, ...]]:
    ontology = load_ontology()
    # Situs inversus is a note, and nothing to mend.
    flagged = {flag.structure for flag in flags if flag.kind in _SIDED and flag.severity == "refuse"}
    bases = sorted({ontology.get(ident).base for ident in flagged if ontology.get(ident).side})
    if not bases:
        return labels, ()
    facts = gather(scan, labels, None)
    layers, notes = _Layers(labels), []
    for base in bases:
        moves = _moves(facts, base)
        for source, target, part in moves:
            layers.move(source, target, part)
        if moves:
            name = ontology.get(base).name
            notes.append(f"{len(moves)} components of the {name} masks were given to the side that they lie on")
    return (layers.result(notes), tuple(notes)) if notes else (labels, ())


def _moves(facts: Facts, base: str) -> list[tuple[str, str, Region]]:
    """Components on the wrong side: (from, to, component); none where a side can't be told or one would be empty."""
    labels, grid = facts.labels, facts.scan.grid
    counts = dict.fromkeys(("left", "right"), 0)
    moves = []
    for side, other in (("left", "right"), ("right", "left")):
        ident, target = f"{base}_{side}", f"{base}_{other}"
        own = labels.region(labels.entries.get(ident, ()))
        if own is None or not labels.entries.get(target):
            continue
        for part in connected(own):
            at = grid.world(np.argwhere(part.mask).mean(axis=0) + [axis.start for axis in part.box])
            beyond = (float(at[0]) - midline(facts, float(at[2]))) * (1 if side == "left" else -1)
            if beyond > CLEAR_MM:
                moves.append((ident, target, part))
                counts[other] += part.voxels
            elif beyond < -CLEAR_MM:
                counts[side] += part.voxels
            elif part.voxels > STRAY_SHARE * own.voxels:
                return []  # a large piece in the middle belongs to neither side for certain
    total = sum(counts.values())
    return moves if total and min(counts.values()) >= 0.1 * total else []


def _by_structure(flags: Collection[Flag]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for flag in flags:
        found.setdefault(flag.structure, {})[flag.kind] = flag.severity
    return found
