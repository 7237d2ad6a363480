"""``tumortrace rules``: the encoded clinical rules with their citations."""

from __future__ import annotations

from itertools import groupby

import typer
from rich.console import Console

from agent.rule_text import rule_lines, where
from tools.rules.model import get_rule, load_rules


def register(app: typer.Typer) -> None:
    """Add the command group."""
    rules = typer.Typer(no_args_is_help=True, help="The encoded clinical rules, with their sources.")
    rules.command("list")(list_rules)
    rules.command("show")(show_rule)
    app.add_typer(rules, name="rules")


def list_rules() -> None:
    """List all rules by organ and topic, with source and citation of each."""
    rules = sorted(load_rules().values(), key=lambda rule: (where(rule), rule.topic, rule.priority, rule.id))
    for organ, of_organ in groupby(rules, key=where):
        _say(organ, bold=True)
        for topic, of_topic in groupby(of_organ, key=lambda rule: rule.topic):
            _say(f"  {topic.replace('_', ' ')}")
            for rule in of_topic:
                phases = f", {' or '.join(rule.phases)} scans only" if rule.phases else ""
                _say(f"    {rule.id} ({rule.source}{phases})")
                _say(f"      {rule.citation}")


def show_rule(ident: str) -> None:
    """Show one rule: its inputs, its conditions in plain words, its limits, its citation and notes."""
    for line in rule_lines(get_rule(ident)):
        _say(line)


def _say(line: str, *, bold: bool = False) -> None:
    """One line as it is: no markup, and no wrapping, which would break identifiers."""
    Console().print(line, style="bold" if bold else None, markup=False, highlight=False, soft_wrap=True)
