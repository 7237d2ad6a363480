"""Cohorts: many cases through the same engine, crash-safe.

A job is finished when its result file is there; it is written last and atomically. Its key covers everything that the
answer depends on (the row, and size and time of every file it names), so a changed row or file is done again.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pydantic
from pydantic import BaseModel, ConfigDict

from agent.cases import CaseFiles, open_case
from agent.cells import plain_cell
from agent.engine import Engine
from agent.engines import AUTO, workshop
from agent.errors import ModelUnavailable, SeriesChoiceError, TumorTraceError, UsageError
from agent.files import atomic_write
from agent.library import base_key, library, of_patient
from agent.models.embedded import EmbeddedReasoner
from agent.models.protocol import ReasoningModel
from agent.patient import parse_patient
from agent.report_model import Report
from agent.settings import Settings
from agent.tables import MAX_BYTES as MAX_MANIFEST_BYTES
from agent.tables import MAX_ROWS, TableRow, read_table
from tools.base import CaseSettings
from tools.types import content_hash

_COLUMNS = (
    "case", "scan", "labels", "question", "class_map", "phase", "series", "options", "patient", "prior", "prior_labels",
    "index_patient",
)  # fmt: skip


class Job(BaseModel):
    """One row of a manifest, with absolute paths.

    Attributes:
        case: name of the case; the row's number where the manifest gives none.
        scan: path of the scan.
        labels: paths of the labels, separated by "|" in the manifest.
        question: the question; None for a report on everything.
        class_map: name or path of each label map's class map, separated by "|", "-" for its own names.
        phase: declared contrast phase.
        series: SeriesInstanceUID.
        options: choices, separated by "|" in the manifest.
        patient: declared facts such as ``age=63,sex=F``.
        prior: path of an earlier scan of the same patient.
        prior_labels: paths of its labels, separated by "|".
        index_patient: who the patient is in the table of the case base; their own cases are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    scan: Path
    labels: tuple[Path, ...] = ()
    question: str | None = None
    class_map: tuple[str | None, ...] = ()
    phase: Literal["native", "arterial", "portal", "delayed"] | None = None
    series: str | None = None
    options: tuple[str, ...] = ()
    patient: str | None = None
    prior: Path | None = None
    prior_labels: tuple[Path, ...] = ()
    index_patient: str | None = None

    def key(self, model: str = EmbeddedReasoner.name, engines: str = AUTO, cases: str = AUTO) -> str:
        """Hash of the row, of size and time of its files, of the model, the engines, and the case base."""
        maps = [Path(name) for name in self.class_map if name is not None]
        before = [self.prior] if self.prior is not None else []
        files = [_stamp(path) for path in (self.scan, *self.labels, *maps, *before, *self.prior_labels)]
        other = [] if model == EmbeddedReasoner.name else [model]
        other += [] if engines == AUTO else [engines]
        other += [] if cases == AUTO else ["cases", cases]
        # Left out where it is not given, so that rows of earlier versions stay finished.
        row = self.model_dump(mode="json", exclude={"index_patient"} if self.index_patient is None else None)
        return content_hash([row, files, *other])[:16]


class Result(BaseModel):
    """What became of a job; one row of ``results.csv``."""

    model_config = ConfigDict(extra="forbid")

    case: str
    key: str
    outcome: Literal["finished", "failed"]
    question: str | None = None
    status: str | None = None
    state: str | None = None
    value: str | None = None
    unit: str | None = None
    option: str | None = None
    lower_bound: float | None = None
    uncertainty: float | None = None
    text: str | None = None
    reason: str | None = None
    run_id: str | None = None
    folder: str | None = None
    error: str | None = None


Worker = Callable[[Job], Result]
Pool = Callable[[Sequence[Job], Worker], Iterator[Result]]
"""How jobs are spread: a pool takes the jobs and the worker and yields results in any order."""


def one_after_another(jobs: Sequence[Job], worker: Worker) -> Iterator[Result]:
    """The simplest pool: this process, one job at a time."""
    return map(worker, jobs)


def read_manifest(path: Path) -> list[Job]:
    """Jobs of a CSV manifest; paths are relative to the manifest's folder.

    Raises:
        UsageError: naming the line where it cannot be read.
    """
    rows = read_table(path, _COLUMNS, ("scan",), called="manifest", max_bytes=MAX_MANIFEST_BYTES, max_rows=MAX_ROWS)
    jobs = [_job(row) for row in rows]
    name, count = Counter(job.case for job in jobs).most_common(1)[0]
    if count > 1:
        raise UsageError(f"The manifest {path} names the case {name!r} more than once; give each row its own.")
    return jobs


def _job(row: TableRow) -> Job:
    fields: dict[str, object] = {"case": f"row-{row.line - 1:05d}", **row.cells, "scan": row.path("scan")}
    for name in ("labels", "prior_labels"):
        fields[name] = row.paths(name)
    if "prior" in row.cells:
        fields["prior"] = row.path("prior")
    return row.checked(Job, {**fields, "options": row.parts("options"), "class_map": row.class_map()})


