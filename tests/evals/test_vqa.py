"""The runner: resumes, marks anew, refuses another run's folder; views as files; a small suite end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli import build_app
from agent.errors import UsageError
from evals import vqa, vqa_answer, vqa_cases
from evals.jobs import read_rows
from evals.marking import Given
from evals.metrics import Marked, summarise
from evals.phantom_io import label_table
from evals.questions_model import Question
from evals.view_files import read_label_table, write_view
from evals.views import LESIONS, View
from evals.vqa import Job, answer_job, results_of, run_vqa
from evals.vqa_options import VqaOptions
from evals.vqa_report import chart, markdown
from tests.truth_make import PARTS, VOLUMES, lesion, seen, truth_data

CLASSES = [*VOLUMES, *LESIONS]


def write_labels(path: Path, names: list[str]) -> None:
    """A label map with two voxels of each class."""
    data = np.zeros((8, 8, 2), np.uint8)
    for value in range(1, len(names) + 1):
        data[value % 8, value // 8, :] = value
    maker: Any = nib.Nifti1Image
    image = maker(data, np.diag([2.0, 2.0, 5.0, 1.0]))
    table = {name: value for value, name in enumerate(names, start=1)}
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, label_table(table)))
    nib.save(image, path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A phantom's label maps and a truth that goes with any."""
    write_labels(tmp_path / "labels.nii.gz", CLASSES)
    write_labels(tmp_path / "parts.nii.gz", list(PARTS))
    (tmp_path / "truth.json").write_text(json.dumps(truth_data(lesion("liver_cyst", 3.0))))
    return tmp_path


def counts(paths: tuple[Path, ...]) -> dict[str, int]:
    """Class name → voxels over several label maps."""
    found: dict[str, int] = {}
    for path in paths:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj)
        for name, value in read_label_table(path).items():
            found[name] = found.get(name, 0) + int((data == value).sum())
    return found


def test_views_hand_over_what_they_declare(folder: Path) -> None:
    for view in (View("full"), View("typed", "typed"), View("generic", "generic"), View("b", "blank"),
                 View("d", dropped=frozenset({"spleen", "liver_cyst"})), View("own", "own")):  # fmt: skip
        paths = write_view(view, folder, folder / "views")
        found = counts(paths)
        assert set(found) == view.declared({"labels": CLASSES, "parts": PARTS})
        assert write_view(view, folder, folder / "views") == paths
        if view.style == "blank":
            assert not any(found.values())
    generic = counts(write_view(View("generic", "generic"), folder, folder / "views"))
    assert generic["liver_lesion"] == 2 * sum(name.startswith("liver") for name in LESIONS)
    assert not set(LESIONS) & set(generic)
    full = counts(write_view(View("full"), folder, folder / "views"))
    assert (full["liver_lesion"], full["liver_cyst"], full["pancreas_tumor"]) == (8, 2, 4)
    dropped = counts(write_view(View("d", dropped=frozenset({"spleen"})), folder, folder / "views2"))
    assert "spleen" not in dropped and dropped["liver"] == 2


def some_questions() -> tuple[Question, ...]:
    from evals.questions import make_questions

    return tuple(make_questions(seen(truth_data(lesion("liver_cyst", 3.0))), 0)[:6])


class Scripted:
    """Answers from a list of states, and counts."""

    asked = 0

    def answer(self, question: Question) -> Given:
        Scripted.asked += 1
        return Given(value=question.expected.value, unit=question.expected.unit, state="measured")


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    @contextmanager
    def scripted(*_: object) -> Any:
        yield Scripted()

    monkeypatch.setattr(vqa_answer, "answering", scripted)
    Scripted.asked = 0
    job = Job("c", tmp_path / "ct", (), some_questions(), tmp_path / "r" / "c.jsonl")
    steps: Any = answer_job(job)
    assert [next(steps) for _ in range(4)] == [0, 1, 1, 1]
    steps.close()
    with job.results.open("ab") as stream:
        stream.write(b'{"question": {"qi')  # killed while writing
    assert len(read_rows(job.results, Marked)) == 3
    assert sum(answer_job(job)) == 6
    assert Scripted.asked == 6
    assert sum(answer_job(job)) == 6
    assert Scripted.asked == 6
    assert [one.question for one in results_of(job)] == list(job.questions)


