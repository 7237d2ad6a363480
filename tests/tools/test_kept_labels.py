"""Label sets come back from the store as they were put there, whoever drew them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.label_make import AFFINE, SHAPE, blocks
from tools.array_store import ArrayStore
from tools.kept_labels import address, keep_labels, kept_labels
from tools.segment.merge import merge_labels
from tools.volume import Grid, LabelSet

GRID = Grid(SHAPE, AFFINE)
LABELS = LabelSet(
    GRID, (blocks(), blocks() * np.uint16(300)), {"liver": ((0, 1),), "spleen": ((0, 2), (1, 900)), "liver_lesion": ()},
    {(0, 1): "Leber"}, "a map", ("a note",), {"pancreas": "nobody looked"}, frozenset({"liver"}), frozenset({"spleen"}),
)  # fmt: skip


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    arrays, key = ArrayStore(tmp_path), address("corrected", "scan", LABELS)
    keep_labels(arrays, key, LABELS)
    found = kept_labels(arrays, key, GRID)
    assert found is not None and found.digest == LABELS.digest
    for field in ("entries", "raw_names", "source", "notes", "unseen", "estimated", "reviewed"):
        assert getattr(found, field) == getattr(LABELS, field)
    assert kept_labels(arrays, "0" * 64, GRID) is None
    assert kept_labels(arrays, key, Grid((2, 2, 2), AFFINE)) is None


def test_who_reviewed_what_is_part_of_what_labels_are() -> None:
    plain = replace(LABELS, reviewed=frozenset())
    assert plain.digest != LABELS.digest
    assert address("corrected", "scan", plain) != address("corrected", "scan", LABELS)
    assert address("looked", "scan", LABELS) != address("corrected", "scan", LABELS)


def test_joined_maps_know_which_of_their_structures_were_reviewed() -> None:
    other = LabelSet(GRID, (blocks(),), {"spleen": ((0, 1),), "stomach": ((0, 3),)}, reviewed=frozenset({"stomach"}))
    assert merge_labels([LABELS, other]).reviewed == {"spleen", "stomach"}
    assert merge_labels([other, LABELS]).reviewed == {"stomach"}
