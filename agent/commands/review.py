"""``tumortrace review``: a person's word on the report of a finished run."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from agent.cases import open_case
from agent.commands import options as o
from agent.commands.ask import UNRESOLVED, show
from agent.engine import Engine
from agent.errors import UsageError
from agent.models.embedded import EmbeddedReasoner
from agent.report_model import Report
from agent.review_model import read_decision
from agent.runs import Runs
from agent.services import Profile
from agent.settings import Settings

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Run id, the beginning of one, or a run's folder.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add ``review``."""
    app.command("review")(review)


def review(
    run: RunArgument,
    scan: o.ScanArgument,
    reviewer: Annotated[str, typer.Option("--reviewer", help="Who reviews.")],
    approve: Annotated[bool, typer.Option("--approve", help="Approve the claim, or the report as a whole.")] = False,
    override: Annotated[
        str | None, typer.Option("--override", help="Your own conclusion; it stands beside the run's.")
    ] = None,
    about: Annotated[
        str | None, typer.Option("--about", help="Claim: answer-1, …, the id of a finding, or pathology.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; an override has to say.")] = None,
    labels: o.LabelsOption = None,
    class_map: o.ClassMapOption = None,
    phase: o.PhaseOption = None,
    patient: o.PatientOption = None,
    series: o.SeriesOption = None,
    prefer: o.PreferOption = None,
    prior: o.PriorOption = None,
    prior_labels: o.PriorLabelsOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Approve the report of a finished run, or override it: both opinions then stand side by side.

    Scan, labels and declarations have to be those that the run was given. Exit codes: 0 reviewed, 1 integrity failure,
    2 bad input, 3 reviewed and unresolved.
    """
    if approve == (override is not None):
        raise UsageError("A review approves or overrides; give --approve or --override TEXT.")
    decision = read_decision(
        {
            "reviewer": reviewer, "kind": "approve" if approve else "override", "about": about, "says": override,
            "reason": reason,
        }
    )  # fmt: skip
    settings = Settings()
    folder = Runs(settings.home).find(run)
    files = o.case_files(scan, labels, class_map, series, phase, patient, prefer, prior, prior_labels)
    with o.progress_bar(quiet=as_json) as progress:
        case = open_case(files, Profile(), progress)
        made, _ = Engine(settings, EmbeddedReasoner()).review(case, folder.folder, decision)
    _show(made, as_json=as_json)


def _show(made: Report, *, as_json: bool) -> None:
    show(made, as_json=as_json)
    if not as_json:
        Console(stderr=True, highlight=False).print(f"review {len(made.reviews)} is in the report", markup=False)
    if made.status != "consistent":
        raise typer.Exit(UNRESOLVED)
