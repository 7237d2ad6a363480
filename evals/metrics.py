"""Scores of a question suite: accuracy with intervals clustered by patient, calibration, abstentions.

Pure functions over marked answers. Questions about one patient are not independent: intervals come from drawing whole
patients (cluster bootstrap; Field and Welsh, J R Stat Soc B 2007;69:369-390), never single questions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.marking import Given, Outcome
from evals.questions_model import SUBTYPES, Question

DRAWS = 2000
LEVEL = 0.95
BINS = 10


class Marked(BaseModel):
    """One question with what was answered and how it was marked."""

    model_config = ConfigDict(extra="forbid")

    question: Question
    given: Given
    outcome: Outcome


class Score(BaseModel):
    """Accuracy over the decidable questions of a group.

    Attributes:
        decidable, right, wrong, abstained, failed: how many of them.
        accuracy: right by decidable; None without any.
        low, high: confidence interval, clustered by patient; None with fewer than two patients.
        undecidable, named, overreached, failed_undecidable: how many undecidable ones, and what became of them.
    """

    model_config = ConfigDict(extra="forbid")

    decidable: int = 0
    right: int = 0
    wrong: int = 0
    abstained: int = 0
    failed: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    undecidable: int = 0
    named: int = 0
    overreached: int = 0
    failed_undecidable: int = 0


class Calibration(BaseModel):
    """How well confidence matches correctness over the decidable questions that were answered.

    Attributes:
        answered: how many.
        ece: expected calibration error: mean distance of confidence and accuracy over bins, weighted by their size.
        brier: mean squared distance of confidence from 1 (right) or 0 (wrong).
        bins: mean confidence, accuracy and number of each bin that is not empty.
    """

    model_config = ConfigDict(extra="forbid")

    answered: int
    ece: float | None
    brier: float | None
    bins: list[tuple[float, float, int]]


class Summary(BaseModel):
    """Everything that a run of the suite says.

    Attributes:
        questions: how many.
        chance: accuracy that drawing an option at random would have over the decidable multiple choices.
        seconds: time spent answering.
    """

    model_config = ConfigDict(extra="forbid")

    questions: int
    overall: Score
    by_stage: dict[str, Score]
    by_subtype: dict[str, Score]
    by_layout: dict[str, Score]
    by_split: dict[str, Score]
    calibration: Calibration
    chance: float | None
    seconds: float


def score(marked: Sequence[Marked], seed: int = 0, draws: int = DRAWS) -> Score:
    """The score of a group of questions.

    Args:
        marked: the questions.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    decidable = Counter(one.outcome for one in marked if one.question.expected.decidable)
    undecidable = Counter(one.outcome for one in marked if not one.question.expected.decidable)
    total = sum(decidable.values())
    low, high = clustered_interval(
        [(one.question.phantom, one.outcome == "right") for one in marked if one.question.expected.decidable],
        seed=seed, draws=draws,
    ) or (None, None)  # fmt: skip
    return Score(
        decidable=total, right=decidable["right"], wrong=decidable["wrong"], abstained=decidable["abstained"],
        failed=decidable["failed"], accuracy=decidable["right"] / total if total else None, low=low, high=high,
        undecidable=sum(undecidable.values()), named=undecidable["named"], overreached=undecidable["overreached"],
        failed_undecidable=undecidable["failed"],
    )  # fmt: skip


def clustered_interval(
    hits: Iterable[tuple[str, bool]], *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float] | None:
    """Interval of a share of hits from drawing whole clusters with replacement.

    Args:
        hits: cluster and whether it is a hit.
        seed: of the draws.
        draws: how many.
        level: share of the draws within the interval.

    Returns:
        lower and upper end; None with fewer than two clusters.
    """
    table: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cluster, hit in hits:
        table[cluster][0] += hit
        table[cluster][1] += 1
    if len(table) < 2:
        return None
    counts = np.array([table[name] for name in sorted(table)], dtype=np.int64)
    rng = np.random.default_rng(seed)
    drawn = counts[rng.integers(len(counts), size=(draws, len(counts)))].sum(axis=1)
    shares = drawn[:, 0] / drawn[:, 1]
    ends = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return float(ends[0]), float(ends[1])


def calibration(marked: Iterable[Marked], bins: int = BINS) -> Calibration:
    """Calibration of the answers to decidable questions; abstentions and failures have no confidence."""
    pairs = [
        (confidence, one.outcome == "right")
        for one in marked
        if one.question.expected.decidable
        and one.outcome in {"right", "wrong"}
        and (confidence := one.given.confidence) is not None
    ]
    if not pairs:
        return Calibration(answered=0, ece=None, brier=None, bins=[])
    groups: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, hit in pairs:
        groups[min(int(confidence * bins), bins - 1)].append((confidence, hit))
    rows = []
    for _, members in sorted(groups.items()):
        rows.append(
            (sum(c for c, _ in members) / len(members), sum(h for _, h in members) / len(members), len(members))
        )
    return Calibration(
        answered=len(pairs),
        ece=sum(abs(confidence - share) * count for confidence, share, count in rows) / len(pairs),
        brier=sum((confidence - hit) ** 2 for confidence, hit in pairs) / len(pairs),
        bins=rows,
    )


def summarise(marked: Sequence[Marked], seed: int = 0) -> Summary:
    """Scores overall, by stage, kind, layout and split of the wordings."""

    def grouped(key: Callable[[Question], str]) -> dict[str, Score]:
        groups: dict[str, list[Marked]] = defaultdict(list)
        for one in marked:
            groups[key(one.question)].append(one)
        order = [*SUBTYPES, *(name for names in SUBTYPES.values() for name in names)]
        known = sorted(groups, key=lambda name: (order.index(name) if name in order else len(order), name))
        return {name: score(groups[name], seed) for name in known}

    choices = [one.question for one in marked if one.question.layout == "choice" and one.question.expected.decidable]
    return Summary(
        questions=len(marked),
        overall=score(marked, seed),
        by_stage=grouped(lambda one: one.stage),
        by_subtype=grouped(lambda one: one.subtype),
        by_layout=grouped(lambda one: one.layout),
        by_split=grouped(lambda one: one.split),
        calibration=calibration(marked),
        chance=sum(1 / len(one.options) for one in choices) / len(choices) if choices else None,
        seconds=sum(one.given.seconds for one in marked),
    )
