"""A general class of another layer hides no further type where special classes account for all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.label_make import AFFINE
from tools.structures import Standing, resolve
from tools.volume import Grid, LabelSet

SHAPE = (20, 12, 12)
ONE, TWO = np.s_[4:7, 4:7, 4:7], np.s_[12:15, 4:7, 4:7]


def label_set(*layers: dict[str, list[tuple[slice, ...]]]) -> LabelSet:
    """One layer per table of class → boxes."""
    entries: dict[str, tuple[tuple[int, int], ...]] = {}
    arrays = []
    for number, table in enumerate(layers):
        array = np.zeros(SHAPE, np.uint8)
        for value, (name, boxes) in enumerate(table.items(), start=1):
            entries[name] = (*entries.get(name, ()), (number, value))
            for box in boxes:
                array[box] = value
        arrays.append(array)
    return LabelSet(Grid(SHAPE, AFFINE), tuple(arrays), entries)


TYPED = {"pancreas": [np.s_[2:17, 2:9, 2:9]], "pancreas_pdac": [ONE], "pancreas_pnet": []}
CASES = [
    # typed layer, general layer, asked, standing
    (TYPED, {"pancreas_lesion": [ONE]}, "pancreas_pnet", Standing.ABSENT),
    (TYPED, {"pancreas_lesion": [ONE, TWO]}, "pancreas_pnet", Standing.TYPE_UNKNOWN),
    (TYPED, {"pancreas_lesion": [TWO]}, "pancreas_pnet", Standing.TYPE_UNKNOWN),
    (TYPED, {"pancreas_lesion": [ONE]}, "pancreas_cyst", Standing.ABSENT),
    (TYPED, {"pancreas_tumor": [ONE]}, "pancreas_cyst", Standing.NOT_LOOKED),
    # a tumour may be an adenocarcinoma: it accounts for nothing
    ({"pancreas_tumor": [ONE], "pancreas_pdac": []}, {"pancreas_lesion": [ONE]}, "pancreas_pdac",
     Standing.TYPE_UNKNOWN),
    ({"kidney_left": [], "kidney_cyst_left": [ONE], "kidney_tumor_left": []}, {"kidney_lesion_left": [ONE]},
     "kidney_tumor_left", Standing.ABSENT),
    ({"kidney_cyst_left": [ONE]}, {"kidney_lesion": [ONE]}, "kidney_tumor", Standing.ABSENT),
    ({"kidney_cyst": [ONE]}, {"lesion": [ONE]}, "tumor", Standing.ABSENT),
    ({"kidney_cyst": [ONE]}, {"lesion": [ONE, TWO]}, "tumor", Standing.TYPE_UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "general", "asked", "standing"), CASES)
def test_overlapping_layers(
    typed: Any,
    general: Any,
    asked: str,
    standing: Standing,
) -> None:
    for layers in ((typed, general), (general, typed)):
        assert resolve(label_set(*layers), asked).standing is standing


def test_classes_of_one_layer_account_for_nothing() -> None:
    both: Any = TYPED | {"pancreas_lesion": [TWO]}
    labels = label_set(both)
    assert resolve(labels, "pancreas_pnet").standing is Standing.TYPE_UNKNOWN
