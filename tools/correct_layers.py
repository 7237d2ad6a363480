"""Voxels of a structure cleared, laid over others, or given to an organ, whatever shares its layers and values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from tools.correct_place import within
from tools.masks import common_voxels, cropped
from tools.segment.merge import MAX_LAYERS
from tools.volume import ADDED, Box, LabelSet, Region

Key = tuple[int, int]
_LARGEST = np.iinfo(np.uint16).max


def cleared(labels: LabelSet, structure: str, part: Region) -> LabelSet:
    """Labels without a part of a structure's mask; entries that share its labels keep their voxels.

    Args:
        labels: the labels.
        structure: an entry of theirs.
        part: voxels of its mask.
    """
    layers, entries, names = list(labels.layers), dict(labels.entries), dict(labels.raw_names)
    for key in dict.fromkeys(entries[structure]):
        layer, value = key
        own = (layers[layer][part.box] == value) & part.mask
        if not own.any():
            continue
        others = [name for name, keys in entries.items() if name != structure and key in keys]
        new = 0
        if others:
            # The part stays theirs under a value of its own.
            new = _free_value(layers[layer], entries, names, layer)
            names |= {(layer, new): names[key]} if key in names else {}
            for name in others:
                entries[name] = (*entries[name], (layer, new))
        layers[layer] = _written(layers[layer], part.box, own, new)
    made = replace(labels, layers=tuple(layers), entries=entries, raw_names=names)
    return _boxed(labels, made, part.box)


def laid_over(labels: LabelSet, structure: str, part: Region, *, added: bool = True) -> LabelSet:
    """Labels in which a structure has some more voxels, and every other one has what it had.

    Args:
        labels: the labels.
        structure: canonical id; an entry, or to become one.
        part: the voxels.
        added: they are to be told from those that a map gave.

    Raises:
        UsageError: there is no room for a further layer.
    """
    layers, entries, names = list(labels.layers), dict(labels.entries), dict(labels.raw_names)
    here = labels.region(entries.get(structure, ()))
    mask = part.mask.copy()
    if here is not None:
        mask &= ~within(here, part.box)
    known = [
        key
        for key in entries.get(structure, ())
        if _owners(entries, key) == 1 and (not added or names.get(key) == ADDED)
    ]
    key = next((key for key in known if not layers[key[0]][part.box][mask].any()), None)
    if key is None:
        layer = next((n for n, one in enumerate(layers) if not one[part.box][mask].any()), len(layers))
        if layer == len(layers):
            if len(layers) >= MAX_LAYERS:
                raise UsageError(f"the masks overlap in more than {MAX_LAYERS} layers; give fewer label maps.")
            layers.append(np.zeros(labels.grid.shape, dtype=np.uint8))
        key = (layer, _free_value(layers[layer], entries, names, layer))
        entries[structure] = (*entries.get(structure, ()), key)
        names[key] = ADDED
    layers[key[0]] = _written(layers[key[0]], part.box, mask, key[1])
    made = replace(labels, layers=tuple(layers), entries=entries, raw_names=names)
    return _boxed(labels, made, part.box)


def taken_in(labels: LabelSet, organ: str, part: Region) -> LabelSet:
    """Labels in which an organ has those voxels of a part that no structure beside it has (any more).

    What shares voxels with the organ elsewhere (its segments in a map of their own, the body) leaves it these as well.
    """
    own = labels.region(labels.entries[organ])
    free = part.mask & ~within(own, part.box) if own is not None else part.mask.copy()
    for name, keys in labels.entries.items():
        other = labels.region(keys) if name != organ and _meets(labels, keys, part.box, free) else None
        if other is not None and (own is None or not common_voxels(other, own)):
            free &= ~within(other, part.box)
    if not free.any():
        return labels
    return laid_over(labels, organ, Region(box=part.box, mask=free), added=False)


def from_maps(labels: LabelSet, structure: str, part: Region) -> Region:
    """The voxels of a part of a structure's mask that a map gave, and no person added; its box is the part's."""
    mask = np.zeros(part.mask.shape, dtype=np.bool_)
    for layer, value in labels.entries[structure]:
        if labels.raw_names.get((layer, value)) != ADDED:
            mask |= labels.layers[layer][part.box] == value
    return Region(box=part.box, mask=mask & part.mask)


def renamed(labels: LabelSet, **changes: Any) -> LabelSet:
    """`dataclasses.replace` for all but the layers; what is known of these stays known."""
    return _boxed(labels, replace(labels, **changes), None)


def _boxed(before: LabelSet, made: LabelSet, box: Box | None) -> LabelSet:
    """New labels that know the boxes of all values: only those that changed, within a box, are looked for again.

    To look through all layers takes most of the time of an edit.
    """
    boxes = dict(before.boxes)
    for number, layer in enumerate(made.layers if box is not None else ()):
        assert box is not None
        old = before.layers[number] if number < len(before.layers) else np.zeros_like(layer)
        changed = old[box] != layer[box]
        for value in {*old[box][changed].tolist(), *layer[box][changed].tolist()} - {0}:
            around = _hull(boxes.pop((number, value), box), box)
            found = cropped(Region(box=around, mask=np.empty(0, np.bool_)), layer[around] == value)
            if found is not None:
                boxes[number, value] = found.box
    vars(made)["boxes"] = boxes  # where its `cached_property` would put them
    return made


def _hull(one: Box, other: Box) -> Box:
    i, j, k = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return i, j, k


def _meets(labels: LabelSet, keys: tuple[Key, ...], box: Box, mask: NDArray[np.bool_]) -> bool:
    return any(bool((labels.layers[layer][box][mask] == value).any()) for layer, value in keys)


def _owners(entries: dict[str, tuple[Key, ...]], key: Key) -> int:
    return sum(key in keys for keys in entries.values())


def _free_value(layer: NDArray[Any], entries: dict[str, tuple[Key, ...]], names: dict[Key, str], number: int) -> int:
    named = [value for keys in (*entries.values(), tuple(names)) for one, value in keys if one == number]
    value = max([int(layer.max(initial=0)), *named], default=0) + 1
    if value > _LARGEST:
        raise UsageError("the masks have more labels than can be numbered; give fewer label maps.")
    return value


def _written(layer: NDArray[Any], box: tuple[slice, slice, slice], mask: NDArray[np.bool_], value: int) -> NDArray[Any]:
    """A copy of a layer with a value at some voxels, in a larger type where it needs one."""
    copy = layer.astype(np.uint16) if value > np.iinfo(layer.dtype).max else layer.copy()
    copy[box][mask] = value
    return copy
