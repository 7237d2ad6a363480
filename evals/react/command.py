"""``tumortrace eval cost``: what an answer costs, against the same model in a plain ReAct loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.commands.options import progress_bar

DEARER = 4


def cost(
    model: Annotated[str, typer.Option(help="The served model: URL of its API, with #NAME if it has several.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    questions: Annotated[int, typer.Option(min=1, max=5000, help="How many questions.")] = 40,
    phantoms: Annotated[int, typer.Option(min=1, max=100, help="How many patients they are about.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the first patient, and of all that is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Ask the program and a ReAct loop the same questions, and compare calls, tokens and accuracy.

    Exit codes: 0 at most half of the calls and generated tokens at equal or better accuracy, 2 bad input, 4 otherwise.
    """
    from evals.react.cost import CostOptions, markdown, run_cost  # noqa: PLC0415  (nothing heavy for the help page)

    options = CostOptions(out.absolute(), model, questions, phantoms, seed)
    with progress_bar(quiet=as_json) as progress:
        summary = run_cost(options, progress)
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False)
        console.print(markdown(summary))
        console.print(str(options.out / "summary.md"))
    if not summary.cheaper:
        raise typer.Exit(DEARER)
