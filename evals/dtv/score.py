"""Scores as the benchmark counts them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def score(given: str, answer: str, correct_option: str | None) -> float:
    """Score of one answer in [0, 1].

    A letter must be the right one; a number scores 1 − |given − right| / |right|, not below 0; yes or no is told
    by the first letter; anything else must be the same words.
    """
    if correct_option:
        return float(given.strip()[:1].upper() == correct_option.strip()[:1].upper())
    right = _NUMBER.fullmatch(answer.strip())
    if right is not None:
        found = _NUMBER.search(given)
        if found is None:
            return 0.0
        value, truth = float(found.group()), float(right.group())
        return float(value == truth) if truth == 0 else max(0.0, 1.0 - abs(value - truth) / abs(truth))
    if answer.strip().lower() in {"yes", "no"}:
        return float(given.strip().lower()[:1] == answer.strip().lower()[:1])
    return float(_plain(given) == _plain(answer))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())


def summary(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Mean score over all questions, by type and by subtype, each weighted by question; and how many were guessed."""
    rows = list(rows)
    by: dict[str, dict[str, list[float]]] = {"by_super_type": defaultdict(list), "by_subtype": defaultdict(list)}
    for row in rows:
        by["by_super_type"][row["question_type"]].append(row["score"])
        by["by_subtype"][row["question_subtype"]].append(row["score"])
    decided = [row["score"] for row in rows if row["guess"] is None]
    return {
        "overall": _mean(row["score"] for row in rows),
        **{name: {key: _mean(scores) for key, scores in sorted(table.items())} for name, table in by.items()},
        "decided": len(decided),
        "decided_score": _mean(decided),
        "guessed": len(rows) - len(decided),
    }


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 6) if found else None
