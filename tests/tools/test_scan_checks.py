"""Scan checks: every property is evidence, with its limits in words."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu, write_nifti
from tools.readers import read_scan
from tools.scan_checks import check_scan, slice_spacing
from tools.types import Evidence, State
from tools.volume import Scan

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
ROOT = Path(__file__).resolve().parents[2]


def checks(scan: Scan) -> dict[str, Evidence]:
    evidence = check_scan(scan)
    assert all(item.target == "scan" and item.method and item.id == item.expected_id() for item in evidence)
    return {item.quantity: item for item in evidence}


def nifti(tmp_path: Path, hu: Any = None, spacing: tuple[float, ...] = (1.5, 1.5, 3.0)) -> Scan:
    return read_scan(write_nifti(tmp_path / "a.nii", body_hu() if hu is None else hu, np.diag([*spacing, 1])))


def test_a_nifti_leaves_open_what_it_does_not_say(tmp_path: Path) -> None:
    found = checks(nifti(tmp_path, spacing=(0.98, 0.98, 2.0)))
    for name in ("modality", "slice_thickness", "uneven_slices", "contrast_header", "phase_header"):
        assert found[name].state is State.NOT_ASSESSED
        assert found[name].value is None
        assert found[name].reason
    assert found["hu_plausible"].value is True
    assert found["padding"].state is State.ABSENT
    assert found["spacing"].value == "0.98 × 0.98 × 2.00"
    assert found["spacing"].reason is None
    assert found["orientation"].value == "RAS"
    assert found["metal"].value is False


def test_coarse_slices_are_a_limit_in_every_order_of_axes(tmp_path: Path) -> None:
    found = checks(nifti(tmp_path, spacing=(0.8, 0.8, 5.0)))
    assert "5.0 mm apart" in str(found["slice_spacing"].reason)
    for axes in itertools.permutations(range(3)):
        order = np.array([[axis, -1] for axis in axes], dtype=float)
        hu = nib.orientations.apply_orientation(body_hu(), order)
        affine = np.diag([0.8, 0.8, 5.0, 1]) @ nib.orientations.inv_ornt_aff(order, body_hu().shape)
        other = checks(read_scan(write_nifti(tmp_path / "b.nii", hu, affine)))
        assert other["slice_spacing"].value == found["slice_spacing"].value == 5.0
        assert other["spacing"].value == found["spacing"].value


def test_a_series_says_more(tmp_path: Path) -> None:
    def edit(dataset: Any, k: int) -> None:
        dataset.ContrastBolusAgent = "Ultravist"
        dataset.SeriesDescription = "arterial"

    write_ct_series(tmp_path, body_hu(), step=(0.0, 1.0, 3.0), edit=edit)
    found = checks(read_scan(tmp_path))
    assert found["modality"].value == "CT"
    assert found["slice_thickness"].value == 4.0
    assert "overlap" in str(found["slice_thickness"].reason)
    assert found["gantry_tilt"].value == pytest.approx(18.43, abs=0.01)
    assert found["slice_spacing"].value == pytest.approx(3.0)
    assert found["uneven_slices"].value == 0.0
    assert found["contrast_header"].value is True
    assert found["phase_header"].value == "arterial"


def test_metal_is_found_above_its_minimum_volume(tmp_path: Path) -> None:
    hu = body_hu((40, 40, 20))
    hu[10, 10, 3:9] = 3071
    assert checks(nifti(tmp_path, hu))["metal"].value is False, "6 voxels of 6.75 mm³ are below 50 mm³"
    hu[11, 11, 4:12] = 3071
    scan = nifti(tmp_path, hu)
    metal = checks(scan)["metal"]
    assert metal.value is True
    assert (metal.details["first_slice"], metal.details["last_slice"]) == (3, 11)
    assert metal.details["saturated"] is True
    flipped = np.ascontiguousarray(hu[:, :, ::-1])
    moved = read_scan(write_nifti(tmp_path / "b.nii", flipped, np.diag([1.5, 1.5, -3.0, 1])))
    other = checks(moved)["metal"]
    assert (other.details["first_slice"], other.details["last_slice"]) == (8, 16)
    assert metal.slice is not None
    assert other.slice == 19 - metal.slice


def test_a_clipped_scan_cannot_show_metal(tmp_path: Path) -> None:
    found = checks(nifti(tmp_path, body_hu((64, 64, 8)).clip(-200, 40)))
    assert found["metal"].state is State.NOT_ASSESSED
    assert "cut off" in str(found["hu_plausible"].reason)


def test_padding_is_counted(tmp_path: Path) -> None:
    hu = body_hu((64, 64, 8))
    hu[:8] = -2000
    padding = checks(nifti(tmp_path, hu))["padding"]
    assert padding.value == -2000
    assert str(padding.reason).startswith("voxels of -2000 HU lie outside of the reconstruction")
    assert padding.details["fraction"] == 0.125


def test_a_wrong_scale_is_reported_too(tmp_path: Path) -> None:
    scan = nifti(tmp_path)
    found = checks(dataclasses.replace(scan, hu=scan.hu + np.int16(1024)))
    assert found["hu_plausible"].value is False
    assert found["hu_plausible"].reason


def test_spacing_of_a_sheared_grid_is_that_of_its_planes(tmp_path: Path) -> None:
    sheared = np.array([[1, 0, 0, 0], [0, 1, 2, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    assert slice_spacing(read_scan(write_nifti(tmp_path / "a.nii", body_hu(), sheared))) == pytest.approx(3)


@pytest.mark.slow
@pytest.mark.realdata
def test_real_scans() -> None:
    if not DATA.exists():
        pytest.skip("needs ../shared/data")
    padded = checks(read_scan(DATA / "liver-metastases" / "ct.nii.gz"))
    assert padded["padding"].value == -3024
    assert padded["padding"].details["voxels"] == 2286652
    assert padded["slice_spacing"].value == 5.0
    assert padded["metal"].value is False
    series = checks(read_scan(DATA / "abdomen-contrast-dicom" / "series"))
    assert series["slice_spacing"].value == 2.0
    assert series["slice_thickness"].value == 3.0
    assert series["contrast_header"].value is True


# The high-water mark of the process itself: getrusage would count what the parent had before the fork.
BIG = """
import re, sys
from pathlib import Path
from tools.readers import read_scan
from tools.scan_checks import check_scan
scan = read_scan(Path(sys.argv[1]))
check_scan(scan)
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
sys.stdout.write(f"{peak} {scan.hu.dtype}")
"""


@pytest.mark.slow
def test_a_big_scan_stays_within_memory(tmp_path: Path) -> None:
    """512 × 512 × 300 voxels of int16 (157 MB): one copy, and temporaries of some 100 MB."""
    hu = np.tile(body_hu((64, 64, 20)), (8, 8, 15))
    path = write_nifti(tmp_path / "big.nii", hu.transpose(1, 0, 2))
    del hu
    done = subprocess.run([sys.executable, "-c", BIG, str(path)], capture_output=True, text=True, check=True, cwd=ROOT)
    peak, dtype = done.stdout.split()
    assert dtype == "int16"
    assert int(peak) < 600_000
