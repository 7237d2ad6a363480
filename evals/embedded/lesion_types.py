"""Trains the embedded classifier of lesion types on phantoms.

    python -m evals.embedded.lesion_types --data FOLDER --out tools/classifiers/embedded

One multinomial logistic regression an organ, whose weights are shared by the phases but for what each phase adds. A
fifth of the phantoms is held out for the record; on the rest, temperature and limit of distance are fitted to
predictions for phantoms that the model did not see (cross-validation by phantom). It is valid for phantoms only.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from evals.embedded.lesion_record import record, words
from evals.embedded.lesion_rows import Row, collect
from retrieval.files import write_whole
from tools.classifiers.backends.embedded import LinearClassifier
from tools.classifiers.config import LinearConfig, LinearModel
from tools.classifiers.distance import Mahalanobis
from tools.phase import PHASES
from tools.volume import FloatArray

INPUTS = (
    "organ_hu", "median_to_organ", "p10_to_organ", "p90_to_organ", "core_to_organ", "core_to_rim", "heterogeneity",
    "edge_log_mm", "volume_log_mm3", "sphericity",
)  # fmt: skip
"""Features without those that follow from others."""
ORGANS = ("liver", "pancreas", "kidney")
ALONE = {"colon": "cancer"}
VERSION = "2"
SOURCE = "the embedded classifier of lesion types"
QUANTILE = 0.99
HELD_OUT = 0.2
FOLDS = 5
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
FEWEST = 4
"""Phantoms with lesions of a type in a phase below which that phase has no centre for it."""
NAME = "lesion_types"


@dataclass(frozen=True)
class Table:
    """Rows of one organ: inputs (n, k), number of the type (n,), number of the phase (n,), phantom (n,)."""

    types: tuple[str, ...]
    x: FloatArray
    y: NDArray[np.int64]
    phase: NDArray[np.int64]
    seed: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Row], types: tuple[str, ...]) -> Table:
        """Table of an organ's rows."""
        return cls(
            types,
            np.array([one.features.vector(INPUTS) for one in rows]),
            np.array([types.index(one.type) for one in rows]),
            np.array([PHASES.index(one.features.phase) for one in rows]),
            np.array([one.seed for one in rows]),
        )

    def part(self, chosen: NDArray[np.bool_]) -> Table:
        """Some of the rows."""
        return Table(self.types, self.x[chosen], self.y[chosen], self.phase[chosen], self.seed[chosen])


@dataclass(frozen=True)
class Fit:
    """A fitted model: what inputs are standardised by, and weights (phases, types, k) and bias (phases, types)."""

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: FloatArray

    def inputs(self, table: Table) -> FloatArray:
        """Standardised inputs (n, k)."""
        return (table.x - self.mean) / self.scale

    def logits(self, table: Table) -> FloatArray:
        """(n, types)."""
        found = np.einsum("ntk,nk->nt", self.weights[table.phase], self.inputs(table)) + self.bias[table.phase]
        return np.asarray(found)


def held_out(seed: int) -> bool:
    """Whether a phantom is kept for the record."""
    return bool(np.random.default_rng([seed, 17]).random() < HELD_OUT)


