"""The vector index against brute force: kinds, filters, changes, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import IntegrityError, UsageError
from retrieval.index import VectorIndex
from retrieval.index_math import Nearest, recall, unit
from retrieval.index_model import Blocks, FloatRows, Ids, IndexLimits
from retrieval.index_select import selector

APPROXIMATE = IndexLimits(flat_up_to=500, queries=100)


def blocks_of(ids: Ids, rows: FloatRows, size: int = 700) -> Blocks:
    def blocks() -> Iterator[tuple[Ids, FloatRows]]:
        for start in range(0, len(ids), size):
            yield ids[start : start + size], rows[start : start + size]

    return blocks


def clustered(count: int, dimension: int = 16, seed: int = 0) -> FloatRows:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, dimension)) + 5
    return (centres[rng.integers(20, size=count)] + 0.5 * rng.normal(size=(count, dimension))).astype(np.float32)


@pytest.fixture(scope="module")
def inverted() -> tuple[VectorIndex, FloatRows]:
    rows = clustered(4000)
    return VectorIndex.build(blocks_of(np.arange(4000), rows), 16, APPROXIMATE), rows


def exact(rows: FloatRows, query: FloatRows, mean: FloatRows, allowed: Ids) -> FloatRows:
    near: FloatRows = unit(rows[allowed], mean) @ unit(query[None], mean)[0]
    return -np.sort(-near)


def test_up_to_the_limit_the_search_is_exact_and_beyond_it_measured(inverted: tuple[VectorIndex, FloatRows]) -> None:
    index, rows = inverted
    assert index.about.kind == "ivf-sq8"
    assert index.about.recall - index.about.recall_error >= APPROXIMATE.target_recall
    assert index.about.recall_queries == 100
    assert 1 <= index.about.probes <= index.about.lists
    small = VectorIndex.build(blocks_of(np.arange(500), rows[:500]), 16, APPROXIMATE)
    assert (small.about.kind, small.about.recall) == ("flat", 1.0)


def test_the_measured_recall_holds_for_other_queries(inverted: tuple[VectorIndex, FloatRows]) -> None:
    index, rows = inverted
    queries = clustered(4300)[4000:]
    mean = np.array(index.about.mean, np.float32)
    nearest = Nearest(unit(queries, mean), np.full(300, -1), 10)
    nearest.see(np.arange(4000), unit(rows, mean))
    share, _ = recall(index.search(queries, 10)[0], nearest.ids)
    assert share > APPROXIMATE.target_recall - 0.05


def test_an_approximate_index_that_misses_the_target_is_not_taken() -> None:
    # All vectors lie so close together that 8 bits a dimension do not tell them apart, but for one far away.
    rows = (1 + 1e-6 * np.random.default_rng(0).normal(size=(600, 4))).astype(np.float32)
    rows[0] = (100, -100, 100, -100)
    index = VectorIndex.build(blocks_of(np.arange(600), rows), 4, APPROXIMATE)
    assert index.about.kind == "flat"


@pytest.mark.slow
def test_more_is_probed_for_a_higher_target() -> None:
    rows = clustered(3000, seed=3)
    probes = [
        VectorIndex.build(
            blocks_of(np.arange(3000), rows), 16, IndexLimits(500, target_recall=target, queries=100)
        ).about.probes
        for target in (0.5, 0.97)
    ]
    assert probes[0] < probes[1]


def test_the_index_is_centred_by_its_mean(inverted: tuple[VectorIndex, FloatRows]) -> None:
    index, rows = inverted
    assert np.allclose(index.about.mean, rows.mean(axis=0), atol=1e-3)


def test_few_vectors_are_not_centred() -> None:
    index = VectorIndex.build(blocks_of(np.arange(2), clustered(2)), 16)
    assert not any(index.about.mean)
    assert index.search(clustered(2)[0], 2)[0].tolist() == [[0, 1]]


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 2**31), st.booleans())
@settings(max_examples=60)
def test_a_filter_returns_k_wherever_so_many_pass(
    inverted: tuple[VectorIndex, FloatRows], passing: int, k: int, seed: int, exclude: bool
) -> None:
    index, rows = inverted
    rng = np.random.default_rng(seed)
    allowed = np.sort(rng.permutation(4000)[:passing])
    excluded = allowed[:: 2 if exclude else passing + 1][: passing // 2]
    kept = np.setdiff1d(allowed, excluded)
    ids, near = index.search(rows[int(rng.integers(4000))], k, allowed=allowed, excluded=excluded)
    found = ids[0][ids[0] >= 0]
    assert len(found) == min(k, len(kept)) == len(set(found.tolist()))
    assert set(found.tolist()) <= set(kept.tolist())
    assert np.isneginf(near[0][len(found) :]).all()


@pytest.mark.parametrize("passing", [1500, 3990])
def test_large_filters_return_k_as_well(inverted: tuple[VectorIndex, FloatRows], passing: int) -> None:
    index, rows = inverted
    allowed = np.random.default_rng(0).permutation(4000)[:passing]
    ids, _ = index.search(rows[:30], 50, allowed=allowed)
    assert np.isin(ids, allowed).all()


def test_more_neighbours_than_the_probed_lists_hold_come_from_all_lists(
    inverted: tuple[VectorIndex, FloatRows],
) -> None:
    index, rows = inverted
    ids, _ = index.search(rows[0], 4000, excluded=np.array([7]))
    assert set(ids[0].tolist()) == (set(range(4000)) - {7}) | {-1}


def test_a_bitmap_selects_what_a_hash_set_does() -> None:
    many = np.arange(0, 20_000, 3)
    chosen = selector(many, many[:5000])
    assert [bool(chosen.is_member(one)) for one in (0, 15_003, 15_004, 19_998, 10**9)] == [0, 1, 0, 1, 0]


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(1, 40), st.integers(0, 99)), max_size=8))
@settings(max_examples=40)
def test_adding_and_removing_agrees_with_brute_force(steps: list[tuple[str, int, int]]) -> None:
    rows = clustered(1000)
    index = VectorIndex.build(blocks_of(np.arange(40), rows[:40]), 16)
    mean = np.array(index.about.mean, np.float32)
    held, fresh = list(range(40)), 40
    for what, count, seed in steps:
        if what == "add":
            ids = np.arange(fresh, fresh + count)
            index.add(ids, rows[ids])
            held, fresh = held + ids.tolist(), fresh + count
        else:
            gone = np.random.default_rng(seed).permutation(fresh)[:count]
            assert index.remove(gone) == len(set(held) & set(gone.tolist()))
            held = [one for one in held if one not in set(gone.tolist())]
    assert len(index) == len(held)
    ids, near = index.search(rows[999], 12)
    truth = exact(rows, rows[999], mean, np.array(held, dtype=np.int64))[:12]
    assert np.allclose(near[0][: len(truth)], truth, atol=1e-5)
    assert set(ids[0][: len(truth)].tolist()) <= set(held)


def test_an_index_that_grew_or_changed_its_kind_is_stale() -> None:
    rows = clustered(2000)
    index = VectorIndex.build(blocks_of(np.arange(400), rows[:400]), 16, APPROXIMATE)
    assert not index.stale(APPROXIMATE)
    index.add(np.arange(400, 600), rows[400:600])
    assert index.stale(APPROXIMATE)
    assert not index.stale(IndexLimits())
    index.add(np.arange(600, 900), rows[600:900])
    assert index.stale(IndexLimits())
    assert not VectorIndex.empty(16).stale(IndexLimits())


def test_an_index_comes_back_from_its_file(inverted: tuple[VectorIndex, FloatRows], tmp_path: Path) -> None:
    index, rows = inverted
    index.write(tmp_path / "index")
    again = VectorIndex.read(tmp_path / "index", index.about, 4000)
    assert np.array_equal(again.search(rows[:5], 10)[0], index.search(rows[:5], 10)[0])
    with pytest.raises(IntegrityError, match="not those"):
        VectorIndex.read(tmp_path / "index", index.about, 4001)
    (tmp_path / "index").write_bytes(b"none")
    with pytest.raises(IntegrityError, match="cannot be read"):
        VectorIndex.read(tmp_path / "index", index.about, 4000)


def test_the_index_works_the_same_after_a_search_on_one_thread() -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    VectorIndex.build(blocks_of(np.arange(50), clustered(50)), 16).search(clustered(1), 1)
    assert faiss.omp_get_max_threads() == before


def test_unusable_vectors_and_questions_are_refused_in_one_sentence() -> None:
    index = VectorIndex.build(blocks_of(np.arange(50), clustered(50)), 16)
    with pytest.raises(UsageError, match="length 16"):
        index.search(np.ones(8, np.float32), 1)
    with pytest.raises(UsageError, match="not finite"):
        index.add(np.array([99]), np.full((1, 16), np.nan, np.float32))
    with pytest.raises(UsageError, match="1 to"):
        index.search(np.ones(16, np.float32), 0)
    ids, near = index.search(np.ones(16, np.float32), 3, allowed=np.empty(0, np.int64))
    assert (ids < 0).all() and np.isneginf(near).all()


def test_a_vector_that_equals_the_mean_is_like_nothing() -> None:
    rows = np.concatenate([clustered(50), clustered(50).mean(axis=0, keepdims=True)])
    assert np.isfinite(unit(rows, rows[-1])).all()
    assert not unit(rows, rows[-1])[-1].any()
