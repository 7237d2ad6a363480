"""``tumortrace eval``: suites of questions, answered and scored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.commands.options import progress_bar
from agent.errors import UsageError
from evals.dtv.command import deeptumorvqa
from evals.honesty.command import honesty
from evals.react.command import cost
from evals.segmentation.command import segmentation
from evals.vqa_options import CONTROLS, Control, VqaOptions

IMPERFECT = 4
MOST_PHANTOMS = 500


def register(app: typer.Typer) -> None:
    """Add the ``eval`` group."""
    group = typer.Typer(help="Suites of questions with known answers.", no_args_is_help=True)
    group.callback()(_group)
    group.command("vqa")(vqa)
    group.command("deeptumorvqa")(deeptumorvqa)
    group.command("honesty")(honesty)
    group.command("cost")(cost)
    group.command("segmentation")(segmentation)
    app.add_typer(group, name="eval")


def _group() -> None:
    """Suites of questions with known answers."""


def vqa(
    out: Annotated[Path, typer.Option("--out", help="Folder of the results; started again, it goes on.")],
    phantoms: Annotated[int, typer.Option(min=1, max=MOST_PHANTOMS, help="How many patients.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the first patient, and of all that is drawn.")] = 0,
    control: Annotated[
        str | None, typer.Option(help=f"A control run, which must fall to chance or silence: {', '.join(CONTROLS)}.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; one per core if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Ask questions of all kinds about phantoms and score the answers against the truth.

    Exit codes: 0 every decidable question right and every undecidable one named (a control: at chance or silent),
    2 bad input, 4 otherwise.
    """
    from evals.controls import judge  # noqa: PLC0415  (nothing heavy for the help page)
    from evals.metrics import summarise  # noqa: PLC0415
    from evals.vqa import run_vqa  # noqa: PLC0415
    from evals.vqa_report import write_report  # noqa: PLC0415

    if control is not None and control not in CONTROLS:
        raise UsageError(f"--control {control} is none of {', '.join(CONTROLS)}.")
    if control == "shuffled" and phantoms < 2:
        raise UsageError("--control shuffled asks one patient's questions of another: give --phantoms 2 or more.")
    chosen: Control | None = control
    options = VqaOptions(phantoms, seed, out.absolute(), chosen, workers or os.cpu_count() or 1)
    with progress_bar(quiet=as_json) as progress:
        marked = run_vqa(options, progress)
    summary = summarise(marked, seed)
    verdict = judge(marked, seed) if control is not None else None
    files = write_report(summary, marked, options.out, verdict)
    if as_json:
        typer.echo(files[0].read_text(encoding="utf-8"))
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False)
        console.print(files[1].read_text(encoding="utf-8"))
        for path in files:
            console.print(str(path))
    good = summary.overall.right + summary.overall.named == summary.questions if verdict is None else verdict.fell
    if not good:
        raise typer.Exit(IMPERFECT)
