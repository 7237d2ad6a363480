"""Answers in words where the evidence behind them is converted, derived, or of several lesions."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.query import Query
from tests.agent.loop_make import ask, make_case, run
from tools.base import Case


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (ask("volume_difference", "kidney_left", "kidney_right", unit="ml"), "a difference of"),
        (ask("volume_difference", "kidney_left", "kidney_right", unit="l"), "that of the right kidney"),
        (
            ask("volume_total", "kidney_left", "kidney_right", unit="l"),
            "Together, the left kidney and the right kidney",
        ),
    ],
    ids=str,
)
def test_a_derived_value_is_told_of_its_structures_in_any_unit(
    case: Case, query: Query, words: str, tmp_path: Path
) -> None:
    made = run(case, [query], tmp_path).report
    assert made.status == "consistent" and made.answer is not None
    assert words in made.answer.text
    assert made.answer.unit == query.unit


def test_a_ratio_is_called_one_when_it_is_compared(case: Case, tmp_path: Path) -> None:
    query = ask("hu_ratio_threshold", "liver", "spleen", comparator="lt", threshold=1.1)
    made = run(case, [query], tmp_path).report.answers[0]
    assert "The mean attenuation ratio of the liver and spleen" in made.text


@pytest.mark.parametrize(
    ("structure", "value", "state"),
    [("liver_lesion", True, "measured"), ("kidney_cyst", False, "measured"), ("spleen_lesion", False, "absent")],
)
def test_whether_any_lesion_is_longer_has_a_yes_or_a_no(
    case: Case, structure: str, value: bool, state: str, tmp_path: Path
) -> None:
    query = ask("lesion_diameter_threshold", structure, comparator="gt", threshold=3.0, threshold_unit="cm")
    made = run(case, [query], tmp_path).report.answers[0]
    assert (made.value, made.state.value) == (value, state)
