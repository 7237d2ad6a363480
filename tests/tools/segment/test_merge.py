"""Several label maps of one scan: layers overlap, the first map that shows a structure is believed."""

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import LabelsError
from tools.segment.merge import MAX_LAYERS, merge_labels
from tools.volume import Grid, LabelSet

GRID = Grid((6, 5, 4), np.diag([2.0, 2.0, 3.0, 1.0]))


def labels(entries: dict[str, int], painted: dict[int, tuple[slice, slice, slice]], note: str = "") -> LabelSet:
    layer = np.zeros(GRID.shape, dtype=np.uint8)
    for value, box in painted.items():
        layer[box] = value
    named: dict[str, tuple[tuple[int, int], ...]] = {name: ((0, value),) for name, value in entries.items()}
    return LabelSet(GRID, (layer,), named, {(0, v): n for n, v in entries.items()}, "map", (note,) if note else ())


LEFT = (slice(0, 3), slice(None), slice(None))
RIGHT = (slice(3, 6), slice(None), slice(None))
MIDDLE = (slice(2, 4), slice(1, 3), slice(1, 3))


def test_masks_of_two_maps_overlap() -> None:
    organs = labels({"liver": 1, "spleen": 2}, {1: LEFT, 2: RIGHT})
    lesions = labels({"liver_lesion": 1}, {1: MIDDLE})
    both = merge_labels([organs, lesions])
    sizes = {name: found.voxels for name in both.entries if (found := both.region(both.entries[name]))}
    assert sizes == {"liver": 60, "spleen": 60, "liver_lesion": 8}
    assert both.raw_names[(1, 1)] == "liver_lesion"


def test_the_first_map_that_shows_a_structure_is_believed_and_named() -> None:
    first = labels({"liver": 1, "pancreas": 3}, {1: LEFT})
    second = labels({"liver": 1, "pancreas": 2}, {1: RIGHT, 2: MIDDLE}, "resampled")
    both = merge_labels([first, second])
    assert both.entries["liver"] == ((0, 1),)
    # A class that the first map declares without a voxel does not hide what the second one shows.
    assert both.entries["pancreas"] == ((1, 2),)
    assert any("liver" in note for note in both.notes) and "resampled" in both.notes


def test_a_class_without_voxels_in_any_map_stays_declared() -> None:
    both = merge_labels([labels({"liver": 1}, {1: LEFT}), labels({"liver_lesion": 1}, {})])
    assert both.entries["liver_lesion"] == ((1, 1),) and (1, 1) not in both.boxes


def test_unnamed_labels_of_two_maps_are_not_one_structure() -> None:
    both = merge_labels([labels({"label_1": 1}, {1: LEFT}), labels({"label_1": 1}, {1: RIGHT})])
    assert both.entries == {"label_1": ((0, 1),), "label_1_of_map_2": ((1, 1),)}


def test_one_map_stays_what_it_is_and_too_many_layers_are_refused() -> None:
    one = labels({"liver": 1}, {1: LEFT})
    assert merge_labels([one]) is one
    with pytest.raises(LabelsError, match="layers"):
        merge_labels([one] * (MAX_LAYERS + 1))
