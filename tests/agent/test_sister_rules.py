"""Where rules of one finding disagree, the yes or no names the other verdict with its source and values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.loop_make import NATIVE, ask, make_case, run
from tests.real import answer, opened
from tools.base import CaseSettings

DIFFERING = {**NATIVE, "liver": 45, "spleen": 33}
"""More than the spleen, so that the ratio sees no fat; less than the grading takes for normal."""


@pytest.mark.slow
def test_a_grade_that_says_otherwise_is_named_in_the_yes_or_no(tmp_path: Path) -> None:
    made = run(make_case(DIFFERING), [ask("steatosis", "liver")], tmp_path)
    assert made.report.status == "consistent"
    (told,) = made.report.answers
    assert told.value is False
    assert "By the Kodama rule, the liver has moderate steatosis (grade two): its mean attenuation is 4" in told.text
    assert "Source: Kodama Y et al., AJR 2007;188:1307-1312" in told.text
    assert "These rules disagree; the answer follows the liver-to-spleen-ratio rule." in told.text
    grade = next(
        one.id for one in made.state.evidence.values() if one.tool == "apply_rule" and one.details["source"] == "Kodama"
    )
    assert grade in told.evidence
    # The severity of the knowledge base says the same as the answer: it adds nothing.
    assert "knowledge-base rule" not in told.text


def test_the_configured_source_answers(tmp_path: Path) -> None:
    case = replace(make_case(DIFFERING), settings=CaseSettings(prefer=("Kodama",)))
    (told,) = run(case, [ask("steatosis", "liver")], tmp_path).report.answers
    assert told.value is True
    assert "the answer follows the Kodama rule" in told.text
    assert "By the liver-to-spleen-ratio rule, the liver is not fatty" in told.text


@pytest.mark.slow
def test_rules_that_agree_are_not_repeated(tmp_path: Path) -> None:
    (told,) = run(
        make_case({**NATIVE, "liver": 64, "spleen": 47}), [ask("steatosis", "liver")], tmp_path
    ).report.answers
    assert told.value is False
    assert "Kodama" not in told.text and "disagree" not in told.text


@pytest.mark.slow
def test_the_native_scan_names_both(tmp_path: Path) -> None:
    made = answer(opened("abdomen-native"), "Is there hepatic steatosis?", tmp_path)
    assert made.answer is not None and made.answer.value is False
    assert "By the Kodama rule, the liver has moderate steatosis" in made.answer.text
    assert "These rules disagree" in made.answer.text
