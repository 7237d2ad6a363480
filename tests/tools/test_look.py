"""What is said where nothing looked for a lesion, but labels without an organ show something there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.case_make import boxes_case
from tools.look import look
from tools.types import State

SIZE = (30, 20, 16)
LIVER = np.s_[4:20, 4:16, 4:12]


@pytest.mark.parametrize(
    ("at", "said"),
    [(np.s_[8:12, 8:12, 6:9], True), (np.s_[20:22, 8:12, 6:9], True), (np.s_[21:23, 8:12, 6:9], False)],
)
def test_a_lesion_of_no_organ_is_mentioned_where_it_lies_in_or_beside_the_one_asked_for(at: Any, said: bool) -> None:
    found = look(boxes_case(SIZE, {"liver": LIVER, "lesion": at}), "liver_lesion")
    assert found.state is State.NOT_ASSESSED
    assert ("no organ" in str(found.reason) and "(lesion)" in str(found.reason)) is said


def test_what_no_organ_is_asked_for_says_nothing_of_it() -> None:
    case = boxes_case(SIZE, {"liver": LIVER, "lesion": np.s_[8:12, 8:12, 6:9]})
    assert "no organ" not in str(look(case, "spleen").reason)
    assert "no organ" not in str(look(boxes_case(SIZE, {"lesion": np.s_[8:12, 8:12, 6:9]}), "liver_lesion").reason)
