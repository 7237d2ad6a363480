"""What the vote of a case base does on its own lesions, each patient left out in turn: the record beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from evals.embedded.lesion_record import calibration_error
from evals.embedded.lesion_rows import PLAIN
from retrieval.case_model import Batch, CaseEntry, Filters
from retrieval.cases import CaseBase
from retrieval.vote import Vote, vote

_LIKELY = 0.5
_MORE = 5
"""Neighbours beyond those that vote, since near duplicates do not."""
Answer = tuple[CaseEntry, Vote]


def record(base: CaseBase, batches: Sequence[Batch]) -> dict[str, Any]:
    """Figures of the vote by organ, with neighbours of the same phase (as a run asks) and of any.

    Args:
        base: the case base.
        batches: its entries with their vectors.
    """
    stats = base.stats()
    asked = {
        "same_phase": [(one, _vote(base, one, vector, one.phase)) for one, vector in _each(batches)],
        "any_phase": [(one, _vote(base, one, vector, None)) for one, vector in _each(batches)],
    }
    by_organ = base.calibration.counts if base.calibration is not None else {}
    # Where there is only one type, there is nothing to vote on.
    organs = sorted(organ for organ, counts in by_organ.items() if len(counts) > 1)

    def voted(answers: Sequence[Answer]) -> list[Answer]:
        return [pair for pair in answers if pair[0].organ in organs]

    return {
        "valid_for": "synthetic", "encoder": stats.encoder.model_dump(), "lesions": stats.entries,
        "phantoms": stats.patients, "by": stats.by,
        "masks": dict(Counter(str(one.extra["mask"]) for one, _ in _each(batches))),
        "left_out": {
            name: {
                "all": figures(voted(answers)),
                "true_masks": figures([pair for pair in voted(answers) if pair[0].extra["mask"] == PLAIN]),
                "altered_masks": figures([pair for pair in voted(answers) if pair[0].extra["mask"] != PLAIN]),
                **{organ: figures([pair for pair in answers if pair[0].organ == organ]) for organ in organs},
            }
            for name, answers in asked.items()
        },
        "organs_of_one_type": sorted(set(by_organ) - set(organs)),
        "note": "Each phantom is left out in turn; generator and test are one, so this says nothing about patients.",
    }  # fmt: skip


def _each(batches: Sequence[Batch]) -> list[tuple[CaseEntry, Any]]:
    return [(one, vector) for entries, vectors in batches for one, vector in zip(entries, vectors, strict=True)]


def _vote(base: CaseBase, one: CaseEntry, vector: Any, phase: str | None) -> Vote:
    neighbours = base.calibration.neighbours + _MORE if base.calibration is not None else _MORE
    hits = base.search(
        vector, neighbours, encoder=base.manifest.encoder, exclude_patient=one.patient, exclude_scan=one.scan,
        filters=Filters(organ=one.organ, phase=phase),
    )  # fmt: skip
    return vote(hits, base.calibration, one.organ)


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Accuracy, calibration error, and how many are answered: those that are like the base's, with a likely type."""
    held = [(one, said) for one, said in answers if said.state == "voted"]
    if not held:
        return {"lesions": len(answers), "voted": 0}
    best = [max(said.probabilities.items(), key=lambda pair: pair[1]) for _, said in held]
    right = np.array([name == one.lesion_type for (name, _), (one, _) in zip(best, held, strict=True)])
    odds = np.array([share for _, share in best])
    inside = np.array([said.in_distribution is not False for _, said in held])
    counts = inside & (odds >= _LIKELY)
    return {
        "lesions": len(answers),
        "voted": len(held),
        "accuracy": round(float(right.mean()), 4),
        "ece": round(calibration_error(odds, right), 4),
        "out_of_distribution": round(float((~inside).mean()), 4),
        "answered": round(float(counts.sum() / len(answers)), 4),
        "accuracy_of_answered": round(float(right[counts].mean()), 4) if counts.any() else None,
    }
