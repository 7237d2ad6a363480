"""A scan that is too big to be shown whole: a coarse image first, full resolution around the crosshair on demand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from evals.phantom_io import label_table
from tests.browser.conftest import serving
from tests.browser.page_driver import Driver, Heard

pytestmark = pytest.mark.browser

SHAPE = (260, 240, 160)
"""Ten million voxels, of which a viewer gets a quarter at first."""


def _big(folder: Path) -> None:
    """A body with a liver in it and a bright speck of one voxel, which no coarse image shows as it is."""
    folder.mkdir(parents=True)
    i, j, k = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    body = ((i - 130) / 110.0) ** 2 + ((j - 120) / 90.0) ** 2 < 1
    liver = ((i - 170) / 50.0) ** 2 + ((j - 120) / 50.0) ** 2 + ((k - 90) / 50.0) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 8, SHAPE)
    hu = (np.where(body & (k >= 0), 0.0, -1000.0) + np.where(liver, 60.0, 0.0) + noise).astype(np.int16)
    hu[170, 120, 90] = 900
    affine = np.diag([1.2, 1.2, 2.0, 1.0])
    nib.save(nib.Nifti1Image(hu, affine), folder / "ct.nii.gz")
    labels = nib.Nifti1Image(liver.astype(np.uint8), affine)
    labels.header.extensions.append(nib.nifti1.Nifti1Extension(0, label_table({"liver": 1})))
    nib.save(labels, folder / "labels.nii.gz")


def test_a_big_scan_is_coarse_at_first_and_exact_on_demand(
    pages: Callable[[str], tuple[Driver, Heard]], tmp_path: Path, shots: Path | None
) -> None:
    _big(tmp_path / "scans" / "big")
    with serving(tmp_path / "scans", tmp_path / "state") as server:
        page, _ = pages(server.base)
        page.go()
        page.open_scan("ct.nii.gz")
        assert page.viewer()["level"] > 0
        assert "approximate" in page.at("part-note").inner_text()
        page.keep(shots, "big-coarse")
        turn = page.ask("What is the volume of the liver?")
        page.value(turn).click()
        page.until(lambda: page.viewer()["highlighted"] == ["liver"], "the liver stands out")
        before = page.viewer()["mm"]

        page.at("full-resolution").click()
        page.until(lambda: page.viewer()["level"] == 0 and page.viewer()["box"] is not None, "a part as it is")
        i0, i1, j0, j1, k0, k1 = page.viewer()["box"]
        at = [before[0] / 1.2, before[1] / 1.2, before[2] / 2.0]
        assert i0 <= at[0] <= i1 and j0 <= at[1] <= j1 and k0 <= at[2] <= k1
        assert page.viewer()["mm"] == pytest.approx(before, abs=1.3)
        page.keep(shots, "big-part")

        page.at("back-to-whole").click()
        page.until(lambda: page.viewer()["box"] is None and page.viewer()["level"] > 0, "the whole again")
        assert page.viewer()["mm"] == pytest.approx(before, abs=2.5)
