"""Controls: constant answers are at chance, shuffling moves every scan, empty scans keep their grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from evals.controls import constant_answer, judge, shuffled_plan, write_control_scan
from evals.marking import Given, mark
from evals.metrics import Marked
from evals.questions import make_questions
from evals.questions_model import Question
from tests.truth_make import lesion, seen, truth_data


def suite() -> list[Question]:
    """Questions about twelve hand-made patients."""
    found: list[Question] = []
    for n in range(12):
        lesions = [lesion("liver_cyst", 2.0 + n, hu_mean=8.0), lesion("kidney_cyst_left", 1.0 + n)][: n % 3]
        found += make_questions(seen(truth_data(*lesions, spleen=150.0 + 60 * n), name=f"p{n}"), 7)
    return found


def answered(given: Any) -> list[Marked]:
    return [Marked(question=one, given=(g := given(one)), outcome=mark(one, g)) for one in suite()]


def perfect(question: Question) -> Given:
    """The right answer to every question."""
    expected = question.expected
    option = None if question.correct is None else chr(ord("A") + question.correct)
    state = "measured" if expected.decidable else "not_assessed"
    structures = (expected.required or (str(expected.value),)) if expected.form == "name" else ()
    return Given(value=expected.value, unit=expected.unit, option=option, state=state, structures=structures,
                 borderline=expected.must_flag)  # fmt: skip


def test_a_perfect_answerer_is_always_right_and_is_no_control() -> None:
    rows = answered(perfect)
    assert {one.outcome for one in rows} == {"right", "named"}
    assert not judge(rows).fell


def test_a_constant_answer_falls_to_chance() -> None:
    rows = answered(constant_answer)
    found = judge(rows)
    assert found.fell and found.share is not None and found.chance is not None
    assert abs(found.share - found.chance) < 0.1


def test_silence_falls() -> None:
    found = judge(answered(lambda question: Given(state="not_assessed")))
    assert (found.fell, found.chosen, found.silent) == (True, 0, 1.0)


def test_half_right_above_chance_does_not_fall() -> None:
    rows = answered(lambda q: perfect(q) if int(q.qid, 16) % 2 else constant_answer(q))
    assert not judge(rows).fell


def test_shuffling_leaves_no_scan_in_place() -> None:
    plan = shuffled_plan(["a", "b", "c"])
    assert sorted(plan.values()) == ["a", "b", "c"]
    assert all(name != other for name, other in plan.items())
    with pytest.raises(ValueError, match="two phantoms"):
        shuffled_plan(["a"])


def test_control_scans_keep_the_grid_and_show_nothing(tmp_path: Path) -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    maker: Any = nib.Nifti1Image
    nib.save(maker(np.full((6, 5, 4), 60, np.int16), affine), tmp_path / "ct.nii.gz")
    for name in ("blank", "noise"):
        path = write_control_scan(name, tmp_path / "ct.nii.gz", tmp_path / "c" / f"{name}.nii.gz", 3)
        image: Any = nib.load(path)
        assert image.shape == (6, 5, 4) and np.allclose(image.affine, affine)
        data = np.asarray(image.dataobj)
        assert (data < -900).all() if name == "blank" else data.std() > 200
        before = path.stat().st_mtime_ns
        write_control_scan(name, tmp_path / "ct.nii.gz", path, 3)
        assert path.stat().st_mtime_ns == before
