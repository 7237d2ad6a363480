"""What the neighbours of a lesion say about its type: a calibrated vote, which is evidence and never a diagnosis.

    p(type) = (Σ w·[neighbour is of the type] + shrinkage · prior(type)) / (Σ w + shrinkage)
    w       = exp((similarity − highest similarity) / temperature) / (neighbours of the same patient)

Temperature and shrinkage come from the base itself (`retrieval.case_calibration`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from retrieval.case_model import Calibration, Hit

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class VoteRules:
    """When a vote is held at all, and what counts as far away.

    Attributes:
        min_neighbours: fewest neighbours.
        min_patients: of how many patients they have to be.
        unusual: a nearest neighbour further away than all but this share of the base's own is out of distribution.
    """

    min_neighbours: int = 5
    min_patients: int = 3
    unusual: float = 0.05


class Vote(BaseModel):
    """The neighbours' vote.

    Attributes:
        state: whether there were enough cases to vote.
        reason: why not, one clause.
        probabilities: lesion type → probability, most probable first; empty where there was no vote. Types that the
            base does not hold cannot win, so the numbers hold only if the lesion is of one of these types.
        prior: lesion type → share of the base's patients, smoothed.
        neighbours: number of neighbours that could vote.
        patients: of how many patients.
        nearest: similarity of the nearest.
        percentile: share of the base's own lesions whose nearest of another patient is at most as similar.
        in_distribution: whether the lesion is as close to the base as its own lesions are; None where it can't be told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["voted", "too few cases"]
    reason: str | None = None
    probabilities: dict[str, float] = {}
    prior: dict[str, float] = {}
    neighbours: int
    patients: int
    nearest: float | None = None
    percentile: float | None = None
    in_distribution: bool | None = None


def of_others(hits: Sequence[Hit]) -> list[Hit]:
    """Neighbours without those of whoever has a near duplicate among them: it may be the same lesion once more."""
    same = {one.entry.patient for one in hits if one.near_duplicate}
    return [one for one in hits if one.entry.patient not in same]


def vote(
    hits: Sequence[Hit], calibration: Calibration | None, organ: str | None = None, rules: VoteRules | None = None
) -> Vote:
    """Let neighbours vote on the type of a lesion.

    Args:
        hits: neighbours, best first, none of them of the lesion's own patient; whoever has a near duplicate among
            them does not vote, since they may be that patient, and of the others as many as the calibration says.
        calibration: of the base; None for a base that is too small for one.
        organ: organ that the neighbours were filtered by, None if they were not.
        rules: when a vote is held.
    """
    rules = rules or VoteRules()
    voters = of_others(hits)[: calibration.neighbours if calibration else None]
    people = Counter(one.entry.patient for one in voters)
    nearest = voters[0].similarity if voters else None
    seen = {"neighbours": len(voters), "patients": len(people), "nearest": nearest}
    if calibration is None:
        why = "the base holds too few patients, or too few types, to fit a vote"
        return Vote.model_validate({**seen, "state": "too few cases", "reason": why})
    share = percentile(calibration, nearest) if nearest is not None else None
    seen |= {"percentile": share, "in_distribution": share >= rules.unusual if share is not None else None}
    if len(voters) < rules.min_neighbours or len(people) < rules.min_patients:
        why = (
            f"{len(voters)} neighbours of {len(people)} patients were found, and at least {rules.min_neighbours} of "
            f"{rules.min_patients} have to vote"
        )
        return Vote.model_validate({**seen, "state": "too few cases", "reason": why})
    prior = prior_of(calibration, organ)
    near = np.array([[one.similarity for one in voters]])
    weight = weights(near, np.array([[people[one.entry.patient] for one in voters]]), calibration.temperature)[0]
    mass = {name: calibration.shrinkage * value for name, value in prior.items()}
    for one, own in zip(voters, weight, strict=True):
        mass[one.entry.lesion_type] = mass.get(one.entry.lesion_type, 0.0) + float(own)
    total = sum(mass.values())
    ranked = sorted(mass, key=lambda name: (-mass[name], name))
    probabilities = {name: mass[name] / total for name in ranked}
    return Vote.model_validate({**seen, "state": "voted", "probabilities": probabilities, "prior": prior})


def weights(near: FloatArray, of_patient: NDArray[np.integer], temperature: float) -> FloatArray:
    """Weights of neighbours.

    Args:
        near: (n, k) similarities, best first, −∞ where there is none.
        of_patient: (n, k) number of the row's neighbours that are of the same patient.
        temperature: similarity that a weight falls by a factor e over.
    """
    away = np.where(np.isfinite(near), near, -np.inf) - np.where(np.isfinite(near[:, :1]), near[:, :1], 0.0)
    return np.asarray(np.exp(away / temperature) / np.maximum(of_patient, 1))


def prior_of(calibration: Calibration, organ: str | None) -> dict[str, float]:
    """Shares of patients by type in an organ, or in all where it holds none; one patient more each, so none is nil."""
    counts: Counter[str] = Counter()
    chosen = calibration.counts.get(organ) if organ is not None else None
    for one in [chosen] if chosen else calibration.counts.values():
        counts.update(one)
    return smoothed(counts)


def smoothed(counts: Mapping[str, int]) -> dict[str, float]:
    """Shares with one count more each (Laplace's rule of succession)."""
    total = sum(counts.values()) + len(counts)
    return {name: (count + 1) / total for name, count in sorted(counts.items())}


def percentile(calibration: Calibration, nearest: float) -> float:
    """Share of the base's own lesions whose nearest neighbour is at most as similar."""
    return float(np.searchsorted(np.array(calibration.nearest), nearest, side="right")) / len(calibration.nearest)
