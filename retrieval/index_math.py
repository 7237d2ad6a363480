"""Arithmetic on blocks of vectors: checks, normalisation, exact search, recall."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from retrieval.index_model import FloatRows, Ids

ENOUGH_FOR_A_MEAN = 32
"""Fewer vectors are not centred: the mean of a few is close to each of them."""
_TINY = 1e-12


def checked(vectors: NDArray[np.floating], dimension: int) -> FloatRows:
    """Vectors as (n, dimension) float32, contiguous.

    Raises:
        UsageError: for another shape, and for values that are not finite.
    """
    rows = np.ascontiguousarray(np.atleast_2d(vectors), dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise UsageError(
            f"The vectors have the shape {tuple(vectors.shape)}, but the index holds vectors of length {dimension}: "
            "encode them with the encoder that the index was built with."
        )
    if not np.isfinite(rows).all():
        raise UsageError("A vector holds values that are not finite: the encoder failed on this crop.")
    return rows


def unit(rows: FloatRows, mean: FloatRows) -> FloatRows:
    """Rows less the mean, at unit length, so that inner products are cosines.

    Cosines of CT encoders are compressed: all crops share a large common part, which the mean takes away
    (Mu and Viswanath 2018, "All-but-the-top", arXiv:1702.01417). What equals the mean stays zero.
    """
    centred = rows - mean
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    np.divide(centred, length, out=centred, where=length > _TINY)
    return np.ascontiguousarray(centred, dtype=np.float32)


class Nearest:
    """The exact nearest of some queries, gathered block by block."""

    def __init__(self, queries: FloatRows, own: Ids, k: int) -> None:
        self._queries, self._own, self._k = queries, own, k
        self._ids = np.full((len(queries), k), -1, dtype=np.int64)
        self._near = np.full((len(queries), k), -np.inf, dtype=np.float32)

    def see(self, ids: Ids, rows: FloatRows) -> None:
        """Take a block of unit vectors into account; a query is no neighbour of itself."""
        near = self._queries @ rows.T
        near[self._own[:, None] == ids[None, :]] = -np.inf
        near = np.concatenate([self._near, near], axis=1)
        every = np.concatenate([self._ids, np.broadcast_to(ids, (len(self._own), len(ids)))], axis=1)
        best = np.argpartition(-near, self._k - 1, axis=1)[:, : self._k]
        self._near, self._ids = np.take_along_axis(near, best, 1), np.take_along_axis(every, best, 1)

    @property
    def ids(self) -> Ids:
        """(n, k) ids in no order, −1 where there were fewer."""
        return np.where(np.isfinite(self._near), self._ids, -1)


def recall(found: Ids, true: Ids) -> tuple[float, float]:
    """Share of the true neighbours (n, k) that are among the found ones, and its standard error."""
    hit = (true[:, :, None] == found[:, None, :]).any(axis=2) & (true >= 0)
    shares = hit.sum(axis=1) / np.maximum((true >= 0).sum(axis=1), 1)
    return float(shares.mean()), float(shares.std() / math.sqrt(len(shares)))
