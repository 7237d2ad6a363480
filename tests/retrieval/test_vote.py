"""The neighbours' vote: calibrated, shrunk, and silent where there is too little."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from retrieval.case_calibration import calibrate, patients
from retrieval.case_model import CaseEntry, Filters, Hit
from retrieval.cases import CaseBase
from retrieval.index import VectorIndex
from retrieval.index_model import FloatRows, Ids
from retrieval.vote import VoteRules, vote
from tests.retrieval.case_base_make import DIMENSION, ENCODER, entry

KINDS = ("cyst", "hemangioma", "metastasis")


def draw(count: int, seed: int, spread: float = 0.8) -> tuple[list[CaseEntry], FloatRows]:
    """Two lesions a patient, types in clusters that overlap."""
    rng = np.random.default_rng(seed)
    centres = np.eye(DIMENSION)[:3]
    kinds = rng.choice(3, p=(0.6, 0.3, 0.1), size=count)
    rows = centres[kinds] + spread * rng.normal(size=(count, DIMENSION)) + 4
    made = [
        entry(i, f"{seed}-{i // 2}", f"{seed}-{i // 2}", organ="liver", lesion_type=KINDS[kind])
        for i, kind in enumerate(kinds)
    ]
    return made, rows.astype(np.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> CaseBase:
    return CaseBase.create(tmp_path_factory.mktemp("vote") / "base", ENCODER, [draw(500, 1)])


def hits(base: CaseBase, row: FloatRows, k: int = 20) -> list[Hit]:
    return base.search(row, k, encoder=ENCODER, exclude_patient=None, exclude_scan=None, filters=Filters(organ="liver"))


@pytest.mark.slow
def test_the_vote_is_calibrated_on_new_patients_and_better_than_the_prior(base: CaseBase) -> None:
    fit = base.calibration
    assert fit is not None and fit.samples == 500 and fit.patients == 250
    assert fit.log_loss < fit.prior_log_loss - 0.05
    entries, rows = draw(400, 2)
    votes = [vote(hits(base, row), fit, "liver") for row in rows]
    truth = [one.lesion_type for one in entries]
    loss = -np.mean([np.log(one.probabilities[kind]) for one, kind in zip(votes, truth, strict=True)])
    assert loss == pytest.approx(fit.log_loss, abs=0.1)
    sure = np.array([max(one.probabilities.values()) for one in votes])
    right = np.array([next(iter(one.probabilities)) == kind for one, kind in zip(votes, truth, strict=True)])
    assert sure.mean() == pytest.approx(right.mean(), abs=0.08)
    assert all(sum(one.probabilities.values()) == pytest.approx(1) for one in votes)


def test_vectors_that_tell_nothing_leave_the_prior(tmp_path: Path) -> None:
    entries, rows = draw(300, 1)
    noise = np.random.default_rng(5).normal(size=rows.shape).astype(np.float32)
    with CaseBase.create(tmp_path / "base", ENCODER, [(entries, noise)]) as base:
        found = vote(hits(base, noise[0] * 1.3), base.calibration, "liver")
    for name, share in found.prior.items():
        assert found.probabilities[name] == pytest.approx(share, abs=0.25)


def test_a_lesion_unlike_the_base_is_out_of_distribution(tmp_path: Path) -> None:
    usual = draw(300, 1, spread=0.2)
    with CaseBase.create(tmp_path / "base", ENCODER, [usual]) as base:
        rows = (usual[1].mean(axis=0) + 30 * np.eye(DIMENSION, dtype=np.float32)[7], draw(9, 3, spread=0.2)[1][0])
        away, near = (vote(hits(base, row), base.calibration) for row in rows)
    assert (away.in_distribution, near.in_distribution) == (False, True)
    assert away.nearest is not None and near.nearest is not None and away.nearest < near.nearest


def test_too_few_cases_do_not_vote(base: CaseBase, tmp_path: Path) -> None:
    some = hits(base, draw(9, 3)[1][0])
    few = vote(some[:4], base.calibration)
    assert (few.state, few.probabilities, few.neighbours) == ("too few cases", {}, 4)
    same = [Hit(one.entry.model_copy(update={"patient": "one"}), one.similarity) for one in some]
    assert vote(same, base.calibration).state == "too few cases"
    assert vote(same, base.calibration, rules=VoteRules(min_patients=1)).state == "voted"
    assert vote([], None).state == "too few cases"
    with CaseBase.create(tmp_path / "base", ENCODER, [draw(12, 1)]) as small:
        assert small.calibration is None


def test_near_duplicates_do_not_vote_and_a_patient_counts_once(base: CaseBase) -> None:
    some = hits(base, draw(9, 3)[1][0])[:6]
    twins = [Hit(some[0].entry.model_copy(update={"patient": "twin"}), 0.99999, near_duplicate=True)] * 9
    assert vote([*twins, *some], base.calibration) == vote(some, base.calibration)
    cyst, other = (entry(900, lesion_type=kind, patient=kind) for kind in ("cyst", "metastasis"))
    rules = VoteRules(min_neighbours=1, min_patients=1)
    once = vote([Hit(cyst, 0.9), Hit(other, 0.9)], base.calibration, rules=rules)
    often = vote([Hit(cyst, 0.9)] * 5 + [Hit(other, 0.9)], base.calibration, rules=rules)
    assert often.probabilities["metastasis"] == pytest.approx(once.probabilities["metastasis"])


def test_who_has_a_near_duplicate_does_not_vote_with_other_lesions(base: CaseBase) -> None:
    some = hits(base, draw(9, 3)[1][0])[:6]
    twin = Hit(entry(901, patient="twin"), 0.99999, near_duplicate=True)
    theirs = Hit(entry(902, patient="twin", lesion_type="metastasis"), 0.9)
    assert vote([twin, theirs, *some], base.calibration) == vote(some, base.calibration)


def _once(rows: FloatRows) -> Iterator[tuple[Ids, FloatRows]]:
    yield np.arange(len(rows)), rows


def test_how_good_the_vote_is_was_measured_on_patients_outside_of_the_fit() -> None:
    """On vectors that tell nothing, a fit judged on itself looks better than the prior; a fair one cannot."""
    gains = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        people = [(i, f"p{i}", f"s{i}", "liver", KINDS[rng.integers(3)], "portal") for i in range(24)]
        rows = rng.normal(size=(24, DIMENSION)).astype(np.float32)
        blocks = partial(_once, rows)
        fit = calibrate(people, VectorIndex.build(blocks, DIMENSION), blocks)
        assert fit is not None
        gains.append(fit.prior_log_loss - fit.log_loss)
    assert np.mean(gains) < 0


def test_the_vote_is_fitted_to_neighbours_of_the_same_phase() -> None:
    """Types that look alike in one phase as others do in the other: only within a phase do neighbours tell them."""
    rng = np.random.default_rng(3)
    people, rows = [], []
    for i in range(80):
        kind, phase = i % 2, ("portal", "arterial")[i // 2 % 2]
        people.append((i, f"p{i}", f"s{i}", "liver", KINDS[kind], phase))
        rows.append(rng.normal((kind == (phase == "portal")) * 8 - 4, 1, DIMENSION))
    blocks = partial(_once, np.array(rows, dtype=np.float32))
    fit = calibrate(people, VectorIndex.build(blocks, DIMENSION), blocks)
    assert fit is not None and fit.accuracy > 0.95


def test_more_neighbours_move_further_from_the_prior(base: CaseBase) -> None:
    rules = VoteRules(min_neighbours=1, min_patients=1)
    shares = [
        vote(
            [Hit(entry(i, f"q{i}", lesion_type="metastasis"), 0.8) for i in range(count)], base.calibration, rules=rules
        ).probabilities["metastasis"]
        for count in (1, 4, 15)
    ]
    assert shares == sorted(shares) and shares[0] > vote([], base.calibration).prior.get("metastasis", 0.0)


def test_patients_who_share_a_scan_are_one() -> None:
    rows = [(1, "a", "s1"), (2, "b", "s1"), (3, "b", "s2"), (4, "c", "s3")]
    found = patients([(*one, "", "x", "") for one in rows])
    assert found[1] == found[2] == found[3] != found[4]
