"""The table of lesions in a report: one row each, every number from the evidence that the row cites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.report_model import EvidenceOut, Report
from agent.sentence import target_name
from tools.units import number_text

COLUMNS = (
    "lesion", "volume in cm³", "axial diameters in mm", "slice", "depth in %", "3D extent in mm", "mean HU ± SD",
    "attenuation", "place",
)  # fmt: skip


@dataclass(frozen=True)
class LesionRow:
    """One lesion.

    Attributes:
        evidence: id of the evidence that all cells come from.
        cells: texts in the order of `COLUMNS`.
    """

    evidence: str
    cells: tuple[str, ...]


def lesion_rows(report: Report) -> list[LesionRow]:
    """A row for every lesion that the run measured one by one, each lesion once."""
    rows: dict[str, LesionRow] = {}
    for ident, item in report.evidence.items():
        if item.quantity == "lesion":
            rows.setdefault(item.target, LesionRow(ident, tuple(_cells(item))))
    return list(rows.values())


def _cells(item: EvidenceOut) -> Iterable[str]:
    def number(key: str, unit: str) -> str:
        value = item.details.get(key)
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        return number_text(float(str(value)), unit) if usable else "–"

    yield target_name(item.target)
    yield _volume(item)
    yield f"{number('long_axis_mm', 'mm')} × {number('short_axis_mm', 'mm')}"
    yield "–" if item.slice is None else str(item.slice)
    yield number("depth_percent", "%")
    yield number("feret_mm", "mm")
    mean, spread = item.details.get("hu_mean"), item.details.get("hu_sd")
    known = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (mean, spread))
    yield _with_spread(float(str(mean)), float(str(spread)), "HU") if known else f"{number('hu_mean', 'HU')} ± –"
    yield str(item.details.get("attenuation") or "–")
    yield _place(item)


def _volume(item: EvidenceOut) -> str:
    if isinstance(item.value, int | float):
        return _with_spread(item.value, item.uncertainty, item.unit)
    return f"at least {number_text(item.lower_bound, item.unit)}" if item.lower_bound is not None else "–"


def _with_spread(value: float, spread: float | None, unit: str | None) -> str:
    """A number ± another with as many decimals, as sentences say it."""
    shown = number_text(value, unit)
    if spread is None:
        return shown
    decimals = len(shown.partition(".")[2])
    while spread and round(spread, decimals) == 0:
        decimals += 1
    return f"{shown} ± {spread:.{decimals}f}"


def _place(item: EvidenceOut) -> str:
    shares = item.details.get("regions")
    if isinstance(shares, dict) and shares:
        ordered = sorted(shares.items(), key=lambda row: -float(str(row[1])))
        if len(ordered) == 1:
            return target_name(ordered[0][0])
        return ", ".join(f"{target_name(name)} {number_text(float(str(share)), '%')} %" for name, share in ordered)
    place = item.details.get("place")
    return str(place) if place else "–"
