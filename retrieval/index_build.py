"""Building a faiss index from a stream of vectors: exact where that is cheap, else approximate and measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from agent.errors import UsageError
from retrieval.index_faiss import library
from retrieval.index_math import ENOUGH_FOR_A_MEAN, Nearest, checked, recall, unit
from retrieval.index_model import MAX_VECTORS, Blocks, FloatRows, Ids, IndexAbout, IndexLimits

_POINTS_PER_LIST = 50
_ROUNDS = 10
_ROWS = 16384
"""Rows that are normalised at once, which bounds the working memory."""


def build_index(blocks: Blocks, dimension: int, limits: IndexLimits, seed: int = 0) -> tuple[Any, IndexAbout]:
    """A faiss index over a stream of raw vectors.

    Inverted lists need a recall that was measured: where even a search of all lists misses the target, because 8
    bits a dimension are too coarse for these vectors, the index stays exact.

    Args:
        blocks: the vectors; read up to three times.
        dimension: length of a vector.
        limits: what decides on the kind.
        seed: of the samples for training and measuring.

    Raises:
        UsageError: vectors of another length, not finite, or too many.
    """
    count, mean = _survey(blocks, dimension)
    if count > limits.flat_up_to:
        made = _inverted(blocks, count, mean, limits, seed)
        if made is not None:
            return made
    index = flat(dimension)
    for ids, rows in pieces(blocks, dimension):
        index.add_with_ids(unit(rows, mean), ids)
    return index, IndexAbout(kind="flat", dimension=dimension, built=count, mean=tuple(mean.tolist()))


def flat(dimension: int) -> Any:
    """An empty exact index."""
    faiss = library()

    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def pieces(blocks: Blocks, dimension: int) -> Iterator[tuple[Ids, FloatRows]]:
    """The stream in checked pieces of a bounded number of rows."""
    for ids, rows in blocks():
        for start in range(0, len(ids), _ROWS):
            stop = start + _ROWS
            yield np.ascontiguousarray(ids[start:stop], dtype=np.int64), checked(rows[start:stop], dimension)


def _survey(blocks: Blocks, dimension: int) -> tuple[int, FloatRows]:
    count, total = 0, np.zeros(dimension)
    for ids, rows in pieces(blocks, dimension):
        count += len(ids)
        total += rows.sum(axis=0, dtype=np.float64)
    if count > MAX_VECTORS:
        raise UsageError(f"{count} vectors are more than the {MAX_VECTORS} that an index may hold: split the cases.")
    mean = total / count if count >= ENOUGH_FOR_A_MEAN else np.zeros(dimension)
    return count, mean.astype(np.float32)


def _inverted(
    blocks: Blocks, count: int, mean: FloatRows, limits: IndexLimits, seed: int
) -> tuple[Any, IndexAbout] | None:
    """Inverted lists that reach the target, or None where they cannot."""
    faiss = library()

    dimension = len(mean)
    lists = max(4, min(65536, 2 * math.isqrt(count)))
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(count)
    # Vectors that the lists were made from are found more easily than those to come: recall is measured without them.
    own, queries = _pick(blocks, drawn[: limits.queries], mean)
    _, sample = _pick(blocks, drawn[limits.queries :][: lists * _POINTS_PER_LIST], mean)
    quantizer = faiss.IndexFlatIP(dimension)
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(quantizer, dimension, lists, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical, index.cp.niter, index.cp.seed = True, _ROUNDS, seed + 1
    index.cp.min_points_per_centroid = 1
    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0:
        # Clustering is the long part; search stays on the processor, where ids can be filtered.
        index.clustering_index = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(dimension))
    index.train(sample)
    del sample
    exact = Nearest(queries, own, limits.neighbours)
    for some, rows in pieces(blocks, dimension):
        near = unit(rows, mean)
        index.add_with_ids(near, some)
        exact.see(some, near)
    probes, share, error = _probes(index, queries, own, exact.ids, limits)
    if share - error < limits.target_recall:
        return None
    index.nprobe = probes
    about = IndexAbout(
        kind="ivf-sq8", dimension=dimension, built=count, mean=tuple(mean.tolist()), lists=lists, probes=probes,
        recall=share, recall_error=error, recall_queries=len(queries),
    )  # fmt: skip
    return index, about


def _pick(blocks: Blocks, positions: Ids, mean: FloatRows) -> tuple[Ids, FloatRows]:
    """Ids and unit vectors at some positions of the stream."""
    positions = np.sort(positions)
    ids = np.empty(len(positions), dtype=np.int64)
    sample = np.empty((len(positions), len(mean)), dtype=np.float32)
    seen = done = 0
    for some, rows in pieces(blocks, len(mean)):
        stop = int(np.searchsorted(positions, seen + len(some)))
        inside = positions[done:stop] - seen
        ids[done:stop], sample[done:stop] = some[inside], unit(rows[inside], mean)
        seen, done = seen + len(some), stop
    return ids, sample


def _probes(index: Any, queries: FloatRows, own: Ids, true: Ids, limits: IndexLimits) -> tuple[int, float, float]:
    """The fewest probes that reach the target, with recall and its standard error."""

    def measured(probes: int) -> tuple[float, float]:
        faiss = library()

        _, found = index.search(queries, limits.neighbours + 1, params=faiss.SearchParametersIVF(nprobe=probes))
        return recall(_without(found, own, limits.neighbours), true)

    low, high = 0, 1
    best = measured(high)
    while best[0] - best[1] < limits.target_recall and high < index.nlist:
        low, high = high, min(2 * high, index.nlist)
        best = measured(high)
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        got = measured(middle)
        if got[0] - got[1] < limits.target_recall:
            low = middle
        else:
            high, best = middle, got
    return high, *best


def _without(found: Ids, own: Ids, k: int) -> Ids:
    """The first k of each row that are not the query itself; a row that lacks it loses its last."""
    keep = found != own[:, None]
    order = np.argsort(~keep, axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)[:, :k]