def test_results_are_marked_by_the_truth_as_it_is_now(tmp_path: Path) -> None:
    asked = next(one for one in some_questions() if one.layout == "free" and one.expected.form == "boolean")
    job = Job("c", tmp_path, (), (asked,), tmp_path / "c.jsonl")
    row = {"question": asked.model_dump(mode="json"), "given": {"state": "measured", "value": asked.expected.value}}
    job.results.write_text(json.dumps(row | {"outcome": "wrong"}) + "\n")
    assert results_of(job)[0].outcome == "right"
    job.results.write_text("{}\n")
    with pytest.raises(UsageError, match="no results"):
        read_rows(job.results, Marked)


def test_another_runs_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"format": 1, "phantoms": 3, "seed": 0, "control": null}')
    with pytest.raises(UsageError, match="another run"):
        run_vqa(VqaOptions(2, 0, tmp_path))
    (tmp_path / "plan.json").write_text("nonsense")
    with pytest.raises(UsageError, match="cannot be used"):
        run_vqa(VqaOptions(2, 0, tmp_path))


def test_questions_come_from_the_files_of_a_phantom(folder: Path) -> None:
    plan = next(one for one in vqa_cases.plan_cases(1, 0) if one.whole)
    made = vqa.questions_of(plan, folder, 0)
    assert len(made) > 100
    assert any(one.expected.value == pytest.approx(3.0) for one in made)


def test_the_commands_refusals() -> None:
    runner = CliRunner()
    app = build_app("eval")
    for arguments, said in (
        (["--control", "magic"], "none of constant"),
        (["--control", "shuffled", "--phantoms", "1"], "two"),
    ):
        result = runner.invoke(app, ["eval", "vqa", "--out", "x", *arguments])
        assert isinstance(result.exception, UsageError)
        assert said in str(result.exception) or "2 or more" in str(result.exception)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole views only, and of each of them one question per kind."""
    plans, questions = vqa_cases.plan_cases, vqa.questions_of
    monkeypatch.setattr(vqa, "plan_cases", lambda n, seed: [one for one in plans(n, seed) if one.whole])

    def first_of_each(*given: Any) -> list[Question]:
        return list({one.subtype: one for one in reversed(questions(*given))}.values())

    monkeypatch.setattr(vqa, "questions_of", first_of_each)


@pytest.mark.slow
def test_a_small_suite_end_to_end(tmp_path: Path, few: None) -> None:
    """Two phantoms: all is right, and the tables hold every kind that was asked."""
    marked = run_vqa(VqaOptions(2, 0, tmp_path))
    bad = [(one.outcome, one.question.text, one.given.text) for one in marked if one.outcome not in {"right", "named"}]
    assert not bad, bad[:5]
    assert len({one.question.subtype for one in marked}) >= 40
    summary = summarise(marked)
    text = markdown(summary, marked)
    assert all(f"| {one.question.subtype} |" in text for one in marked)
    assert chart(summary).count("<rect") == sum(one.accuracy is not None for one in summary.by_subtype.values())


@pytest.mark.slow
@pytest.mark.parametrize("control", ["constant", "blank"])
def test_controls_fall_end_to_end(tmp_path: Path, few: None, control: str) -> None:
    from evals.controls import judge

    marked = run_vqa(VqaOptions(1, 0, tmp_path, control))  # type: ignore[arg-type]
    assert judge(marked).fell
    if control == "blank":
        # Nothing is there to be seen, and nothing may be said of it.
        assert {one.given.state for one in marked} <= {"not_assessed", "not_measurable"}
