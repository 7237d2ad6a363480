"""``tumortrace questions``: what can be asked."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from agent.query import load_kinds


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("questions")(questions)


def questions() -> None:
    """List the kinds of questions that can be answered, with an example of each."""
    table = Table("asks", "for example")
    for kind in load_kinds().values():
        table.add_row(kind.says, kind.example)
    Console().print(table)
