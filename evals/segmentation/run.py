"""`tumortrace eval segmentation`: phantoms, masks, scores, questions.

OUT/plan.json           what was asked for, and of which weights: a folder goes on only with the same
OUT/phantoms/NAME/      the phantoms
OUT/results/NAME.json   everything about one phantom, written whole when it is done: a killed run goes on after it
OUT/cache/              predicted masks and results of tools
OUT/summary.json, report.md
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from agent.cases import CaseFiles, open_case
from agent.errors import UsageError
from agent.files import atomic_write
from agent.services import Progress, silent
from evals.embedded.data import FIRST_SEED
from evals.phantom_options import PhantomOptions
from evals.phantom_tissue import Phase
from evals.phantom_truth_model import PhantomTruth
from evals.questions import make_questions
from evals.segmentation.ask import ask_both, pick
from evals.segmentation.masks import class_scores, flagged, lesion_results
from evals.segmentation.model import Asked, PhantomResult
from evals.segmentation.predict import Looked, Reader, evaluated, everything, settings_in
from evals.vqa import seen_through
from evals.vqa_cases import VIEWS
from tools.base import Case
from tools.segment.workshop import Workshop
from tools.volume import LabelSet

FORMAT = 1


@dataclass(frozen=True)
class SegmentationOptions:
    """What to run.

    Attributes:
        out: folder of the results.
        phantoms: how many patients.
        seed: of the first one; each further one has the next.
        questions: how many are asked of each; 0 for none.
        engine: segmentation engines: auto, all, or their names joined by commas.
        phase: contrast phase of the scans.
        spacing: mm along left-right, back-front, feet-head.
    """

    out: Path
    phantoms: int = 20
    seed: int = 500
    questions: int = 40
    engine: str = "embedded"
    phase: Phase = Phase.PORTAL
    spacing: tuple[float, float, float] = (2.5, 2.5, 2.5)


def run_segmentation(options: SegmentationOptions, progress: Progress = silent) -> list[PhantomResult]:
    """Evaluate the engines on every phantom that has no result yet.

    Args:
        options: what to run.
        progress: told what is done, how much of it, of how much.

    Raises:
        UsageError: the seeds are those of the training, the folder holds another run or cannot be written, or there is
            no such engine.
    """
    if options.seed + options.phantoms > FIRST_SEED:
        raise UsageError(f"Phantoms from seed {FIRST_SEED} on were trained with: give a smaller --seed.")
    workshop = evaluated(settings_in(options.out), options.engine, silent)
    _claim(options, workshop)
    results = []
    for number in range(options.phantoms):
        path = options.out / "results" / f"{options.seed + number}.json"
        known = _known(path)
        if known is None:
            known = _One(options, workshop, options.seed + number, number, progress).run()
            atomic_write(path, known.model_dump_json(indent=1) + "\n")
        results.append(known)
    progress("phantoms", options.phantoms, options.phantoms)
    return results


def _claim(options: SegmentationOptions, workshop: Workshop) -> None:
    """Make sure that the folder's results are of the same questions, scans and weights."""
    plan = {
        "format": FORMAT, "questions": options.questions, "engine": options.engine, "phase": options.phase.value,
        "spacing": list(options.spacing),
        "weights": {one.id: one.version for one in workshop.offers() if one.missing is None},
    }  # fmt: skip
    path = options.out / "plan.json"
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            atomic_write(path, json.dumps(plan, indent=1) + "\n")
        elif json.loads(path.read_bytes()) != plan:
            raise UsageError(
                f"{options.out} holds results of other options or weights (see plan.json): choose another folder with "
                "--out."
            )
    except (OSError, ValueError) as error:
        raise UsageError(f"{options.out} cannot be used for results ({error}): choose another folder.") from error


def _known(path: Path) -> PhantomResult | None:
    if not path.exists():
        return None
    try:
        return PhantomResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} holds no result of this suite: remove it, or choose another folder.") from error


class _One:
    """One phantom, from its seed to its result."""

    def __init__(
        self, options: SegmentationOptions, workshop: Workshop, seed: int, number: int, progress: Progress
    ) -> None:
        self._options = options
        self._workshop = workshop
        self._seed = seed
        self._seconds: dict[str, float] = {}
        self._settings = settings_in(options.out)

        def tell(what: str) -> None:
            progress(f"phantom {seed}: {what}", number, options.phantoms)

        self._tell = tell

    def run(self) -> PhantomResult:
        with self._part("phantom"):
            folder = self._phantom()
            case = open_case(CaseFiles(scan=folder / "ct.nii.gz", labels=(folder / "labels.nii.gz",
                                                                         folder / "parts.nii.gz")))  # fmt: skip
        assert case.labels is not None
        raw = replace(case, labels=None)
        reader = Reader(raw, self._workshop, self._settings)
        with self._part("masks"):
            made, sees = everything(raw.scan, self._workshop)
        with self._part("report"):
            report, state = reader.ask(None)
            looked = Looked(reader.used(state), made, sees)
        with self._part("scores"):
            told = PhantomTruth.model_validate_json((folder / "truth.json").read_bytes())
            result = self._scored(case.labels, told, looked)
        asked = list(self._asked(folder, case, reader, sees)) if self._options.questions else []
        return result.model_copy(update={"status": report.status, "asked": asked, "seconds": self._seconds})

    @contextmanager
    def _part(self, what: str) -> Iterator[None]:
        self._tell(what)
        begin = time.perf_counter()
        yield
        self._seconds[what] = self._seconds.get(what, 0.0) + time.perf_counter() - begin

    def _phantom(self) -> Path:
        from evals.phantom import make_phantom  # noqa: PLC0415  (scipy: only when a phantom is made)
        from evals.phantom_io import write_phantom  # noqa: PLC0415

        folder = self._options.out / "phantoms" / str(self._seed)
        if not (folder / "truth.json").exists():
            wish = PhantomOptions(seed=self._seed, phase=self._options.phase, spacing=self._options.spacing)
            write_phantom(make_phantom(wish), folder)
        return folder

    def _scored(self, labels: LabelSet, told: PhantomTruth, looked: Looked) -> PhantomResult:
        lesions, false, merged, split = lesion_results(labels, told, looked)
        return PhantomResult(
            name=str(self._seed), seed=self._seed, classes=class_scores(labels, looked),
            flagged=flagged(labels, looked), lesions=lesions, false=false, merged=merged, split=split,
            notes=list(looked.labels.notes) if looked.labels is not None else [], status="",
        )  # fmt: skip

    def _asked(self, folder: Path, case: Case, reader: Reader, sees: frozenset[str]) -> Iterator[Asked]:
        seen = seen_through(VIEWS["own"], folder, str(self._seed))
        chosen = pick(make_questions(seen, self._seed), self._options.questions, self._seed)
        truth = Reader(case, None, self._settings)
        for number, question in enumerate(chosen, start=1):
            with self._part("questions"):
                self._tell(f"question {number} of {len(chosen)}")
                asked = ask_both(question, case.scan, truth, reader, sees)
            yield asked
