"""Fitting the neighbours' vote on the base itself, each patient left out in turn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.case_model import Calibration
from retrieval.index import VectorIndex
from retrieval.index_model import Blocks, FloatRows, Ids
from retrieval.vote import FloatArray, smoothed, weights

NEIGHBOURS = 15
NEAR_DUPLICATE = 0.9999
"""Cosine above which two lesions may be one, under two names."""
MIN_PATIENTS = 10
_SAMPLES = 2000
_TEMPERATURES = np.geomspace(0.005, 2.0, 31)
_SHRINKAGES = np.geomspace(0.1, 30.0, 16)
_BINS = 10
_FOLDS = 10

Person = tuple[int, str, str, str, str, str]
"""Number, patient, scan, organ, lesion type and phase of an entry; "" where there is none."""


@dataclass(frozen=True)
class LeftOut:
    """Lesions with their neighbours among other patients.

    Attributes:
        near: (n, k) similarities, best first, −∞ where there was none.
        kinds: (n, k) types of the neighbours.
        of_patient: (n, k) number of the row's neighbours of the same patient.
        truth: (n,) their own types.
        prior: (n, types) prior without their own patient.
        fold: (n,) which part of the patients they belong to, when the fit itself is judged.
    """

    near: FloatArray
    kinds: Ids
    of_patient: Ids
    truth: Ids
    prior: FloatArray
    fold: Ids


def calibrate(
    people: Sequence[Person],
    index: VectorIndex,
    blocks: Blocks,
    numbered: Sequence[tuple[str, str]] = (),
    seed: int = 0,
) -> Calibration | None:
    """Fit temperature and shrinkage by log loss; None where there are too few patients or only one type.

    How good the vote is gets measured on patients that had no part in the fit: with the temperature and shrinkage that
    fit the other folds best. What is kept are those that fit all of them.

    Args:
        people: every entry.
        index: their vectors.
        blocks: the raw vectors.
        numbered: patients with further keys of theirs.
        seed: of the sample that is left out where there are many.
    """
    groups = patients(people, numbered)
    names = sorted({one[4] for one in people})
    if len(set(groups.values())) < MIN_PATIENTS or len(names) < 2:
        return None
    order = np.random.default_rng(seed).permutation(len(people))[:_SAMPLES]
    chosen = [people[int(at)] for at in np.sort(order)]
    out = _leave_out(people, chosen, groups, names, index, _vectors(blocks, chosen))
    if out is None:
        return None
    grid = [(float(t), float(s)) for t in _TEMPERATURES for s in _SHRINKAGES]
    losses = np.array([_losses(out, *one) for one in grid])
    temperature, shrinkage = grid[int(losses.mean(axis=1).argmin())]
    shares = np.zeros_like(out.prior)
    for fold in np.unique(out.fold):
        inside = out.fold == fold
        others = losses[:, ~inside] if not inside.all() else losses
        shares[inside] = _shares(out, *grid[int(others.mean(axis=1).argmin())])[inside]
    loss = float(-np.log(shares[np.arange(len(shares)), out.truth]).mean())
    accuracy, error = _quality(out, shares)
    own_prior = out.prior[np.arange(len(out.truth)), out.truth]
    return Calibration(
        temperature=temperature, shrinkage=shrinkage, neighbours=NEIGHBOURS, counts=_counts(people, groups),
        samples=len(out.truth), patients=len({groups[one[0]] for one in chosen}), log_loss=loss,
        prior_log_loss=float(-np.log(own_prior).mean()), accuracy=accuracy, calibration_error=error,
        nearest=tuple(np.percentile(out.near[:, 0], np.arange(101)).tolist()), entries=len(people),
    )  # fmt: skip


def patients(people: Sequence[Person], numbered: Sequence[tuple[str, str]] = ()) -> dict[int, int]:
    """Entry → its patient; patients that share a scan, or a key, are one."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for _, patient, scan, *_ in people:
        above[top(f"scan {scan}")] = top(f"patient {patient}")
    for patient, key in numbered:
        above[top(f"patient {key}")] = top(f"patient {patient}")
    roots = {number: top(f"patient {patient}") for number, patient, *_ in people}
    numbers = {root: at for at, root in enumerate(dict.fromkeys(roots.values()))}
    return {number: numbers[root] for number, root in roots.items()}


