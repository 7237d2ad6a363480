"""``tumortrace eval segmentation``: engines on phantoms that they have never seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.commands.options import Phase, progress_bar

MOST_PHANTOMS = 500
RESTS_ON_REFUSED = 4


def segmentation(
    out: Annotated[Path, typer.Option("--out", help="Folder of the results; started again, it goes on.")],
    phantoms: Annotated[int, typer.Option(min=1, max=MOST_PHANTOMS, help="How many patients.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the first patient, and of all that is drawn.")] = 500,
    questions: Annotated[int, typer.Option(min=0, max=5000, help="Questions per patient; 0 for none.")] = 40,
    engine: Annotated[str, typer.Option(help="Segmentation engines: auto, or names such as embedded.")] = "embedded",
    phase: Annotated[Phase, typer.Option(help="Contrast phase of the scans.")] = Phase.PORTAL,
    spacing: Annotated[
        tuple[float, float, float], typer.Option(help="Mm between voxels: left-right, back-front, feet-head.")
    ] = (2.5, 2.5, 2.5),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compare engines' masks of phantoms with the truth, and answers from these masks with those from true labels.

    Exit codes: 0 no answer rests on a refused mask, 2 bad input, 4 otherwise.
    """
    from pydantic import ValidationError  # noqa: PLC0415  (nothing heavy for the help page)

    from agent.errors import UsageError  # noqa: PLC0415
    from evals.phantom_options import PhantomOptions  # noqa: PLC0415
    from evals.phantom_tissue import Phase as PhantomPhase  # noqa: PLC0415
    from evals.segmentation.report import show, write_report  # noqa: PLC0415
    from evals.segmentation.run import SegmentationOptions, run_segmentation  # noqa: PLC0415
    from evals.segmentation.summary import summarise  # noqa: PLC0415

    try:
        PhantomOptions(spacing=spacing)
    except ValidationError as error:
        raise UsageError(f"--spacing {' '.join(map(str, spacing))}: every step has to be 0.3 to 15 mm.") from error
    options = SegmentationOptions(
        out.absolute(), phantoms, seed, questions, engine, PhantomPhase(phase.value), spacing
    )  # fmt: skip
    with progress_bar(quiet=as_json) as progress:
        results = run_segmentation(options, progress)
    summary = summarise(results, engine)
    files = write_report(summary, results, options.out)
    if as_json:
        typer.echo(files[0].read_text(encoding="utf-8"))
    else:
        console = Console(highlight=False, markup=False)
        show(summary, console)
        for path in files:
            console.print(str(path), soft_wrap=True)
    if summary.questions is not None and summary.questions.refused:
        raise typer.Exit(RESTS_ON_REFUSED)
