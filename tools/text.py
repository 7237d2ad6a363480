"""Words of a text, the same way for questions, label names and options."""

from __future__ import annotations

import re

# Numbers keep their decimals; a Latin word keeps its digits (L1, T12); everything else stands alone.
_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z]+\d*|[/%&+<>=≥≤³²]|[?;.,:!]", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s\b|['’](?=\s|$)", re.IGNORECASE)
_CONTRACTION = re.compile(r"\b(is|are|was|were|does|do|did|has|have|can|could)n['’]t\b", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


def words(text: str) -> list[str]:
    """Lower-case words and marks of a text; possessives are dropped and contractions of "not" opened."""
    text = _CONTRACTION.sub(r"\1 n_t", text)
    text = re.sub(r"\b(what|how|that|it|there|where|who|here)['’]s\b", r"\1 is", text, flags=re.IGNORECASE)
    text = _POSSESSIVE.sub("", text)
    text = _THOUSANDS.sub("", text)
    text = re.sub(r"(?<=[a-z])n_t|n_t", "nt", text)
    text = text.replace("m³", "m3").replace("M³", "m3").replace("_", " ").replace("-", " ").replace("–", " ")
    return [found.group(0).lower() for found in _WORD.finditer(text)]


def plural(noun: str) -> str:
    """Regular English plural of a noun phrase's last word."""
    if noun.endswith("sis"):
        return noun[:-2] + "es"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    if noun.endswith("vertebra"):
        return noun + "e"
    return noun + "s"
