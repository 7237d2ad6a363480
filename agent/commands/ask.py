"""``tumortrace ask`` and ``tumortrace report``: one case, one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cases import CaseFiles, open_case
from agent.commands import options as o
from agent.commands.profile import print_profile
from agent.engine import Engine
from agent.engines import everywhere, workshop
from agent.errors import ModelUnavailable
from agent.library import library, of_patient
from agent.report import render_terminal
from agent.report_model import Report
from agent.reporting import report_json
from agent.runs import RunFolder
from agent.services import Profile
from agent.settings import Settings
from tools.library import Library

UNRESOLVED = 3


def register(app: typer.Typer) -> None:
    """Add ``ask``."""
    app.command("ask")(ask)


def register_report(app: typer.Typer) -> None:
    """Add ``report``."""
    app.command("report")(report)


def ask(
    scan: o.ScanArgument,
    question: Annotated[str, typer.Argument(help="The question, in plain English.")],
    labels: o.LabelsOption = None,
    class_map: o.ClassMapOption = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="A choice; repeat for A, B, C, …")] = None,
    phase: o.PhaseOption = None,
    patient: o.PatientOption = None,
    series: o.SeriesOption = None,
    prefer: o.PreferOption = None,
    prior: o.PriorOption = None,
    prior_labels: o.PriorLabelsOption = None,
    model: o.ModelOption = "embedded",
    segment: o.SegmentOption = None,
    index: o.IndexOption = None,
    index_patient: o.IndexPatientOption = None,
    as_json: o.JsonOption = False,
    out: o.OutOption = None,
    resume: o.ResumeOption = None,
    profile: o.ProfileOption = False,
) -> None:
    """Ask a question about a scan.

    Exit codes: 0 answered (an honest "not measurable" is an answer), 1 integrity failure, 2 bad input, 3 unresolved.
    """
    files = o.case_files(scan, labels, class_map, series, phase, patient, prefer, prior, prior_labels)
    cases = library(Settings(), index, index_patient)
    _run(files, question, tuple(option or ()), model, segment, cases, as_json, out, resume, profile)


def report(
    scan: o.ScanArgument,
    labels: o.LabelsOption = None,
    class_map: o.ClassMapOption = None,
    phase: o.PhaseOption = None,
    patient: o.PatientOption = None,
    series: o.SeriesOption = None,
    prefer: o.PreferOption = None,
    prior: o.PriorOption = None,
    prior_labels: o.PriorLabelsOption = None,
    model: o.ModelOption = "embedded",
    segment: o.SegmentOption = None,
    index: o.IndexOption = None,
    index_patient: o.IndexPatientOption = None,
    as_json: o.JsonOption = False,
    out: o.OutOption = None,
    resume: o.ResumeOption = None,
    profile: o.ProfileOption = False,
) -> None:
    """Report on a scan without a question: every labelled structure, every rule that applies."""
    files = o.case_files(scan, labels, class_map, series, phase, patient, prefer, prior, prior_labels)
    cases = library(Settings(), index, index_patient)
    _run(files, None, (), model, segment, cases, as_json, out, resume, profile)


def _run(
    files: CaseFiles, question: str | None, choices: tuple[str, ...], model: str, segment: str | None,
    cases: Library | None, as_json: bool, out: Path | None, resume: str | None, with_profile: bool,
) -> None:  # fmt: skip
    profile, settings = Profile(), Settings()
    chosen = o.choose_model(model)
    begun: list[str] = []

    def tell(folder: RunFolder) -> None:
        begun.append(folder.id)
        _tell_run(folder)

    with o.progress_bar(quiet=as_json) as progress:
        case = open_case(files, profile, progress)
        engine = Engine(
            settings, chosen, progress, profile, tell,
            workshop=workshop(settings, segment, progress), look_everywhere=everywhere(settings, segment),
            library=of_patient(cases, files.scan, case.scan),
        )  # fmt: skip
        try:
            made, _ = engine.ask(case, question, options=choices, out=out, resume=resume)
        except ModelUnavailable as error:
            if not begun:
                raise
            how = f"{str(error).rstrip('.')}; to resume the run, give the same command with --resume {begun[0]}."
            raise ModelUnavailable(how, refused=error.refused) from error
    show(made, as_json=as_json)
    if with_profile:
        print_profile(profile, Console(stderr=True))
    if made.status != "consistent":
        raise typer.Exit(UNRESOLVED)


def _tell_run(folder: RunFolder) -> None:
    """On a terminal, say how to go on should the run be interrupted."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        console.print(
            f"run {folder.id} (if interrupted, give the same command with --resume {folder.id})", markup=False
        )


def show(made: Report, *, as_json: bool) -> None:
    """Print a report: one JSON object, or for reading."""
    if as_json:
        typer.echo(report_json(made))
    else:
        render_terminal(made, Console())
