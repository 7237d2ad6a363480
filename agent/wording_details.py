"""Slots of sentence templates that speak of one entry of a piece of evidence's details."""

from __future__ import annotations

from collections.abc import Callable

from agent.sentence import Sentence, target_name
from tools.types import Evidence
from tools.units import number_text, symbol, with_unit

_UNITS = {"_hu_per_mm": "HU/mm", "_cm3": "cm3", "_mm3": "mm3", "_mm": "mm", "_cm": "cm", "_hu": "HU", "_percent": "%",
          "_deg": "deg", "hu_mean": "HU", "hu_sd": "HU"}  # fmt: skip


def _number(sentence: Sentence, one: Evidence, key: str) -> None:
    """A number, with the unit that its key ends in; "not measured" where there is none."""
    value = one.details.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        sentence.bind("not measured", one, f"details.{key}")
        return
    unit = next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), None)
    sentence.bind(number_text(value, unit), one, f"details.{key}")
    if symbol(unit):
        sentence.say(with_unit("", unit))


def _names(sentence: Sentence, one: Evidence, key: str) -> None:
    """Names of the structures in a list of identifiers."""
    listed = one.details.get(key)
    names = [target_name(str(ident)) for ident in listed] if isinstance(listed, list) else []
    sentence.bind(_listed(names), one, f"details.{key}")


def _shares(sentence: Sentence, one: Evidence, key: str) -> None:
    """Structures with their shares in percent, the greatest first."""
    shares = one.details.get(key)
    rows = sorted(shares.items(), key=lambda row: -float(str(row[1]))) if isinstance(shares, dict) else []
    parts = [f"{target_name(ident)} ({number_text(float(str(share)), '%')} %)" for ident, share in rows]
    sentence.bind(_listed(parts), one, f"details.{key}")


def _listed(parts: list[str]) -> str:
    if not parts:
        return "none"
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


DETAIL_SLOTS: dict[str, Callable[[Sentence, Evidence, str], None]] = {
    "num": _number,
    "names": _names,
    "shares": _shares,
}
