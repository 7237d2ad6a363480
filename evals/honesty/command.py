"""``tumortrace eval honesty``: whether anything false gets out, whatever a model says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.commands.options import progress_bar

DISHONEST = 4
MOST_RUNS = 100_000


def honesty(
    out: Annotated[Path, typer.Option("--out", help="Folder of the results; started again, it goes on.")],
    runs: Annotated[int, typer.Option(min=1, max=MOST_RUNS, help="How many runs, at least.")] = 600,
    model: Annotated[
        str | None, typer.Option(help="A served model to put under test as well: URL of its API, with #NAME if needed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the phantoms, and of all that is drawn.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; one per core if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Let models lie about phantoms and real scans, and check every sentence of every report against the truth.

    Exit codes: 0 nothing false got out, 2 bad input, 4 something did.
    """
    from evals.honesty.suite import HonestyOptions, run_honesty  # noqa: PLC0415  (nothing heavy for the help page)

    options = HonestyOptions(out.absolute(), runs, model, seed, workers=workers or os.cpu_count() or 1)
    with progress_bar(quiet=as_json) as progress:
        summary = run_honesty(options, progress)
    if as_json:
        typer.echo((options.out / "summary.json").read_text(encoding="utf-8"))
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False)
        console.print((options.out / "summary.md").read_text(encoding="utf-8"))
        for name in ("summary.json", "summary.md"):
            console.print(str(options.out / name))
    if not summary.honest:
        raise typer.Exit(DISHONEST)
