"""The table of structures that a report without a question shows on a terminal: one row each, instead of sentences."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from agent.report_model import EvidenceOut, Report
from agent.report_view import scalar
from agent.sentence import target_name
from tools.types import State
from tools.units import number_text

COLUMNS = {"volume": "volume in cm³", "hu_mean": "mean HU", "complete": "whole"}


def structure_table(report: Report) -> Table:
    """One row for each structure that was measured."""
    rows: dict[str, dict[str, str]] = {}
    for item in report.evidence.values():
        if item.tool == "measure_structure" and item.quantity in COLUMNS and item.state is not State.ABSENT:
            rows.setdefault(item.target, {})[item.quantity] = _cell(item)
    table = Table("structure", *COLUMNS.values(), box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for target, cells in rows.items():
        table.add_row(Text(target_name(target)), *(Text(cells.get(quantity, "–")) for quantity in COLUMNS))
    return table


def _cell(item: EvidenceOut) -> str:
    """A value with its uncertainty, without the unit, which the column's head names."""
    if isinstance(item.value, int | float) and not isinstance(item.value, bool):
        shown = number_text(item.value, item.unit)
        decimals = len(shown.partition(".")[2])
        return shown if item.uncertainty is None else f"{shown} ± {item.uncertainty:.{decimals}f}"
    if item.lower_bound is not None:
        return f"at least {number_text(item.lower_bound, item.unit)}"
    return scalar(item.value) or "–"


def told_in_table(report: Report, cited: list[str]) -> bool:
    """Whether a finding says what a row of the tables of structures and lesions says."""
    first = report.evidence.get(cited[0]) if cited else None
    if first is None:
        return False
    return first.quantity == "lesion" or (first.tool == "measure_structure" and first.quantity in COLUMNS)
