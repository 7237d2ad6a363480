"""Label sets in the store of arrays, by content address: what engines saw, and what a person corrected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from tools.array_store import ArrayStore
from tools.types import content_hash
from tools.volume import Grid, LabelSet


def address(what: str, scan: str, labels: LabelSet) -> str:
    """Content address of a label set of a scan.

    Args:
        what: how it came about ("looked", "corrected").
        scan: digest of the scan.
        labels: the label set.
    """
    return content_hash([what, scan, labels.digest, labels.source, list(labels.notes)])


def keep_labels(arrays: ArrayStore, key: str, labels: LabelSet) -> None:
    """Store masks under a content address.

    Raises:
        UsageError: the folder cannot be made or written.
    """
    entries: dict[str, JsonValue] = {
        name: [[layer, value] for layer, value in keys] for name, keys in labels.entries.items()
    }
    raw: list[JsonValue] = [[layer, value, name] for (layer, value), name in labels.raw_names.items()]
    reviewed: dict[str, JsonValue] = {"reviewed": [*sorted(labels.reviewed)]} if labels.reviewed else {}
    arrays.put(
        key,
        {f"layer{number}": layer for number, layer in enumerate(labels.layers)},
        {
            "entries": entries, "raw": raw, "source": labels.source, "notes": list(labels.notes),
            "unseen": dict(labels.unseen), "estimated": [*sorted(labels.estimated)], **reviewed,
        },
    )  # fmt: skip


def kept_labels(arrays: ArrayStore, key: str, grid: Grid) -> LabelSet | None:
    """Masks by their content address; None where they are not there or damaged."""
    found = arrays.get(key)
    if found is None:
        return None
    layers = tuple(found.arrays[f"layer{number}"] for number in range(len(found.arrays)))
    if any(layer.shape != grid.shape for layer in layers):
        return None
    meta: Mapping[str, Any] = found.meta
    return LabelSet(
        grid=grid,
        layers=layers,
        entries={name: tuple((int(layer), int(v)) for layer, v in keys) for name, keys in meta["entries"].items()},
        raw_names={(int(layer), int(value)): str(name) for layer, value, name in meta["raw"]},
        source=str(meta["source"]),
        notes=tuple(str(note) for note in meta["notes"]),
        unseen={str(name): str(why) for name, why in meta["unseen"].items()},
        estimated=frozenset(str(name) for name in meta["estimated"]),
        reviewed=frozenset(str(name) for name in meta.get("reviewed", ())),
    )
