"""Building the embedded case base: who enters, that it is the same each time, and what its record says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from agent.errors import UsageError
from agent.library import embedded_base
from evals.embedded.case_base import MOST, RECORD, Candidate, build, candidates, chosen
from evals.embedded.case_base_record import figures
from evals.embedded.data import FIRST_SEED
from evals.phantom_tissue import CLASSES
from retrieval.case_files import MANIFEST
from retrieval.case_model import CaseEntry
from retrieval.cases import CaseBase
from retrieval.vote import Vote

COUNT = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Little phantoms: a liver with a cyst, of which the last one is cut off."""
    folder = tmp_path_factory.mktemp("phantoms")
    for number in range(COUNT):
        rng = np.random.default_rng(number)
        labels = np.zeros((36, 36, 24), np.uint8)
        labels[4:32, 4:32, 3:21] = CLASSES["liver"]
        low = 9 if number < COUNT - 1 else 0
        labels[12:19, 12:18, low : low + 6 - number] = CLASSES["liver_cyst"]
        hu = np.select([labels == CLASSES["liver_cyst"], labels > 0], [8.0, 100.0], -80.0) + rng.normal(
            0, 6, labels.shape
        )
        np.savez_compressed(folder / f"{FIRST_SEED + number}.npz", hu=hu.astype(np.float32), labels=labels)
    return folder


def test_the_same_phantoms_make_the_same_base(data: Path, tmp_path: Path) -> None:
    told = build([data], tmp_path / "one")
    assert build([data], tmp_path / "two") == told
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]
    assert json.loads(files[0][RECORD]) == told
    assert told["lesions"] == told["phantoms"] == COUNT - 1
    with CaseBase.open(tmp_path / "one") as base:
        assert base.manifest.synthetic_only
        assert base.stats().by["label_source"] == {"synthetic": COUNT - 1}
        assert base.stats().by["lesion_type"] == {"cyst": COUNT - 1}
        assert base.calibration is None
    assert MANIFEST in files[0]
    assert not any(name.startswith(".") for name in files[0])
    with pytest.raises(UsageError, match="no training phantoms"):
        candidates([tmp_path])


def test_kinds_and_phases_share_the_places(tmp_path: Path) -> None:
    rows = [
        Candidate(tmp_path / f"{seed}.npz", name, phase)
        for seed in range(30)
        for name in ("liver_cyst", "liver_hcc", "kidney_cyst_left")
        for phase in (("portal",) if seed % 10 else ("native",))
    ]
    taken = chosen(rows, 24)
    assert len(taken) == len(set(taken)) == 24
    counts = Counter(one.kind for one in taken)
    assert {kind: counts[kind] for kind in counts if kind[1] == "native"} == {
        (organ, "native"): 3 for organ in ("kidney cyst", "liver cyst", "liver hcc")
    }
    assert {count for kind, count in counts.items() if kind[1] == "portal"} == {5}
    assert taken == sorted(taken, key=lambda one: (one.seed, one.structure)) == chosen(rows, 24)
    assert len(chosen(rows, 1000)) == len(rows)


def test_figures_count_what_is_answered() -> None:
    def pair(truth: str, odds: float, *, inside: bool = True) -> tuple[CaseEntry, Vote]:
        entry = CaseEntry(
            id="x", patient="p", scan="s", structure="liver_cyst", lesion_type=truth, label_source="synthetic"
        )
        shares = {"cyst": odds, "hcc": 1 - odds}
        held = Vote(state="voted", probabilities=shares, neighbours=9, patients=9, in_distribution=inside)
        return entry, held

    silent = (pair("cyst", 0.9)[0], Vote(state="too few cases", neighbours=0, patients=0))
    told = figures([pair("cyst", 0.9), pair("hcc", 0.9), pair("cyst", 0.8, inside=False), silent])
    assert (told["lesions"], told["voted"], told["answered"]) == (4, 3, 0.5)
    assert told["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert told["accuracy_of_answered"] == 0.5
    assert told["out_of_distribution"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures([silent]) == {"lesions": 1, "voted": 0}


def test_the_stored_base_is_what_its_record_is_of() -> None:
    told = json.loads((embedded_base() / RECORD).read_text("utf-8"))
    with CaseBase.open(embedded_base()) as base:
        stats = base.stats()
    assert (told["lesions"], told["phantoms"], told["by"]) == (stats.entries, stats.patients, stats.by)
    assert told["lesions"] <= MOST
    assert told["phantoms"] >= 100
    assert told["encoder"] == stats.encoder.model_dump()
    assert set(told["by"]["organ"]) == {"liver", "kidney", "pancreas", "colon"}
    share = [told["masks"][name] / told["lesions"] for name in told["masks"] if name == "plain"]
    assert 0.4 < share[0] < 0.6
    left = told["left_out"]["same_phase"]
    assert left["all"]["accuracy_of_answered"] > 0.7
    assert left["liver"]["accuracy"] > 0.5
