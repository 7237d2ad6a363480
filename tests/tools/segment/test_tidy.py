"""Predicted lesions become one piece of one type, on the side of their organ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.segment.tidy import give_sides, tidy_lesions

LIVER, CYST, HCC, LEFT, RIGHT = 1, 2, 3, 4, 5
GROUPS = {"liver": [CYST, HCC]}


def _liver() -> NDArray[np.uint8]:
    labels = np.zeros((24, 20, 16), np.uint8)
    labels[2:20, 2:18, 2:14] = LIVER
    return labels


def test_a_lesion_gets_the_type_of_most_of_its_voxels() -> None:
    labels = _liver()
    labels[5:10, 5:10, 5:10] = HCC
    labels[5, 5:10, 5:10] = CYST
    labels[14:18, 5:9, 5:9] = CYST
    found = tidy_lesions(labels, GROUPS, 8.0)
    assert (found[5:10, 5:10, 5:10] == HCC).all()
    assert (found[14:18, 5:9, 5:9] == CYST).all()
    assert (labels[5, 5:10, 5:10] == CYST).all(), "the input was changed"


def test_specks_become_what_lies_around_them() -> None:
    labels = _liver()
    labels[5, 5, 5] = HCC
    labels[22, 1, 1] = CYST
    found = tidy_lesions(labels, GROUPS, 8.0)
    assert found[5, 5, 5] == LIVER and found[22, 1, 1] == 0
    assert not np.isin(found, [CYST, HCC]).any()


def test_what_is_unlikely_as_a_whole_becomes_what_lies_around_it() -> None:
    labels = _liver()
    labels[5:10, 5:10, 5:10] = HCC
    labels[14:18, 5:9, 5:9] = CYST
    likely = np.full(labels.shape, 0.9, np.float32)
    likely[14:18, 5:9, 5:9] = 0.6
    likely[16, 6, 6] = 1.0
    asked: list[list[int]] = []

    def sure(classes: Sequence[int]) -> NDArray[np.float32]:
        asked.append([*classes])
        return likely

    found = tidy_lesions(labels, GROUPS, 8.0, sure=sure)
    assert (found[5:10, 5:10, 5:10] == HCC).all()
    assert (found[14:18, 5:9, 5:9] == LIVER).all()
    assert asked == [[CYST, HCC]]


def test_no_lesion_is_no_work() -> None:
    np.testing.assert_array_equal(tidy_lesions(_liver(), GROUPS, 8.0), _liver())


def test_a_lesion_gets_the_side_of_the_organ_that_it_touches_or_that_is_nearest() -> None:
    labels = np.zeros((40, 12, 12), np.uint8)
    labels[4:12, 3:9, 3:9], labels[28:36, 3:9, 3:9] = LEFT, RIGHT
    labels[6:9, 5:8, 5:8] = HCC
    labels[22:25, 5:8, 5:8] = HCC  # beside the right one, without touching it
    give_sides(labels, HCC, {"left": LEFT, "right": RIGHT}, {"left": 8, "right": 9}, np.ones(3))
    assert (labels[6:9, 5:8, 5:8] == 8).all()
    assert (labels[22:25, 5:8, 5:8] == 9).all()
    assert not (labels == HCC).any()
