"""Several label maps of one scan as one label set: organs in one, lesions or segments in another."""

from __future__ import annotations

from collections.abc import Sequence

from agent.errors import LabelsError
from tools.volume import LabelSet

MAX_LAYERS = 64
Keys = tuple[tuple[int, int], ...]


def merge_labels(sets: Sequence[LabelSet]) -> LabelSet:
    """Join label sets on one grid; their layers are kept apart, so that masks of different maps may overlap.

    A structure that several maps show is taken from the first of them that has voxels of it: two maps of one
    organ seldom agree, and their union would be neither.

    Args:
        sets: at least one label set, all on the scan's grid.

    Raises:
        LabelsError: the maps together have more layers than are allowed.
    """
    if len(sets) == 1:
        return sets[0]
    layers = tuple(layer for one in sets for layer in one.layers)
    if len(layers) > MAX_LAYERS:
        raise LabelsError(
            f"The label maps overlap in {len(layers)} layers, more than {MAX_LAYERS}: give fewer of them."
        )
    entries: dict[str, Keys] = {}
    filled: set[str] = set()
    raw_names: dict[tuple[int, int], str] = {}
    notes: list[str] = []
    estimated: set[str] = set()
    reviewed: set[str] = set()
    shift = 0
    for number, one in enumerate(sets, start=1):
        for name, keys in one.entries.items():
            there = any(key in one.boxes for key in keys)
            unnamed = name.startswith("label_") and name in entries
            ident = f"{name}_of_map_{number}" if unnamed else name
            if there and ident in filled:
                notes.append(f"more than one label map shows the {ident.replace('_', ' ')}: the first one's is used")
            elif there or ident not in entries:
                estimated -= {ident}
                estimated |= {ident} & one.estimated
                reviewed -= {ident}
                reviewed |= {ident} & one.reviewed
                entries[ident] = tuple((layer + shift, value) for layer, value in keys)
                filled |= {ident} if there else set()
        raw_names |= {(layer + shift, value): name for (layer, value), name in one.raw_names.items()}
        notes += [note for note in one.notes if note not in notes]
        shift += len(one.layers)
    return LabelSet(
        grid=sets[0].grid, layers=layers, entries=entries, raw_names=raw_names,
        source="; ".join(dict.fromkeys(one.source for one in sets)), notes=tuple(notes),
        unseen={name: why for one in sets for name, why in one.unseen.items() if name not in entries},
        estimated=frozenset(estimated), reviewed=frozenset(reviewed),
    )  # fmt: skip
