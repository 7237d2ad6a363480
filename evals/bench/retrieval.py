"""How the approximate index of cases compares with exact search, on clustered synthetic vectors.

    python -m evals.bench.retrieval [--n 1000000] [--dim 512] [--queries 500] [--spread 1]

The vectors stand for embeddings of lesions: 2,000 clusters of log-normally distributed sizes, within each the vectors
vary along 24 directions of its own, with a little noise in all dimensions; all of it lies far from the origin in one
direction, as embeddings of CT encoders do, so that raw cosines are above 0.8. Queries are further draws, which the
index does not hold. The figures are of this distribution and no other: `--spread` widens the clusters until they
overlap, which is harder, and vectors without clusters are beyond what inverted lists can do.

Milliseconds are processor time over all threads, one query after another on one thread, after queries that are not
counted; other work on the machine does not count. What counts more is the ratio to exact search in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from retrieval.index import VectorIndex
from retrieval.index_math import recall
from retrieval.index_model import FloatRows, Ids, IndexAbout, IndexLimits

CLUSTERS = 2000
DIRECTIONS = 24
NOISE = 0.15
COMMON = 3.0
K = 10
TIMED = 200
WARM = 20
MB = 1e6
_BLOCK = 20_000


@dataclass(frozen=True)
class Clusters:
    """A distribution of vectors.

    Attributes:
        weights: (clusters,) share of each cluster.
        centres: (clusters, dimension), common direction included.
        spread: (clusters, directions) indices of the shared directions that each cluster varies along.
        directions: (pool, dimension) unit vectors.
        scale: spread within a cluster, relative to the one between clusters.
    """

    weights: FloatRows
    centres: FloatRows
    spread: Ids
    directions: FloatRows
    scale: float = 1.0

    @classmethod
    def make(cls, dimension: int, seed: int, scale: float = 1.0) -> Clusters:
        """Clusters of unit spread between each other."""
        rng = np.random.default_rng(seed)
        sizes = rng.lognormal(0.0, 1.0, CLUSTERS)
        common = rng.normal(size=dimension)
        centres = rng.normal(size=(CLUSTERS, dimension)) / np.sqrt(dimension)
        pool = rng.normal(size=(max(2 * DIRECTIONS, dimension // 2), dimension)) / np.sqrt(dimension)
        spread = np.stack([rng.permutation(len(pool))[:DIRECTIONS] for _ in range(CLUSTERS)])
        centres = centres + COMMON * common / np.linalg.norm(common)
        return cls(
            (sizes / sizes.sum()).astype(np.float32), centres.astype(np.float32), spread, pool.astype(np.float32), scale
        )

    def draw(self, rng: np.random.Generator, count: int) -> FloatRows:
        """(count, dimension) vectors."""
        dimension = self.centres.shape[1]
        which = np.sort(rng.choice(CLUSTERS, size=count, p=self.weights / self.weights.sum(dtype=np.float64)))
        rows = self.centres[which]
        scale = np.float32(self.scale)
        along = rng.normal(size=(count, DIRECTIONS)).astype(np.float32) / np.sqrt(DIRECTIONS)
        edges = np.flatnonzero(np.diff(which, prepend=-1, append=-1))
        for start, stop in itertools.pairwise(edges.tolist()):
            rows[start:stop] += scale * along[start:stop] @ self.directions[self.spread[which[start]]]
        rows += scale * np.float32(NOISE / np.sqrt(dimension)) * rng.standard_normal(size=rows.shape, dtype=np.float32)
        return np.ascontiguousarray(rows[rng.permutation(count)])


def main() -> None:
    """Run the benchmark, or in a child process its measurement of memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="number of vectors")
    parser.add_argument("--dim", type=int, default=512, help="their length")
    parser.add_argument("--queries", type=int, default=500, help="queries that recall is measured with")
    parser.add_argument("--spread", type=float, default=1.0, help="spread within clusters; 1 is that between them")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory_of is not None:
        _child(chosen.memory_of, chosen.n)
        return
    with tempfile.TemporaryDirectory() as name:
        clusters = Clusters.make(chosen.dim, seed=1, scale=chosen.spread)
        _run(Path(name), clusters, chosen.n, chosen.queries, Console(highlight=False, soft_wrap=True, markup=False))


