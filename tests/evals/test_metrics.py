"""Marking and scoring: every outcome by hand, intervals by patient against brute force, calibration by definition."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.marking import Given, mark, same_category, words_of
from evals.metrics import Marked, calibration, clustered_interval, score, summarise
from evals.questions_model import Expected, Question, stage_of


def question(expected: dict[str, Any], *options: str, correct: int | None = None, phantom: str = "p1",
             subtype: str = "organ volume measurement") -> Question:  # fmt: skip
    return Question(
        qid=f"{phantom}{len(options)}{expected}", phantom=phantom, view="full", subtype=subtype,
        stage=stage_of(subtype),
        wording="w", split="train", layout="choice" if options else "free", text="?", options=options, correct=correct,
        expected=Expected.model_validate({"form": "number"} | expected),
    )  # fmt: skip


def answer(value: Any = None, state: str = "measured", **more: Any) -> Given:
    return Given(value=value, state=state, **more)


VOLUME = {"value": 200.0, "unit": "cm3", "tolerance": 4.0}


@pytest.mark.parametrize(
    ("given_answer", "outcome"),
    [
        (answer(203.9, unit="cm3"), "right"), (answer(0.2039, unit="l"), "right"), (answer(204.1, unit="cm3"), "wrong"),
        (answer(204.1, unit="cm3", uncertainty=9.0), "wrong"), (answer(state="not_measurable"), "abstained"),
        (answer(200.0, unit="cm3", understood=False), "failed"), (answer(200.0, unit="cm3", resolved=False), "failed"),
        (answer(True), "wrong"), (answer("200"), "wrong"), (answer(state="absent"), "wrong"),
    ],
)  # fmt: skip
def test_numbers(given_answer: Given, outcome: str) -> None:
    assert mark(question(VOLUME), given_answer) == outcome


def test_stated_uncertainty_widens_only_up_to_the_loose_tolerance() -> None:
    asked = question({"value": 20.0, "unit": "mm", "tolerance": 0.4, "loose": 2.5})
    assert mark(asked, answer(22.0, unit="mm", uncertainty=50.0)) == "right"
    assert mark(asked, answer(22.0, unit="mm", uncertainty=1.0)) == "wrong"
    assert mark(asked, answer(23.0, unit="mm", uncertainty=50.0)) == "wrong"
    assert mark(asked, answer(2.03, unit="cm")) == "right"


def test_absence_is_zero_and_no() -> None:
    assert mark(question({"value": 0, "unit": "1"}), answer(state="absent")) == "right"
    assert mark(question({"value": 1, "unit": "1"}), answer(state="absent")) == "wrong"
    assert mark(question({"form": "boolean", "value": False}), answer(state="absent")) == "right"


def test_undecidable_questions() -> None:
    asked = question({"decidable": False})
    assert mark(asked, answer(state="not_assessed")) == "named"
    assert mark(asked, answer(state="not_assessed", understood=False)) == "failed"
    assert mark(asked, answer(3.0)) == "overreached"
    offered = question({"decidable": False}, "1", "2", "Cannot be determined", correct=2)
    assert [mark(offered, answer(state="not_assessed", option=o)) for o in ("C", "A", None)] == [
        "named", "overreached", "overreached",
    ]  # fmt: skip
    assert mark(question({"decidable": False}, "1", "2"), answer(state="not_measurable")) == "named"


def test_choices_count_by_option_alone() -> None:
    asked = question(VOLUME, "150", "200", "250", correct=1)
    assert mark(asked, answer(200.0, option="B")) == "right"
    assert mark(asked, answer(200.0, option="A")) == "wrong"
    assert mark(asked, answer(200.0)) == "abstained"


def test_near_a_threshold_both_readings_count_if_the_answer_says_so() -> None:
    near = {"form": "boolean", "value": True, "other": False}
    assert mark(question(near), answer(True)) == "right"
    assert mark(question(near), answer(False)) == "wrong"
    assert mark(question(near), answer(False, borderline=True)) == "right"
    must = near | {"must_flag": True}
    assert mark(question(must), answer(True)) == "wrong"
    assert mark(question(must), answer(True, borderline=True)) == "right"


def test_names_and_categories() -> None:
    place = {"form": "name", "value": "liver_segment_8", "accepted": ("liver_segment_8", "liver_segment_7"),
             "required": ("liver_segment_8",)}  # fmt: skip
    assert mark(question(place), answer("liver segment 8")) == "right"
    assert mark(question(place), answer("x", structures=("liver_segment_8", "liver_segment_7"))) == "right"
    assert mark(question(place), answer("liver segment 7")) == "wrong"
    assert mark(question(place), answer("liver segment 8 and liver segment 4")) == "wrong"
    assert words_of("left kidney") == words_of("kidney_left") and words_of("head of the pancreas") == words_of(
        "pancreas_head"
    )
    assert same_category("T1c", "T1") and same_category("cT2", "T2") and not same_category("T1", "T2")
    assert same_category("Mild splenomegaly", "mild") and not same_category("normal", "mild")
    assert same_category("left kidney", "left kidney") and not same_category("left kidney", "right kidney")
    assert not same_category("resectable", "borderline resectable")


def marked(*rows: tuple[str, str, bool]) -> list[Marked]:
    """Phantom, outcome, decidable."""
    return [
        Marked(question=question(VOLUME if ok else {"decidable": False}, phantom=name), given=answer(), outcome=outcome)  # type: ignore[arg-type]
        for name, outcome, ok in rows
    ]


def test_scores_keep_decidable_and_undecidable_apart() -> None:
    one = score(marked(("a", "right", True), ("a", "wrong", True), ("b", "abstained", True), ("b", "failed", True),
                       ("a", "named", False), ("b", "overreached", False), ("b", "failed", False)))  # fmt: skip
    assert (one.decidable, one.right, one.wrong, one.abstained, one.failed) == (4, 1, 1, 1, 1)
    assert (one.undecidable, one.named, one.overreached, one.failed_undecidable) == (3, 1, 1, 1)
    assert one.accuracy == 0.25
    assert score([]).accuracy is None


def test_the_interval_of_two_patients_is_that_of_all_their_draws() -> None:
    hits = [("a", True)] * 8 + [("a", False)] * 2 + [("b", False)] * 30
    table = {"a": (8, 10), "b": (0, 30)}
    shares = sorted(
        sum(table[one][0] for one in draw) / sum(table[one][1] for one in draw)
        for draw in itertools.product("ab", repeat=2)
    )
    assert clustered_interval(hits, draws=4000) == (shares[0], shares[-1])
    assert clustered_interval([("a", True)] * 100) is None


def test_clusters_widen_the_interval() -> None:
    alone = [(str(n), n % 2 == 0) for n in range(200)]
    together = [(str(n // 20), n // 20 % 2 == 0) for n in range(200)]
    a, b = clustered_interval(alone, seed=1), clustered_interval(together, seed=1)
    assert a is not None and b is not None
    assert b[1] - b[0] > 3 * (a[1] - a[0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=2, max_size=40), st.integers(0, 9))
def test_intervals_hold_the_share_range_and_repeat(hits: list[tuple[str, bool]], seed: int) -> None:
    ends = clustered_interval(hits, seed=seed, draws=200)
    if ends is not None:
        assert 0 <= ends[0] <= ends[1] <= 1
        assert ends == clustered_interval(reversed(hits), seed=seed, draws=200)


def test_calibration_by_definition() -> None:
    rows = marked(*[("a", "right", True)] * 9, ("a", "wrong", True), ("a", "abstained", True), ("a", "named", False))
    one = calibration(rows)
    assert one.answered == 10
    assert [one.ece, one.brier] == pytest.approx([0.1, 0.1])
    sure, unsure = (answer(1.0, borderline=b) for b in (False, True))
    mixed = [
        Marked(question=question(VOLUME), given=g, outcome=o)  # type: ignore[arg-type]
        for g, o in ((sure, "right"), (unsure, "right"), (unsure, "wrong"))
    ]
    found = calibration(mixed)
    assert found.ece == pytest.approx((0 + 2 * 0.25) / 3)
    assert found.brier == pytest.approx((0 + 0.25**2 + 0.75**2) / 3)
    assert calibration([]).ece is None


def test_summary_orders_kinds_and_knows_chance() -> None:
    rows = [
        Marked(question=question(VOLUME, *"abcd", correct=0), given=answer(option="A"), outcome="right"),
        Marked(question=question({"form": "boolean", "value": True}, "Yes", "No", correct=0, subtype="PDAC existence"),
               given=answer(option="B"), outcome="wrong"),
    ]  # fmt: skip
    one = summarise(rows)
    assert list(one.by_stage) == ["recognition", "measurement"]
    assert list(one.by_subtype) == ["PDAC existence", "organ volume measurement"]
    assert one.chance == pytest.approx((0.25 + 0.5) / 2)
