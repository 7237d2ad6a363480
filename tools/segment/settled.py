"""Masks of one engine, judged together: mended where that takes no guessing, refused where they cannot be right.

All masks of a run of an engine are judged, whatever was asked for, so that a mask counts or not whichever question
it is looked at for. The user's own labels help to judge and are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tools.ontology import load_ontology
from tools.segment.merge import merge_labels
from tools.segment.plausible import judge_masks, repair
from tools.segment.plausible_flag import Flag
from tools.volume import LabelSet, Scan


@dataclass(frozen=True)
class Settled:
    """What is left of an engine's masks.

    Attributes:
        masks: those that count, mended.
        refused: structure → why its mask does not count.
        empty: structures without a voxel where one was to be expected, though people live without them.
        notes: on masks that count, one clause each, by structure.
    """

    masks: LabelSet
    refused: Mapping[str, Flag]
    empty: Mapping[str, Flag]
    notes: Mapping[str, tuple[str, ...]]


def settle_masks(scan: Scan, own: LabelSet | None, masks: LabelSet, *, phase: str | None = None) -> Settled:
    """Judge, mend and judge again until nothing is left that cannot be right.

    Args:
        scan: the scan.
        own: the user's labels, None where there are none.
        masks: what one engine saw.
        phase: contrast phase, None where it is not known.
    """
    refused: dict[str, Flag] = {}
    known = own.entries if own is not None else {}
    left = replace(masks, entries={name: keys for name, keys in masks.entries.items() if name not in known})
    while True:
        both = left if own is None else merge_labels([own, left])
        flags = [one for one in judge_masks(scan, both, phase=phase) if one.structure in left.entries]
        mended, _ = repair(scan, both, flags)
        again = [one for one in judge_masks(scan, mended, phase=phase) if one.structure in left.entries]
        wrong = {one.structure: one for one in reversed(again) if one.severity == "refuse"}
        if not wrong:
            break
        refused |= wrong
        left = replace(left, entries={name: keys for name, keys in left.entries.items() if name not in wrong})
    notes: dict[str, tuple[str, ...]] = {}
    for one in again:
        notes[one.structure] = (*notes.get(one.structure, ()), told(one))
    empty = {one.structure: one for one in again if one.kind == "empty"}
    return Settled(_without_own(mended, own, left), refused, empty, notes)


def told(flag: Flag) -> str:
    """What a flag says, as a note."""
    return f"the mask of the {load_ontology().get(flag.structure).name}: {flag.reason}"


def _without_own(both: LabelSet, own: LabelSet | None, masks: LabelSet) -> LabelSet:
    """The engine's part of labels that were judged together with the user's."""
    if own is None:
        return both
    first = len(own.layers)
    entries = {
        name: tuple((layer - first, value) for layer, value in keys)
        for name, keys in both.entries.items()
        if name in masks.entries
    }
    raw = {(layer - first, value): name for (layer, value), name in both.raw_names.items() if layer >= first}
    notes = tuple(note for note in both.notes if note not in own.notes)
    return replace(masks, layers=both.layers[first:], entries=entries, raw_names=raw, notes=notes)
