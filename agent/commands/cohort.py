"""``tumortrace cohort``: the same question engine over many rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cohort import read_manifest, run_cohort
from agent.commands.options import ModelOption, SegmentOption, choose_model, progress_bar
from agent.engines import workshop
from agent.errors import UsageError
from agent.settings import Settings
from agent.trace_view import printable

FAILED = 2


def register(app: typer.Typer) -> None:
    """Add the command group."""
    cohort = typer.Typer(no_args_is_help=True, help="Many cases through the same engine.")
    cohort.callback()(_group)
    cohort.command("run")(run)
    app.add_typer(cohort, name="cohort")


def _group() -> None:
    """Many cases through the same engine."""


def run(
    manifest: Annotated[Path, typer.Argument(help="CSV with the columns case, scan, labels, question, …")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the cohort; started again, it goes on.")],
    model: ModelOption = "embedded",
    segment: SegmentOption = None,
) -> None:
    """Run every row of a manifest; finished rows are skipped, failed ones are tried again.

    Columns: scan (needed), labels, question, case, class_map, phase, series, options (separated by "|"); paths are
    relative to the manifest. Exit code 2 when a row failed; its error is in results.csv.
    """
    jobs = read_manifest(manifest)
    out = out.absolute()
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; give a folder with --out.")
    chosen = choose_model(model)
    settings = Settings()
    workshop(settings, segment)  # an unknown engine is told before the first row
    settings = settings.model_copy(update={"segment": segment or settings.segment})
    with progress_bar() as bar:
        results = run_cohort(
            jobs, out, settings, model=chosen, progress=lambda finished, planned: bar("cases", finished, planned)
        )
    failed = [result for result in results if result.outcome == "failed"]
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{len(results) - len(failed)} of {len(results)} rows finished: {out / 'results.csv'}", markup=False)
    for result in failed:
        console.print(printable(f"failed: {result.case}: {result.error}", 1000), markup=False)
    if failed:
        raise typer.Exit(FAILED)
