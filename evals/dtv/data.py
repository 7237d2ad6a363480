"""The benchmark's own data files: questions, and where the scan and the masks of an image are."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agent.errors import UsageError

MAX_BYTES = 512 * 2**20
MAX_QUESTIONS = 1_000_000
_PLACES = ("benchmark/test_qa.json", "test_qa.json", "train/train_qa.csv", "train_qa.csv", "test_qa.csv")
_SCANS = ("ct.nii.gz", "ct.nii", "CT.nii.gz")
_ID = re.compile(r"[\w.\- ]{1,100}")


class Item(BaseModel):
    """One question of the benchmark; columns of the older CSV form are named alike.

    Attributes:
        qid, image_id: of the question and its scan; an image's id is never a path.
        question, answer: free form.
        mc_question, correct_option: multiple choice, where there is one.
        question_type, question_subtype: as the benchmark groups them.
        sex, age, scanner, contrast: as far as the benchmark tells them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    qid: str = ""
    image_id: str
    question: str
    answer: str = ""
    mc_question: str | None = None
    correct_option: str | None = None
    question_type: str = ""
    question_subtype: str = ""
    sex: str | None = None
    age: str | None = None
    scanner: str | None = None
    contrast: str | None = None
    spacing: str | None = None
    shape: str | None = None

    @field_validator("image_id")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not _ID.fullmatch(value) or value.strip(". ") == "":
            raise ValueError("an image id has letters, digits, dots, dashes and underscores")
        return value

    @field_validator("question_type", "question_subtype")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.strip().lower()


class Questions(BaseModel):
    """The questions file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    questions: tuple[Item, ...] = Field(max_length=MAX_QUESTIONS)


def read_questions(data: Path) -> list[Item]:
    """Questions of a data folder, or of a questions file.

    Raises:
        UsageError: no questions are there, or they cannot be read.
    """
    if not data.exists():
        raise UsageError(f"There is nothing at '{data}': give the folder of the DeepTumorVQA data.")
    file = data if data.is_file() else next((data / one for one in _PLACES if (data / one).is_file()), None)
    if file is None:
        raise UsageError(f"'{data}' holds no questions: one of {', '.join(_PLACES)} is needed.")
    if file.stat().st_size > MAX_BYTES:
        raise UsageError(f"'{file}' is larger than {MAX_BYTES >> 20} MiB: split it.")
    try:
        if file.suffix == ".csv":
            return [Item.model_validate(row) for row in _rows(file)]
        return list(Questions.model_validate(json.loads(file.read_text(encoding="utf-8"))).questions)
    except (ValidationError, ValueError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is no valid JSON"
        raise UsageError(f"The questions in '{file}' cannot be read: {what}.") from error


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    names = {"question id": "qid", "multiple-choice question": "mc_question", "multiple choice question": "mc_question"}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            cells = {(name or "").strip().lower(): value for name, value in row.items() if isinstance(value, str)}
            yield {
                names.get(name, name.replace(" ", "_")): value.strip() for name, value in cells.items() if value.strip()
            }


def find_case(data: Path, image_id: str) -> tuple[Path, Path | None] | None:
    """Scan and folder of masks of an image: ``[images/]ID/ct.nii.gz`` with ``segmentations/``, or ``ID.nii.gz``."""
    root = data if data.is_dir() else data.parent
    for folder in (root, root / "images", root / "image_only", root / "data"):
        inner = folder / image_id
        for name in _SCANS:
            if (inner / name).is_file():
                masks = next((inner / one for one in ("segmentations", "masks") if (inner / one).is_dir()), None)
                beside = root / "mask_only" / image_id / "segmentations"
                return inner / name, masks or (beside if beside.is_dir() else None)
        for suffix in (".nii.gz", ".nii"):
            flat = folder / f"{image_id}{suffix}"
            if flat.is_file():
                masks = root / "masks" / image_id
                return flat, masks if masks.is_dir() else None
    return None
