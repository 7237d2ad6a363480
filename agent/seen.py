"""Which structures the labels of a case show."""

from __future__ import annotations

from tools.volume import LabelSet


def labelled(labels: LabelSet | None) -> list[str]:
    """Identifiers of the structures that have voxels."""
    if labels is None:
        return []
    return sorted(name for name, keys in labels.entries.items() if any(key in labels.boxes for key in keys))