def _run(folder: Path, clusters: Clusters, count: int, queries: int, console: Console) -> None:
    rng, dimension = np.random.default_rng(2), clusters.centres.shape[1]
    held = np.lib.format.open_memmap(folder / "raw.npy", mode="w+", dtype=np.float32, shape=(count, dimension))
    for start in range(0, count, _BLOCK):
        held[start : start + _BLOCK] = clusters.draw(rng, min(_BLOCK, count - start))
    asked = clusters.draw(rng, queries)
    raw = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    console.print(
        f"{count} vectors of length {dimension} in {CLUSTERS} clusters of spread {clusters.scale:g}; raw cosines "
        f"{np.median(raw @ raw.T):.2f}"
    )

    def blocks() -> Iterator[tuple[Ids, FloatRows]]:
        for start in range(0, count, _BLOCK):
            rows = np.asarray(held[start : start + _BLOCK])
            yield np.arange(start, start + len(rows)), rows

    begin, wall = time.process_time(), time.perf_counter()
    index = VectorIndex.build(blocks, dimension, IndexLimits(flat_up_to=count // 10))
    about = index.about
    console.print(
        f"built: {time.process_time() - begin:.0f} s of processor time, {time.perf_counter() - wall:.0f} s; "
        f"{about.kind}, "
        f"{about.lists} lists, {about.probes} searched; recall@{K} {about.recall:.3f} ± {about.recall_error:.3f} "
        f"by {about.recall_queries} held vectors"
    )
    index.write(folder / "index.faiss")
    (folder / "about.json").write_text(about.model_dump_json(), encoding="utf-8")
    # As users meet it: read from its file, without the slack that growing left.
    index = VectorIndex.read(folder / "index.faiss", about, count)
    exact = VectorIndex.build(blocks, dimension, IndexLimits(flat_up_to=count))
    _speed(index, exact, asked, console)
    _filtered(index, exact, asked, console)
    del index, exact
    _memory(folder, count, console)


def _speed(index: VectorIndex, exact: VectorIndex, asked: FloatRows, console: Console) -> None:
    share, error = recall(index.search(asked, K)[0], exact.search(asked, K)[0])
    ours, theirs = _each(index, asked[:TIMED]), _each(exact, asked[: TIMED // 10])
    console.print(
        f"recall@{K} {share:.3f} ± {error:.3f} by {len(asked)} new queries; a query on one thread: mean "
        f"{ours.mean():.2f} ms, median {np.median(ours):.2f}, 95th percentile {np.percentile(ours, 95):.2f}; "
        f"exact flat search {theirs.mean():.1f} ms, {theirs.mean() / ours.mean():.1f} times ours"
    )
    together = [_batch(one, asked) for one in (index, exact)]
    console.print(
        f"{len(asked)} queries at once, on all threads: {together[0]:.2f} ms of processor time each, exact flat search "
        f"{together[1]:.2f} ms, {together[1] / together[0]:.1f} times ours"
    )


def _each(index: VectorIndex, asked: FloatRows, allowed: Ids | None = None) -> NDArray[np.float64]:
    """Milliseconds of processor time of each query, one by one; the first few are asked once before."""
    for query in asked[:WARM]:
        index.search(query, K, allowed=allowed)
    marks = [time.process_time()]
    for query in asked:
        index.search(query, K, allowed=allowed)
        marks.append(time.process_time())
    return 1000 * np.diff(marks)


def _batch(index: VectorIndex, asked: FloatRows) -> float:
    """Milliseconds of processor time a query, all at once, as exact search is fastest."""
    begin = time.process_time()
    index.search(asked, K)
    return 1000 * (time.process_time() - begin) / len(asked)


def _filtered(index: VectorIndex, exact: VectorIndex, asked: FloatRows, console: Console) -> None:
    rng, count, few = np.random.default_rng(3), len(index), asked[:50]
    for passing in (count // 2, count // 20, count // 1000, 7):
        allowed = np.sort(rng.permutation(count)[:passing])
        found, _ = index.search(few, K, allowed=allowed)
        share, _ = recall(found, exact.search(few, K, allowed=allowed)[0])
        counts = (found >= 0).sum(axis=1)
        taken = _each(index, few, allowed).mean()
        console.print(
            f"where {passing} pass a filter: {counts.min()} to {counts.max()} of {K} results, recall {share:.3f}, "
            f"{taken:.2f} ms"
        )


def _memory(folder: Path, count: int, console: Console) -> None:
    command = [sys.executable, "-m", "evals.bench.retrieval", "--memory-of", str(folder), "--n", str(count)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    size = (folder / "index.faiss").stat().st_size / MB
    more, peak = map(float, told.stdout.split())
    console.print(
        f"memory of a process that reads the index of {size:.0f} MB and searches it {WARM} times: {more:.0f} MB more "
        f"than before, at most {peak:.0f} MB in all"
    )


def _child(folder: Path, count: int) -> None:
    about = IndexAbout.model_validate_json((folder / "about.json").read_text(encoding="utf-8"))
    VectorIndex.empty(about.dimension)  # the library is loaded, nothing else stays
    before = _memory_of_process("VmRSS")
    index = VectorIndex.read(folder / "index.faiss", about, count)
    for query in np.random.default_rng(4).normal(size=(WARM, about.dimension)).astype(np.float32):
        index.search(query, K)
    print(_memory_of_process("VmRSS") - before, _memory_of_process("VmHWM"))  # noqa: T201  (for the parent process)


def _memory_of_process(entry: str) -> float:
    """Megabytes that this process holds in memory now (VmRSS), or held at most (VmHWM; Linux, proc(5))."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{entry}:"):
            return float(line.split()[1]) * 1024 / MB
    return float("nan")


if __name__ == "__main__":
    main()
