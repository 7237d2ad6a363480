"""The HU scale: what was not rescaled, rescaled twice, or normalised is refused; every kind of CT crop passes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import ScanError
from tests.scan_make import body_hu, refused, write_nifti
from tools.histogram import histogram
from tools.hu_scale import judge_scale
from tools.padding import find_padding
from tools.readers import read_scan

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
BODY = body_hu((64, 64, 10)).astype(np.float32)
RNG = np.random.default_rng(3)


def noise(mean: float, sd: float) -> NDArray[np.float64]:
    return np.rint(RNG.normal(mean, sd, (32, 32, 10)))


REFUSED = {
    "constant": (np.full((8, 8, 8), 40.0), "same value"),
    "unit range": ((BODY + 1024) / 2000, "normalised"),
    "z-scores": ((BODY - BODY.mean()) / BODY.std(), "normalised"),
    "stored values": (BODY + 1024, "stored values"),
    "stored values with padding": (np.where(np.arange(64)[:, None, None] < 4, -2000, BODY + 1024), "stored values"),
    "stored values with noise below zero": (BODY + 1010, "slope and intercept"),
    "unsigned 8 bit": ((BODY.clip(-200, 300) + 200) / 500 * 255 // 1, "negative"),
    "rescaled twice": (BODY - 1024, "twice"),
    "rescaled twice with padding": (np.where(np.arange(64)[:, None, None] < 4, -4048, BODY - 1024), "twice"),
    "another offset": (BODY + 8192, "negative|above"),
    "magnetic resonance": (np.abs(noise(300, 150)), "negative"),
}
ACCEPTED = {
    "body": BODY,
    "air at -880": noise(-880, 30) * (np.arange(10) < 5) + noise(40, 20) * (np.arange(10) >= 5),
    "soft tissue and fat only": noise(40, 20) * (np.arange(10) < 7) + noise(-100, 20) * (np.arange(10) >= 7),
    "brain": noise(30, 12),
    "clipped to full range": BODY.clip(-1024, 3071),
    "clipped to a window": BODY.clip(-200, 300),
    "lung": noise(-850, 60) * (np.arange(10) < 9) + noise(20, 30) * (np.arange(10) >= 9),
    "sharp kernel": BODY + noise(0, 60)[0, 0, 0] + np.random.default_rng(1).normal(0, 60, BODY.shape),
    "much bone": noise(60, 40) * (np.arange(10) < 5) + noise(900, 200) * (np.arange(10) >= 5) - 60,
}


def judge(hu: NDArray[np.generic]) -> tuple[str | None, tuple[str, ...]]:
    counts = histogram(hu)
    scale = judge_scale(counts, find_padding(hu, counts, None)[0])
    assert scale.plausible == (scale.problem is None)
    return scale.problem, scale.limits


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_in_hu_is_refused(tmp_path: Path, name: str) -> None:
    hu, says = REFUSED[name]
    with pytest.raises(ScanError, match=says) as caught:
        read_scan(write_nifti(tmp_path / "scan.nii.gz", hu.astype(np.float32)))
    assert "scan.nii.gz" in refused(caught.value)


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_kind_of_ct_passes(name: str) -> None:
    problem, limits = judge(ACCEPTED[name].astype(np.float32))
    assert problem is None
    assert any("cut off" in limit for limit in limits) == (name == "clipped to a window"), limits
    assert any("cannot be confirmed" in limit for limit in limits) == (name == "brain"), limits


def test_a_clipped_scan_carries_a_note(tmp_path: Path) -> None:
    scan = read_scan(write_nifti(tmp_path / "a.nii", BODY.clip(-200, 60)))
    assert any("below -200 and above 60 HU" in note for note in scan.header.notes)


@pytest.mark.slow
@pytest.mark.realdata
def test_real_scans_pass_and_their_mistreated_copies_do_not() -> None:
    paths = sorted(DATA.glob("*/ct.nii.gz")) + sorted(DATA.glob("sarcoma/*/ct.nii.gz"))
    if not paths:
        pytest.skip("needs ../shared/data")
    for path in paths:
        scan = read_scan(path)
        assert not scan.header.notes, path
        hu = scan.hu if scan.padding is None else np.where(scan.hu == scan.padding, -1000, scan.hu)
        for shift in (1024, -1024, 1000, 8192):
            assert judge(hu.astype(np.int32) + shift)[0] is not None, (path, shift)
        assert judge(hu.clip(-1024, 3000) / np.float32(1000))[0] is not None, path
        crops = [hu[a : a + 40, b : b + 40] for a in range(20, 100, 30) for b in range(20, 100, 30)]
        refused_crops = [crop for crop in crops if judge(crop)[0] is not None and (crop > -200).mean() > 0.02]
        assert not refused_crops, path
        assert dataclasses.is_dataclass(scan)