def run_job(job: Job, out: Path, settings: Settings, model: ReasoningModel) -> Result:
    """Run one job; what the user did wrong becomes a failed result, anything else surfaces.

    A model whose server stays away surfaces too: the jobs to come would only wait for it one after another.

    Args:
        job: the job.
        out: folder of the cohort.
        settings: settings of the program.
        model: the reasoning model.
    """
    key = job.key(model.name, settings.segment, base_key(settings))
    folder = out / "cases" / key
    try:
        case_settings = CaseSettings(phase=job.phase, patient=parse_patient(job.patient))
        before = CaseFiles(job.prior, job.prior_labels) if job.prior is not None else None
        case = open_case(CaseFiles(job.scan, job.labels, job.class_map, job.series, case_settings, before))
        cases = of_patient(library(settings, patient=job.index_patient), job.scan, case.scan)
        engine = Engine(settings, model, workshop=workshop(settings), library=cases)
        made, _ = engine.ask(case, job.question, options=job.options, out=folder)
        result = _result(job, key, made)
    except SeriesChoiceError:
        # The message lists series by their UIDs, which identify: they belong on a terminal, not into a table.
        why = "The scan holds several series, or not the one named: give its UID in the column series."
        result = Result(case=job.case, key=key, outcome="failed", question=job.question, error=why)
    except TumorTraceError as error:
        if isinstance(error, ModelUnavailable) and not error.refused:
            raise
        # A refusal quotes the server, whose words belong on a terminal, not into a table.
        no = "The model's server refuses the request; ask the question of this case alone to see why."
        why = no if isinstance(error, ModelUnavailable) else str(error)
        result = Result(case=job.case, key=key, outcome="failed", question=job.question, error=why)
    atomic_write(_result_path(out, key), result.model_dump_json(indent=1) + "\n")
    return result


def run_cohort(
    jobs: Sequence[Job],
    out: Path,
    settings: Settings,
    *,
    pool: Pool = one_after_another,
    model: ReasoningModel | None = None,
    progress: Callable[[int, int], None] = lambda finished, planned: None,
) -> list[Result]:
    """Run all jobs that are not finished; ``results.csv`` is brought up to date after each.

    Args:
        jobs: the jobs.
        out: folder of the cohort.
        settings: settings of the program.
        pool: how the jobs are spread.
        model: the reasoning model of all runs; the embedded one if there is none.
        progress: told of finished and planned jobs.

    Returns:
        One result per job, in the order of the manifest.
    """
    (out / "cases").mkdir(parents=True, exist_ok=True)
    chosen = model or EmbeddedReasoner()
    known: dict[str, Result] = {}
    cases = base_key(settings)
    for job in jobs:
        result = _finished(out, job, job.key(chosen.name, settings.segment, cases))
        if result is not None:
            known[job.case] = result
    todo = [job for job in jobs if job.case not in known]
    progress(len(known), len(jobs))
    for result in pool(todo, lambda job: run_job(job, out, settings, chosen)):
        known[result.case] = result
        _write_results(out, [known[job.case] for job in jobs if job.case in known])
        progress(len(known), len(jobs))
    ordered = [known[job.case] for job in jobs]
    _write_results(out, ordered)
    return ordered


def _result_path(out: Path, key: str) -> Path:
    return out / "cases" / f"{key}.json"


def _finished(out: Path, job: Job, key: str) -> Result | None:
    path = _result_path(out, key)
    try:
        result = Result.model_validate_json(path.read_bytes())
    except (FileNotFoundError, pydantic.ValidationError):
        return None
    return result if result.outcome == "finished" and result.case == job.case else None


def _result(job: Job, key: str, made: Report) -> Result:
    row = Result(
        case=job.case, key=key, outcome="finished", question=job.question, status=made.status,
        run_id=made.run_id, folder=str(Path(made.trace).parent),
    )  # fmt: skip
    answer = made.answer
    if answer is not None:
        row.state, row.text, row.reason = answer.state.value, answer.text, answer.reason
        row.value = None if answer.value is None else str(answer.value)
        row.unit, row.option = answer.unit, answer.option
        row.lower_bound, row.uncertainty = answer.lower_bound, answer.uncertainty
    return row


def _write_results(out: Path, results: Iterable[Result]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Result.model_fields))
    writer.writeheader()
    for result in results:
        row = result.model_dump()
        writer.writerow({name: plain_cell(cell) for name, cell in row.items()})
    atomic_write(out / "results.csv", text.getvalue())


def _stamp(path: Path) -> list[list[str | int]]:
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.is_file()]
    except OSError:
        return []  # what cannot be looked at fails when it is opened, with its own message
