"""``tumortrace rules``: the encoded clinical rules with their citations."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from tools.rules.model import get_rule, load_rules


def register(app: typer.Typer) -> None:
    """Add the command group."""
    rules = typer.Typer(no_args_is_help=True, help="The encoded clinical rules, with their sources.")
    rules.command("list")(list_rules)
    rules.command("show")(show_rule)
    app.add_typer(rules, name="rules")


def list_rules() -> None:
    """List all rules."""
    table = Table("topic", "structure", "valid in", "source")
    table.add_column("id", overflow="fold")
    for rule in load_rules().values():
        table.add_row(rule.topic, rule.structure, ", ".join(rule.phases) or "any phase", rule.source, rule.id)
    Console().print(table)


def show_rule(ident: str) -> None:
    """Show one rule with its thresholds, boundary behaviour and citation."""
    Console().print_json(get_rule(ident).model_dump_json())
