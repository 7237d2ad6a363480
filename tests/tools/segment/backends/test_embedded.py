"""The embedded segmenter: what it offers was shown, it sees phantoms whatever their axes, and it refuses real scans."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli import build_app
from evals.embedded.classes import NETWORKS
from evals.phantom import Phantom, make_phantom
from evals.phantom_io import write_phantom
from evals.phantom_options import PhantomOptions
from tests.real import real
from tools.array_store import ArrayStore
from tools.segment.backends.embedded import (
    BACKEND,
    LEAST_DICE,
    HeldOut,
    Recorded,
    all_classes,
    embedded_record,
    give_to_organ,
    network_names,
    record,
    shown_classes,
    weights,
)
from tools.segment.catalogue import unfit
from tools.segment.engine import EngineSettings
from tools.segment.workshop import Workshop
from tools.volume import Scan, ScanHeader, to_canonical


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomOptions(seed=41, spacing=(4.0, 4.0, 4.0)))


def _scan(phantom: Phantom, order: tuple[int, ...] = (0, 1, 2), flips: tuple[int, ...] = ()) -> Scan:
    affine = phantom.affine @ np.eye(4)[[*order, 3]].T
    hu = np.transpose(phantom.hu, order)
    for axis in flips:
        turn = np.eye(4)
        turn[axis, axis], turn[axis, 3] = -1, hu.shape[axis] - 1
        hu, affine = np.flip(hu, axis), affine @ turn
    found, grid, orientation = to_canonical(hu, affine)
    return Scan(found, grid, orientation, ScanHeader("phantom", synthetic=True))


def test_weights_are_those_of_the_record_and_small() -> None:
    assert set(network_names()) == set(NETWORKS)
    for name in network_names():
        assert record(name).classes == NETWORKS[name].classes, "the record is of another network"
        assert weights(name).startswith(b"\x08"), "no ONNX"
    assert sum(len(weights(name)) for name in network_names()) < 8_000_000


def test_only_what_was_shown_on_unseen_phantoms_is_offered(tmp_path: Path) -> None:
    for offer in BACKEND.offers(EngineSettings(cache=tmp_path)):
        dice = embedded_record(offer.task)["held_out"]["dice"]
        assert offer.classes, "it offers nothing at all"
        for ident in all_classes(record(offer.task)):
            assert (dice.get(ident, 0.0) >= LEAST_DICE) == (ident in offer.classes), ident
        assert offer.synthetic_only and offer.phases == tuple(NETWORKS[offer.task].phases)


def _about(**dice: float) -> Recorded:
    return record("abdomen").model_copy(update={"held_out": HeldOut(dice=dice)})


def test_lesions_whose_type_is_not_seen_count_as_lesions() -> None:
    about = _about(liver=0.9, liver_lesion=0.7, liver_cyst=0.8, liver_hcc=0.2, liver_metastasis=0.1)
    shown = shown_classes(about)
    assert set(shown) == {"liver", "liver_lesion", "liver_cyst"}
    assert set(shown["liver_lesion"]) == {"liver_lesion", "liver_hcc", "liver_hemangioma", "liver_metastasis"}
    assert shown["liver_cyst"] == ("liver_cyst",)


def test_lesions_that_nobody_sees_do_not_make_holes() -> None:
    labels = np.arange(6, dtype=np.uint8).reshape(1, 1, 6)
    names = {1: "liver", 2: "liver_cyst", 3: "liver_hcc", 4: "pancreas", 5: "colon_cancer"}
    give_to_organ(labels, names, {"liver", "pancreas", "liver_cyst"})
    assert labels.tolist() == [[[0, 1, 2, 1, 4, 5]]], "a cyst that is wanted stays, and a colon that is not there too"


def test_the_training_is_recorded() -> None:
    for name in network_names():
        told = embedded_record(name)
        assert told["parameters"] < 2_000_000
        assert told["held_out"]["phantoms"] >= 3 and told["held_out"]["first_seed"] < 1_000_000


@pytest.mark.slow
def test_a_real_scan_is_refused(phantom: Phantom, tmp_path: Path) -> None:
    scan = _scan(phantom)
    taken = replace(scan, header=ScanHeader("nifti"))
    for offer in BACKEND.offers(EngineSettings(cache=tmp_path)):
        assert unfit(offer, scan, None) is None
        assert unfit(offer, taken, None) == "is valid for synthetic scans only"


@pytest.mark.slow
def test_a_phantom_is_seen_the_same_whatever_its_axes(phantom: Phantom, tmp_path: Path) -> None:
    workshop = Workshop(EngineSettings(cache=tmp_path), ArrayStore(tmp_path), engines=("embedded",))
    truth, _, _ = to_canonical(phantom.labels, phantom.affine)
    offer = workshop.offer("embedded", "organs")
    wanted = ("liver", "spleen", "kidney_left", "kidney_right", "stomach")
    for order, flips in (((0, 1, 2), ()), ((2, 0, 1), (0, 2))):
        _, masks = workshop.masks(_scan(phantom, order, flips), offer, tuple(offer.classes))
        for name in wanted:
            region = masks.region(masks.entries[name])
            assert region is not None
            seen = np.zeros(truth.shape, bool)
            seen[region.box] = region.mask
            lesions = [value for key, value in phantom.names.items() if key.startswith(name.split("_")[0])]
            there = np.isin(truth, lesions) if name == "liver" else truth == phantom.names[name]
            dice = 2 * np.count_nonzero(there & seen) / (np.count_nonzero(there) + np.count_nonzero(seen))
            assert dice > 0.8, (name, order)


@pytest.mark.slow
def test_a_raw_phantom_is_measured_and_a_raw_real_scan_is_not_assessed(
    phantom: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "CACHE"):
        monkeypatch.setenv(f"TUMORTRACE_{name}", str(tmp_path / name.lower()))
    files = write_phantom(phantom, tmp_path / "phantom")
    question = "What is the volume of the spleen?"
    made = CliRunner().invoke(build_app("ask"), ["ask", str(files.scan), question, "--segment", "embedded", "--json"])
    assert made.exit_code == 0, made.output
    answer = json.loads(made.stdout)["answer"]
    true = np.count_nonzero(phantom.labels == phantom.names["spleen"]) * 0.064
    assert answer["state"] == "measured" and abs(answer["value"] - true) < 0.15 * true
    scan = real("abdomen-native", "ct.nii.gz")
    made = CliRunner().invoke(build_app("ask"), ["ask", str(scan), question, "--segment", "embedded", "--json"])
    answer = json.loads(made.stdout)["answer"]
    assert answer["state"] == "not_assessed" and "synthetic scans only" in answer["text"]