def _counts(people: Sequence[Person], groups: dict[int, int]) -> dict[str, dict[str, int]]:
    seen = {(organ, kind, groups[number]) for number, _, _, organ, kind, _ in people}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for organ, kind, _ in sorted(seen):
        counts[organ][kind] += 1
    return {organ: dict(one) for organ, one in counts.items()}


def _vectors(blocks: Blocks, chosen: Sequence[Person]) -> FloatRows:
    """Raw vectors of some entries, in their order."""
    wanted = np.array([one[0] for one in chosen], dtype=np.int64)
    rows: FloatRows | None = None
    for ids, some in blocks():
        if rows is None:
            rows = np.zeros((len(chosen), some.shape[1]), dtype=np.float32)
        _, here, there = np.intersect1d(ids, wanted, assume_unique=True, return_indices=True)
        rows[there] = some[here]
    assert rows is not None
    return rows


def _leave_out(
    people: Sequence[Person], chosen: Sequence[Person], groups: dict[int, int], names: list[str],
    index: VectorIndex, vectors: FloatRows,
) -> LeftOut | None:  # fmt: skip
    """Neighbours of the chosen lesions within their organ and phase, as they are searched for."""
    place = {name: at for at, name in enumerate(names)}
    kinds = {one[0]: place[one[4]] for one in people}
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    of_group: dict[int, list[Person]] = defaultdict(list)
    for one in people:
        alike[one[3], one[5]].append(one[0])
        of_group[groups[one[0]]].append(one)
    allowed = {like: np.array(numbers, dtype=np.int64) for like, numbers in alike.items()}
    every = {organ: np.concatenate([allowed[one] for one in allowed if one[0] == organ]) for organ, _ in allowed}
    counts = _counts(people, groups)
    rows: list[tuple[list[float], list[int], list[int], int, list[float], int]] = []
    for (number, _, _, organ, _, phase), vector in zip(chosen, vectors, strict=True):
        own = of_group[groups[number]]
        excluded = np.array([one[0] for one in own], dtype=np.int64)
        # A few more, since near duplicates do not vote.
        ids, near = index.search(
            vector, NEIGHBOURS + 5, allowed=allowed[organ, phase] if phase else every[organ], excluded=excluded
        )
        found = list(zip(ids[0].tolist(), near[0].tolist(), strict=True))
        found = [(i, s) for i, s in found if i >= 0]
        same = {groups[i] for i, s in found if s >= NEAR_DUPLICATE}
        kept = [(i, s) for i, s in found if groups[i] not in same][:NEIGHBOURS]
        if not kept:
            continue
        fill = NEIGHBOURS - len(kept)
        shared = Counter(groups[i] for i, _ in kept)
        mine = {one[4] for one in own if one[3] == organ}
        left = smoothed({name: counts[organ].get(name, 0) - (name in mine) for name in counts[organ]})
        rows.append(
            (
                [s for _, s in kept] + [-np.inf] * fill,
                [kinds[i] for i, _ in kept] + [0] * fill,
                [shared[groups[i]] for i, _ in kept] + [1] * fill,
                kinds[number],
                [left.get(name, 0.0) for name in names],
                groups[number] % _FOLDS,
            )
        )
    if not rows:
        return None
    return LeftOut(*(np.array(column) for column in zip(*rows, strict=True)))


def _losses(out: LeftOut, temperature: float, shrinkage: float) -> FloatArray:
    right, weight = out.kinds == out.truth[:, None], weights(out.near, out.of_patient, temperature)
    own = out.prior[np.arange(len(out.truth)), out.truth]
    share = ((weight * right).sum(axis=1) + shrinkage * own) / (weight.sum(axis=1) + shrinkage)
    return np.asarray(-np.log(share))


def _shares(out: LeftOut, temperature: float, shrinkage: float) -> FloatArray:
    """Probabilities (n, types)."""
    weight = weights(out.near, out.of_patient, temperature)
    mass = shrinkage * out.prior
    np.add.at(mass, (np.arange(len(mass))[:, None], out.kinds), weight)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def _quality(out: LeftOut, shares: FloatArray) -> tuple[float, float]:
    """Accuracy, and expected calibration error of the highest probability (Guo et al. 2017, arXiv:1706.04599)."""
    right, sure = shares.argmax(axis=1) == out.truth, shares.max(axis=1)
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [abs(right[bins == one].mean() - sure[bins == one].mean()) * (bins == one).mean() for one in np.unique(bins)]
    return float(right.mean()), float(sum(gaps))
