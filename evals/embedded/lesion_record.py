"""What a classifier of lesion types does on lesions that it has not seen: the record beside its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evals.embedded.lesion_rows import PLAIN, Row
from tools.classifiers.base import Classifier, Described, Probabilities
from tools.phase import PHASES

BINS = 10
_LIKELY = 0.5
Answer = tuple[Row, Probabilities]


def record(classifier: Classifier, rows: Sequence[Row]) -> dict[str, Any]:
    """Accuracy, log loss, calibration error and confusion by organ and phase, with true and with altered masks."""
    told: dict[str, Any] = {"classifier": classifier.name, "version": classifier.version, "organs": {}}
    for organ in sorted({one.features.organ for one in rows}):
        own = [(one, _answer(classifier, one)) for one in rows if one.features.organ == organ]
        known = [(one, answer) for one, answer in own if answer is not None]
        plain = [pair for pair in known if pair[0].variant == PLAIN]
        told["organs"][organ] = {
            "true_masks": figures(plain),
            "altered_masks": figures([pair for pair in known if pair[0].variant != PLAIN]),
            "by_phase": {
                phase: figures([pair for pair in plain if pair[0].features.phase == phase]) for phase in PHASES
            },
            "confusion": {phase: confusion([p for p in plain if p[0].features.phase == phase]) for phase in PHASES},
            "phase_not_known": len(own) - len(known),
        }
    return told


def _answer(classifier: Classifier, one: Row) -> Probabilities | None:
    from agent.errors import ToolError  # noqa: PLC0415

    try:
        # The embedded classifier looks at nothing but the features.
        return classifier.predict(Described(one.features, None, None))  # type: ignore[arg-type]
    except ToolError:
        return None


def figures(pairs: Sequence[Answer]) -> dict[str, Any]:
    """Figures of some answers; counts only where there are none."""
    if not pairs:
        return {"lesions": 0}
    right = np.array([answer.best == one.type for one, answer in pairs])
    odds = np.array([answer.types[answer.best] for _, answer in pairs])
    inside = np.array([answer.in_distribution is not False for _, answer in pairs])
    counts = inside & (odds >= _LIKELY)
    losses = [-math.log(max(answer.types[one.type], 1e-12)) for one, answer in pairs]
    return {
        "lesions": len(pairs),
        "accuracy": round(float(right.mean()), 4),
        "log_loss": round(float(np.mean(losses)), 4),
        "ece": round(calibration_error(odds, right), 4),
        "out_of_distribution": round(float((~inside).mean()), 4),
        "answered": round(float(counts.mean()), 4),
        "accuracy_of_answered": round(float(right[counts].mean()), 4) if counts.any() else None,
    }


def calibration_error(odds: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    """Expected calibration error: mean gap of probability and accuracy over ten bins, weighted by their lesions."""
    at = np.minimum((odds * BINS).astype(int), BINS - 1)
    gaps = [abs(odds[at == one].mean() - right[at == one].mean()) * np.mean(at == one) for one in np.unique(at)]
    return float(sum(gaps))


def confusion(pairs: Sequence[Answer]) -> dict[str, dict[str, int]]:
    """Lesions by their type and by the likeliest type."""
    found: dict[str, dict[str, int]] = {}
    for one, answer in pairs:
        row = found.setdefault(one.type, {})
        row[answer.best] = row.get(answer.best, 0) + 1
    return found


def words(told: Mapping[str, Any]) -> str:
    """The record as short text."""
    training = told["training"]
    lines = [
        f"Classifier {told['classifier']}, version {told['version']}: valid for synthetic scans only.",
        f"Trained on {training['phantoms']} phantoms; the figures are of {training['phantoms_held_out']} others.",
        "Its generator is that of its test: they say nothing about real scans.",
        "",
        f"{'organ':10}{'masks or phase':16}{'lesions':>8}{'accuracy':>10}{'log loss':>10}{'ECE':>8}{'answered':>10}"
        f"{'of these right':>16}",
    ]
    for organ, one in told["organs"].items():
        rows = {
            "true": one["true_masks"],
            "altered": one["altered_masks"],
            **{at: one["by_phase"][at] for at in PHASES},
        }
        for name, row in rows.items():
            if row["lesions"]:
                answered = row["accuracy_of_answered"]
                lines.append(
                    f"{organ:10}{name:16}{row['lesions']:8}{row['accuracy']:10.3f}{row['log_loss']:10.3f}{row['ece']:8.3f}"
                    f"{row['answered']:10.3f}{'-' if answered is None else f'{answered:.3f}':>16}"
                )
    lines += ["", "Likeliest types of the lesions of each type (true masks):"]
    for organ, one in told["organs"].items():
        for phase in PHASES:
            for kind, row in sorted(one["confusion"][phase].items()):
                shown = ", ".join(f"{name} {count}" for name, count in sorted(row.items()))
                lines.append(f"{organ:10}{phase:10}{kind:14}{shown}")
    return "\n".join(lines) + "\n"
