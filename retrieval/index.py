"""A vector index with filtered search: cosine similarity of centred vectors, over faiss.

Exact up to a size, approximate with measured recall beyond (`retrieval.index_build`). A filter never costs results:
where the lists that are looked through hold too few vectors that pass, all lists are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import IntegrityError, UsageError
from retrieval.index_build import build_index, flat, pieces
from retrieval.index_faiss import library
from retrieval.index_math import checked, unit
from retrieval.index_model import Blocks, FloatRows, Ids, IndexAbout, IndexLimits
from retrieval.index_select import selector

MAX_NEIGHBOURS = 10_000
_FEW = 20_000
"""So few vectors that pass a filter are all compared, whatever list they are in."""


class VectorIndex:
    """Vectors by id (int64, not negative), and the nearest of a query among them.

    Attributes:
        about: how it was built.
    """

    def __init__(self, index: Any, about: IndexAbout) -> None:
        self._index, self.about = index, about
        self._mean = np.array(about.mean, dtype=np.float32)

    @classmethod
    def empty(cls, dimension: int) -> VectorIndex:
        """An index without vectors."""
        about = IndexAbout(kind="flat", dimension=dimension, built=0, mean=(0.0,) * dimension)
        return cls(flat(dimension), about)

    @classmethod
    def build(cls, blocks: Blocks, dimension: int, limits: IndexLimits | None = None, seed: int = 0) -> VectorIndex:
        """An index over a stream of raw vectors; its kind follows from their number and from measured recall.

        Raises:
            UsageError: vectors of another length, not finite, or too many.
        """
        return cls(*build_index(blocks, dimension, limits or IndexLimits(), seed))

    @classmethod
    def read(cls, path: Path, about: IndexAbout, count: int) -> VectorIndex:
        """An index from its file, whose checksum the caller has verified: faiss trusts what it reads.

        Args:
            path: the file.
            about: how it was built.
            count: number of vectors it has to hold.

        Raises:
            IntegrityError: the file holds another index than that.
        """
        faiss = library()

        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise IntegrityError(f"The vectors in {path} cannot be read: build the index anew.") from error
        kind = {"IndexIDMap2": "flat", "IndexIVFScalarQuantizer": "ivf-sq8"}.get(type(index).__name__)
        lists = index.nlist if kind == "ivf-sq8" else 0
        told = (kind, index.d, index.ntotal, index.metric_type, lists, len(about.mean))
        if told != (about.kind, about.dimension, count, faiss.METRIC_INNER_PRODUCT, about.lists, about.dimension):
            raise IntegrityError(f"The vectors in {path} are not those that its manifest tells: build the index anew.")
        return cls(index, about)

    def write(self, path: Path) -> None:
        """Write the faiss index; `about` is for the caller to keep.

        Raises:
            OSError: it cannot be written.
        """
        faiss = library()

        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise OSError(f"writing {path.name} failed") from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def stale(self, limits: IndexLimits) -> bool:
        """Whether it has changed so much since it was built that it should be built anew."""
        count, built = len(self), self.about.built
        wrong_kind = (
            count > limits.flat_up_to >= built if self.about.kind == "flat" else count <= limits.flat_up_to // 2
        )
        return count > limits.grow * built or wrong_kind

    def add(self, ids: Ids, vectors: NDArray[np.floating]) -> None:
        """Add raw vectors (n, dimension) under new ids.

        Raises:
            UsageError: vectors of another length, or not finite.
        """
        for some, rows in pieces(lambda: iter([(ids, checked(vectors, self.about.dimension))]), self.about.dimension):
            self._index.add_with_ids(unit(rows, self._mean), some)

    def remove(self, ids: Ids) -> int:
        """Remove vectors by id; how many there were."""
        faiss = library()

        if not len(ids):
            return 0
        return int(self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, dtype=np.int64))))

    def search(
        self, vectors: NDArray[np.floating], k: int, *, allowed: Ids | None = None, excluded: Ids | None = None
    ) -> tuple[Ids, FloatRows]:
        """The nearest k of each query among the vectors that pass.

        Args:
            vectors: (n, dimension) raw vectors.
            k: number of neighbours, up to `MAX_NEIGHBOURS`.
            allowed: ids that may be returned, without repetition; None for all.
            excluded: ids that may not, even where they are allowed.

        Returns:
            Ids and similarities (cosine of the centred vectors, −1 to 1), each (n, k), best first; where fewer pass,
            the id is −1 and the similarity −∞.

        Raises:
            UsageError: queries of another length, or not finite, or a k out of range.
        """
        if not 1 <= k <= MAX_NEIGHBOURS:
            raise UsageError(f"{k} neighbours were asked for; ask for 1 to {MAX_NEIGHBOURS}.")
        queries = unit(checked(vectors, self.about.dimension), self._mean)
        if len(self) == 0 or (allowed is not None and len(allowed) == 0):
            return np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32)
        passing = len(allowed) if allowed is not None else len(self)
        chosen = selector(allowed, excluded)
        with _threads(len(queries)):
            probes = self._probes(passing)
            ids, near = self._search(queries, k, chosen, probes)
            if probes < self.about.lists and (ids < 0).any():
                ids, near = self._search(queries, k, chosen, self.about.lists)
        near[ids < 0] = -np.inf
        return ids, near

    def _probes(self, passing: int) -> int:
        """Lists to look through where only some vectors pass: their nearest lie further away."""
        if passing <= min(_FEW, len(self) // 2):
            return self.about.lists
        return min(self.about.lists, math.ceil(self.about.probes * math.sqrt(len(self) / passing)))

    def _search(self, queries: FloatRows, k: int, chosen: Any, probes: int) -> tuple[Ids, FloatRows]:
        faiss = library()

        more = {"sel": chosen} if chosen is not None else {}
        if self.about.kind == "flat":
            params = faiss.SearchParameters(**more)
        else:
            params = faiss.SearchParametersIVF(nprobe=probes, **more)
        near, ids = self._index.search(queries, k, params=params)
        return ids, near


@contextmanager
def _threads(queries: int) -> Iterator[None]:
    """One thread for one query: handing it to several costs more than it saves, and others want them too."""
    faiss = library()

    before = faiss.omp_get_max_threads()
    if queries == 1:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