def fit(table: Table, strength: float) -> Fit:
    """Fit a regression whose penalty falls on what a phase adds to the shared weights as on these."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    mean, scale = table.x.mean(axis=0), table.x.std(axis=0) + 1e-9
    z = (table.x - mean) / scale
    hot = np.eye(len(PHASES))[table.phase]
    own = (hot[:, :, None] * z[:, None, :]).reshape(len(z), -1)
    model = LogisticRegression(C=strength, max_iter=3000).fit(np.hstack([z, own, hot]), table.y)
    coefficients, intercept = model.coef_, model.intercept_
    if len(table.types) == 2:
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.array([0.0, intercept[0]])
    k = z.shape[1]
    shared, rest = coefficients[:, :k], coefficients[:, k:]
    added = rest[:, : len(PHASES) * k].reshape(len(table.types), len(PHASES), k).transpose(1, 0, 2)
    return Fit(mean, scale, shared[None] + added, intercept[None] + rest[:, len(PHASES) * k :].T)


def log_loss(logits: FloatArray, y: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Mean negative log likelihood."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(y)), y]).mean())


def temperature_for(logits: FloatArray, y: NDArray[np.int64]) -> float:
    """The temperature of the least log loss, never below one: where nothing was wrong, nothing tells how sure to be."""
    best = minimize_scalar(lambda log: log_loss(logits, y, math.exp(log)), bounds=(0.0, 2.5), method="bounded")
    return math.exp(float(best.x))


def clouds(table: Table, fitted: Fit) -> tuple[dict[int, FloatArray], FloatArray]:
    """Centres (m, k) of the types by phase, and the precision (k, k) that they share (Ledoit and Wolf's shrinkage)."""
    from sklearn.covariance import ledoit_wolf  # noqa: PLC0415

    z = fitted.inputs(table)
    centres: dict[int, list[FloatArray]] = {}
    around = []
    for phase in range(len(PHASES)):
        for kind in range(len(table.types)):
            here = (table.phase == phase) & (table.y == kind)
            if len(np.unique(table.seed[here])) >= FEWEST:
                centres.setdefault(phase, []).append(z[here].mean(axis=0))
                around.append(z[here] - z[here].mean(axis=0))
    covariance, _ = ledoit_wolf(np.vstack(around), assume_centered=True)
    return {phase: np.array(rows) for phase, rows in centres.items()}, np.linalg.inv(covariance)


def centred(rest: Table, table: Table) -> NDArray[np.bool_]:
    """Whether each row's own type has a centre in its phase (`clouds` of the rest)."""
    pairs = set(zip(table.y.tolist(), table.phase.tolist(), strict=True))
    enough = {
        (kind, phase): len(np.unique(rest.seed[(rest.y == kind) & (rest.phase == phase)])) >= FEWEST
        for kind, phase in pairs
    }
    return np.array([enough[one] for one in zip(table.y.tolist(), table.phase.tolist(), strict=True)], dtype=bool)


def distances(table: Table, fitted: Fit, centres: dict[int, FloatArray], precision: FloatArray) -> FloatArray:
    """Distance of each row from the nearest centre of its phase; infinite without one."""
    found = np.full(len(table.y), np.inf)
    for at, (values, phase) in enumerate(zip(fitted.inputs(table), table.phase, strict=True)):
        if int(phase) in centres:
            away = values - centres[int(phase)]
            found[at] = math.sqrt(float(np.einsum("mi,ij,mj->m", away, precision, away).min()))
    return found


def folds(table: Table) -> list[NDArray[np.bool_]]:
    """Rows of each fold: phantoms stay together."""
    seeds = np.unique(table.seed)
    lot = np.random.default_rng(0).permutation(len(seeds)) % FOLDS
    return [np.isin(table.seed, seeds[lot == number]) for number in range(FOLDS)]


def train(table: Table) -> tuple[LinearModel, float]:
    """The model of an organ, and the strength that cross-validation chose."""
    unseen = {strength: np.zeros((len(table.y), len(table.types))) for strength in STRENGTHS}
    parts = folds(table)
    for strength, chosen in ((strength, chosen) for strength in STRENGTHS for chosen in parts):
        unseen[strength][chosen] = fit(table.part(~chosen), strength).logits(table.part(chosen))
    best = min(STRENGTHS, key=lambda one: log_loss(unseen[one], table.y, temperature_for(unseen[one], table.y)))
    far = np.zeros(len(table.y))
    for chosen in parts:
        rest, own = table.part(~chosen), table.part(chosen)
        fitted = fit(rest, best)
        # Where a fold left a type without a centre, its lesions are not far from their own but from others.
        far[chosen] = np.where(centred(rest, own), distances(own, fitted, *clouds(rest, fitted)), np.inf)
    limit = float(np.quantile(far[np.isfinite(far)], QUANTILE))
    final = fit(table, best)
    centres, precision = clouds(table, final)
    return _model(table.types, final, temperature_for(unseen[best], table.y), centres, precision, limit), best


def _model(
    types: tuple[str, ...], fitted: Fit, temperature: float, centres: dict[int, FloatArray], precision: FloatArray,
    limit: float,
) -> LinearModel:  # fmt: skip
    def plain(values: Any) -> Any:
        return np.vectorize(lambda value: float(f"{value:.6g}"))(values).tolist()

    even = (precision + precision.T) / 2
    return LinearModel(
        types=types, features=INPUTS, mean=plain(fitted.mean), scale=plain(fitted.scale), temperature=temperature,
        weights={name: plain(fitted.weights[at]) for at, name in enumerate(PHASES) if at in centres},
        bias={name: plain(fitted.bias[at]) for at, name in enumerate(PHASES) if at in centres},
        ood={
            PHASES[at]: Mahalanobis(means=plain(rows), precision=plain(even), limit=limit, quantile=QUANTILE)
            for at, rows in centres.items()
        },
    )  # fmt: skip


def train_all(rows: Sequence[Row]) -> tuple[LinearConfig, dict[str, Any]]:
    """The classifier, and the record of what it does on phantoms that were held out."""
    organs, chosen = {}, {}
    for organ in ORGANS:
        own = [one for one in rows if one.features.organ == organ]
        types = tuple(sorted({one.type for one in own}))
        organs[organ], chosen[organ] = train(Table.of([one for one in own if not held_out(one.seed)], types))
    config = LinearConfig(
        backend="embedded", version=VERSION, source=SOURCE, licence="Apache-2.0", valid_for="synthetic",
        smallest_mm=8.0, organs=organs, alone=ALONE,
    )  # fmt: skip
    test = [one for one in rows if held_out(one.seed) and one.features.organ in ORGANS]
    told = record(LinearClassifier("embedded", config), test)
    told["training"] = {
        "phantoms": len({one.seed for one in rows if not held_out(one.seed)}),
        "phantoms_held_out": len({one.seed for one in test}),
        "folds": FOLDS, "strength": chosen, "temperature": {o: round(m.temperature, 4) for o, m in organs.items()},
        "ood_quantile": QUANTILE,
    }  # fmt: skip
    return config, told


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="folders of training phantoms")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the record")
    parser.add_argument("--rows", type=Path, help="file that keeps the rows of phantoms between runs")
    given = parser.parse_args()
    config, told = train_all(collect(given.data, given.rows))
    content = {
        f"{NAME}.json": config.model_dump_json(exclude_none=True),
        f"{NAME}.record.json": json.dumps(told, indent=1, sort_keys=True) + "\n",
        f"{NAME}.record.txt": words(told),
    }
    for name, text in content.items():
        write_whole(given.out / name, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]


if __name__ == "__main__":
    main()
