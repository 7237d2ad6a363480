"""The benchmark on its own scans and masks, without its harness: every question is a run of the usual engine."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.errors import InputError
from agent.files import atomic_write
from agent.models.embedded import EmbeddedReasoner
from agent.settings import Settings
from evals.dtv.answer import final_answer
from evals.dtv.data import Item, find_case
from evals.dtv.prompt import Prompt, read_prompt
from evals.dtv.score import score, summary
from tools.base import Case, CaseSettings
from tools.readers.phase_words import phase_of

Progress = Callable[[int, int], None]


def run_local(
    items: Sequence[Item], data: Path, out: Path, *, progress: Progress = lambda finished, planned: None
) -> dict[str, Any]:
    """Answer all questions whose scan is there; results and metrics are written as one JSON file.

    Args:
        items: the questions.
        data: folder with the scans and masks.
        out: folder for ``results.json``; runs live below it while they go on.
        progress: told of every question answered.

    Returns:
        The metrics, with the number of questions whose scan was missing or could not be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    grouped: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        grouped[item.image_id].append(item)
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for image, asked in grouped.items():
        found = find_case(data, image)
        if found is None:
            skipped[image] = "no scan was found"
            continue
        phase = phase_of([asked[0].contrast or ""])
        try:
            case = open_case(CaseFiles(found[0], found[1], settings=CaseSettings(phase=phase)))
        except InputError as error:
            skipped[image] = str(error)
            continue
        for row in _answers(case, asked, out):
            rows.append(row)
            progress(len(rows), len(items))
    unanswered = sum(len(grouped[image]) for image in skipped)
    metrics = {**summary(rows), "without_scan": unanswered}
    made = {"metrics": metrics, "n_processed": len(rows), "skipped": skipped, "results": rows}
    atomic_write(out / "results.json", json.dumps(made, ensure_ascii=False, indent=1) + "\n")
    return metrics


def _answers(case: Case, items: Sequence[Item], out: Path) -> Iterator[dict[str, Any]]:
    engine = Engine(Settings(home=out / "runs", cache=out / "cache"), EmbeddedReasoner())
    for item in items:
        prompt = _prompt(item)
        report, state = engine.ask(case, prompt.question, options=prompt.options)
        said, guessed = final_answer(prompt, report, state)
        yield {
            "qid": item.qid,
            "image_id": item.image_id,
            "question_type": item.question_type,
            "question_subtype": item.question_subtype,
            "raw_output": said,
            "answer": item.answer,
            "correct_option": item.correct_option,
            "score": score(said, item.answer, item.correct_option if prompt.options else None),
            "guess": guessed.reason if guessed is not None else None,
            "text": report.answer.text if report.answer else None,
            "run": report.run_id,
        }


def _prompt(item: Item) -> Prompt:
    if item.mc_question:
        read = read_prompt(item.mc_question)
        if read.options:
            return read
    return read_prompt(item.question)
