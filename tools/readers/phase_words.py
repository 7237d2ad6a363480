"""Contrast phase and contrast agent as the texts of a DICOM header name them.

Only a canonical word leaves this module, never the text itself, since free text may hold what identifies a
patient. A text that names two phases, or none, says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Phase = Literal["native", "arterial", "portal", "delayed"]

# "Native kidney" is an organ that was not transplanted, "portal vein" an organ as well: neither is a phase.
_NOT_A_PHASE = re.compile(
    r"\bnati(?:ve|f)\s+(?:kidneys?|livers?|lungs?|organs?|hearts?|valves?|vessels?|aorta)\b"
    r"|\bportal\s+(?:veins?|hypertension|thromb\w*)\b"
    r"|\b(?:hepatic|splenic|renal|iliac|lower|upper)\s+(?:vein|arter)\w*\b"
)
_BOTH = re.compile(r"\b(?:with\s+and\s+without|without\s+and\s+with|w\s+(?:and\s+)?w ?o|w ?o\s+(?:and\s+)?w)\b")
_WORDS: tuple[tuple[Phase, re.Pattern[str]], ...] = (
    (
        "native",
        re.compile(
            r"\b(?:nativ(?:e|f|a|o)?|unenhanced|un enhanced|non ?enhanced|non ?contrast(?:ed)?|non ?con"
            r"|no contrast|without (?:iv |i v )?contrast|w ?o (?:iv |i v )?(?:contrast|con|c)"
            r"|pre ?contrast|plain|ohne (?:km|kontrast\w*)|sans (?:injection|contraste)|sin contraste)\b"
        ),
    ),
    (
        "arterial",
        re.compile(r"\b(?:arterial|arteriell\w*|arterielle|art(?=\s+(?:phase|ph)\b)|ap(?=\s+phase\b))\b"),
    ),
    (
        "portal",
        re.compile(
            r"\b(?:portal|porto ?venous|portal ?venous|portovenös\w*|portalvenös\w*|portalvenoes\w*|pv|pvp"
            r"|venous|venös\w*|venoes\w*|veineux|portale|venosa)\b"
        ),
    ),
    (
        "delayed",
        re.compile(
            r"\b(?:delayed|excretory|urographic|equilibrium|late(?!\s+(?:arter|portal|venous))(?=\s+(?:phase|venous)?)"
            r"|spätphase|spaetphase|tardi(?:f|ve|va))\b"
        ),
    ),
)
_NO_AGENT = re.compile(r"^(?:no|none|non|nil|null|0|n a|na|ohne|without|no contrast|non contrast|no iv contrast)$")
_GUT_ONLY = re.compile(r"\b(?:oral\w*|po|p o|per os|rectal\w*|enteral\w*|gastro\w*|telebrix gastro)\b")
_VEIN = re.compile(r"\b(?:iv|i v|intra ?ven\w*|vein)\b")


def _plain(text: str) -> str:
    """Lower case, with every run of other characters than letters and digits as one space."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def phase_of(texts: Iterable[str]) -> Phase | None:
    """Phase named by the first text that names exactly one.

    Args:
        texts: header texts, the most specific one first (series description before protocol name).
    """
    for text in texts:
        words = _NOT_A_PHASE.sub(" ", _plain(text))
        if _BOTH.search(words):
            continue
        named = [phase for phase, pattern in _WORDS if pattern.search(words)]
        if len(named) == 1:
            return named[0]
    return None


def agent_given(agent: str, route: str) -> bool | None:
    """Whether contrast was given into a vein, by ContrastBolusAgent (0018,0010) and -Route (0018,1040).

    Returns None where the header leaves it open, which includes an agent for the bowel only.
    """
    name, way = _plain(agent), _plain(route)
    if not name:
        return None
    if _NO_AGENT.match(name):
        return False
    if _GUT_ONLY.search(f"{name} {way}") and not _VEIN.search(f"{name} {way}"):
        return None
    return True
