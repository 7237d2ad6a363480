"""Full stops that end no sentence: those of abbreviations ("vs.", "max.", "slice no.", "i.e.")."""

from __future__ import annotations

import re

_BEFORE_ANY = ("vs",)
_BEFORE_LOWER = (
    "max", "min", "avg", "approx", "seg", "segm", "rt", "lt", "ca", "incl", "excl", "resp", "diam", "dia",
    "slice no", "image no", "lesion no", "segment no", "sup", "inf", "art",
)  # fmt: skip
_STOP = re.compile(
    rf"\b(?:(?i:{'|'.join(map(re.escape, _BEFORE_ANY))})\.(?=\s+\S)"
    rf"|(?i:{'|'.join(_BEFORE_LOWER)})\.(?=\s+[a-z\d(]))"
)
_ASIDES = re.compile(r"\b(?:i\.e|e\.g)\.", re.IGNORECASE)


def without_abbreviation_stops(text: str) -> str:
    """The same text, as long as before, with a blank for each full stop that only shortens a word."""
    text = _ASIDES.sub(lambda found: ",".ljust(len(found.group(0))), text)
    return _STOP.sub(lambda found: found.group(0).replace(".", " "), text)
