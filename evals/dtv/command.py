"""``tumortrace eval deeptumorvqa``: the benchmark on its own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table


def deeptumorvqa(
    *,
    data: Annotated[Path, typer.Option(help="Folder of the dataset: questions, and scans with masks by image id.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json and the runs.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.")] = None,
) -> None:
    """Answer the questions of the DeepTumorVQA dataset from its own scans and masks, and score them."""
    from evals.dtv.data import read_questions  # noqa: PLC0415  (nothing heavy for the help page)
    from evals.dtv.local import run_local  # noqa: PLC0415

    items = read_questions(data)[:limit]
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        row = bar.add_task("questions", total=len(items))
        metrics = run_local(items, data, out, progress=lambda done, planned: bar.update(row, completed=done))
    _show(metrics, out)


def _show(metrics: dict[str, Any], out: Path) -> None:
    console = Console(highlight=False)
    table = Table("", "score")
    table.add_row("overall", _text(metrics["overall"]))
    for name, value in metrics["by_super_type"].items():
        table.add_row(name or "(no type)", _text(value))
    console.print(table)
    console.print(
        f"{metrics['decided']} answered from evidence (score {_text(metrics['decided_score'])}), {metrics['guessed']} "
        f"guessed because nothing decides them, {metrics['without_scan']} without a readable scan.", markup=False,
    )  # fmt: skip
    console.print(str(out / "results.json"), markup=False)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
