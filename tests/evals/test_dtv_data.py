"""The benchmark's data files, its scores, and a run on scans and masks of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import UsageError
from evals.dtv.data import find_case, read_questions
from evals.dtv.local import run_local
from evals.dtv.prompt import read_prompt
from evals.dtv.score import score, summary
from tests.agent.loop_make import AFFINE, VALUES, arrays
from tests.label_make import save

LIVER = 14 * 16 * 14 * 7 * 7 * 5 / 1000


def question(**more: Any) -> dict[str, Any]:
    row = {
        "qid": "q1", "image_id": "BDMAP_00000001", "spacing": "(7, 7, 5)", "shape": "(44, 36, 26)", "sex": None,
        "age": 61, "question": "What is the volume of the liver?", "answer": str(LIVER), "mc_question": None,
        "correct_option": None, "organ": "liver", "lesion": False, "question_type": "measurement",
        "question_subtype": "organ volume measurement", "requires_tools": ["segment"],
    }  # fmt: skip
    return row | more


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder in the benchmark's layout with one scan and its masks."""
    root = tmp_path / "data"
    case = root / "BDMAP_00000001"
    (case / "segmentations").mkdir(parents=True)
    hu, labels = arrays()
    save(case / "ct.nii.gz", hu, AFFINE)
    names = {"liver": "liver", "spleen": "spleen", "liver_lesion": "liver_lesion"}
    for name, file in names.items():
        mask = labels == VALUES[name]
        if name == "liver":
            mask |= labels == VALUES["liver_lesion"]
        save(case / "segmentations" / f"{file}.nii.gz", mask.astype(np.uint8), AFFINE)
    (root / "benchmark").mkdir()
    options = f"What is the volume of the liver? A: {0.7 * LIVER:.1f} cm3 B: {LIVER:.1f} cm3 C: {1.3 * LIVER:.1f} cm3"
    rows = [
        question(),
        question(qid="q2", mc_question=options, correct_option="B"),
        question(qid="q3", question="Is there a liver lesion?", answer="Yes", question_type="recognition"),
        question(qid="q4", question="Is there a pancreatic lesion?", answer="No", question_type="recognition"),
        question(qid="q5", image_id="BDMAP_00000002"),
    ]
    text = json.dumps({"version": "2", "num_questions": len(rows), "questions": rows})
    (root / "benchmark/test_qa.json").write_text(text, encoding="utf-8")
    return root


@pytest.mark.slow
def test_the_dataset_is_answered_from_its_masks_and_scored(data: Path, tmp_path: Path) -> None:
    metrics = run_local(read_questions(data), data, tmp_path / "out")
    made = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    by_qid = {row["qid"]: row for row in made["results"]}
    assert by_qid["q1"]["score"] == pytest.approx(1, abs=1e-3)
    assert (by_qid["q2"]["raw_output"], by_qid["q2"]["score"]) == ("B", 1.0)
    assert (by_qid["q3"]["raw_output"], by_qid["q3"]["guess"]) == ("Yes", None)
    # Nobody annotated the pancreas: the benchmark wants a no, and that it is a guess is said.
    assert by_qid["q4"]["score"] == 1.0 and by_qid["q4"]["guess"]
    assert "q5" not in by_qid and metrics["without_scan"] == 1
    assert (metrics["decided"], metrics["guessed"]) == (3, 1)
    assert metrics["by_super_type"]["recognition"] == 1.0


def test_the_older_csv_form_is_read(tmp_path: Path) -> None:
    lines = (
        "Question ID,Image ID,spacing,shape,sex,age,scanner,contrast,question,answer,multiple-choice question,"
        "correct option,organ,lesion,question type,question subtype,split\n"
        'q1,BDMAP_1,"(1, 1, 1)","(9, 9, 9)",F,,GE,,How large?,,How large? A: 1 B: 2,B,liver,False,Measurement,X,train\n'
    )
    (tmp_path / "train").mkdir()
    (tmp_path / "train/train_qa.csv").write_text(lines, encoding="utf-8")
    (item,) = read_questions(tmp_path)
    assert (item.qid, item.image_id, item.mc_question, item.correct_option) == (
        "q1", "BDMAP_1", "How large? A: 1 B: 2", "B",
    )  # fmt: skip
    assert (item.question_type, item.age, item.contrast) == ("measurement", None, None)


@pytest.mark.parametrize("ident", ["../secret", "a/b", "..", "", "a\\b", "x" * 200])
def test_an_image_id_is_no_path(tmp_path: Path, ident: str) -> None:
    (tmp_path / "test_qa.json").write_text(json.dumps({"questions": [question(image_id=ident)]}), encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        read_questions(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"questions": 3}', '{"questions": [{"image_id": "a"}]}'])
def test_files_that_are_no_questions_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "test_qa.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        read_questions(tmp_path)


def test_missing_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at"):
        read_questions(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no questions"):
        read_questions(tmp_path)
    assert find_case(tmp_path, "BDMAP_1") is None


@pytest.mark.parametrize(
    ("given", "answer", "option", "right"),
    [
        ("B", "x", "B", 1.0), ("A", "x", "B", 0.0), ("110", "100", None, 0.9), ("90", "100", None, 0.9),
        ("300", "100", None, 0.0), ("0", "0", None, 1.0), ("1", "0", None, 0.0), ("-5", "-10", None, 0.5),
        ("Yes", "yes", None, 1.0), ("No", "Yes", None, 0.0), ("Left kidney.", "left kidney", None, 1.0),
        ("left", "left kidney", None, 0.0), ("none", "12", None, 0.0),
    ],
)  # fmt: skip
def test_scores_are_the_benchmarks(given: str, answer: str, option: str | None, right: float) -> None:
    assert score(given, answer, option) == pytest.approx(right)


def test_a_summary_weighs_by_question_and_keeps_guesses_apart() -> None:
    rows = [
        {"question_type": "m", "question_subtype": "a", "score": 1.0, "guess": None},
        {"question_type": "m", "question_subtype": "b", "score": 0.0, "guess": "why"},
        {"question_type": "r", "question_subtype": "c", "score": 0.5, "guess": None},
    ]
    made = summary(rows)
    assert made["overall"] == 0.5 and made["by_super_type"] == {"m": 0.5, "r": 0.5}
    assert (made["decided"], made["decided_score"], made["guessed"]) == (2, 0.75, 1)
    assert summary([])["overall"] is None


def test_prompts_are_taken_apart() -> None:
    found = read_prompt(
        "You are given a CT scan (one axial image is shown).\n"
        "Patient: sex=F, age=63, scanner=GE, contrast=non-contrast\n"
        "Spacing: (0.8, 0.8, 2.5), shape: (512, 512, 100)\nQuestion: What is the T stage? A: T1 B: T2, if any C: T3\n"
        "Answer with only the single letter of the correct option."
    )
    assert found.question == "What is the T stage?"
    assert found.options == ("T1", "T2, if any", "T3")
    assert (found.form, found.phase, found.spacing, found.shape) == (
        "letter", "native", (0.8, 0.8, 2.5), (512, 512, 100),
    )  # fmt: skip
    assert dict(found.facts)["age"] == "63"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("How large is the liver?\nProvide only a number.", "number"),
        ("Is the liver large? Answer yes or no.", "yesno"),
        ("Where is the lesion?\nAnswer with a short phrase.", "phrase"),
    ],
)
def test_the_form_of_the_answer_is_read_from_the_instruction(text: str, form: str) -> None:
    assert read_prompt(text).form == form
