"""What the user did wrong ends in one sentence and exit code 2, within seconds and one gigabyte."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import FileDataset

from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu, write_nifti

pytestmark = pytest.mark.slow

SECONDS = 60.0
"""Generous for a loaded machine; a command that waits for something never ends by itself."""
MEGABYTES = 1024

Case = tuple[list[str], str]
"""Arguments after ``ask``'s question, and a word that the sentence must hold."""


def _truncated(folder: Path) -> Case:
    good = write_nifti(folder / "good.nii.gz", body_hu())
    data = good.read_bytes()
    (folder / "bad.nii.gz").write_bytes(data[: len(data) // 2])
    return [str(folder / "bad.nii.gz")], "truncated"


def _text(folder: Path) -> Case:
    (folder / "bad.nii.gz").write_text("This is not an image.")
    return [str(folder / "bad.nii.gz")], "bad.nii.gz"


def _missing(folder: Path) -> Case:
    return [str(folder / "nothing.nii.gz")], "nothing.nii.gz"


def _mr(folder: Path) -> Case:
    def magnetic(dataset: FileDataset, _: int) -> None:
        dataset.Modality = "MR"

    write_ct_series(folder / "mr", body_hu(), edit=magnetic)
    return [str(folder / "mr")], "MR"


def _four_dimensional(folder: Path) -> Case:
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8, 3), np.int16), np.eye(4)), folder / "bad.nii.gz")
    return [str(folder / "bad.nii.gz")], "4"


def _nan(folder: Path) -> Case:
    voxels = body_hu().astype(np.float32)
    voxels[3, 3, 3] = np.nan
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / "bad.nii.gz")
    return [str(folder / "bad.nii.gz")], "NaN"


def _zero_spacing(folder: Path) -> Case:
    good = write_nifti(folder / "good.nii", body_hu())
    data = bytearray(good.read_bytes())
    data[80:84] = struct.pack("<f", 0.0)
    (folder / "bad.nii").write_bytes(data)
    return [str(folder / "bad.nii")], "spacing"


def _huge_claim(folder: Path) -> Case:
    good = write_nifti(folder / "good.nii", body_hu())
    data = bytearray(good.read_bytes())
    data[40:48] = struct.pack("<4h", 3, 10_000, 10_000, 10_000)
    (folder / "bad.nii.gz").write_bytes(gzip.compress(bytes(data)))
    return [str(folder / "bad.nii.gz")], "10000"


def _zip_bomb(folder: Path) -> Case:
    with zipfile.ZipFile(folder / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(8):
            archive.writestr(f"scan{number}.dcm", bytes(200 * 2**20))
    return [str(folder / "bad.zip")], "zip"


def _traversal(folder: Path) -> Case:
    good = write_nifti(folder / "good.nii.gz", body_hu())
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        archive.write(good, "../../escaped.nii.gz")
    return [str(folder / "bad.zip")], "outside"


def _empty_labels(folder: Path) -> Case:
    scan = write_nifti(folder / "good.nii.gz", body_hu())
    image = nib.nifti1.Nifti1Image.from_filename(scan)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), folder / "labels.nii.gz")
    return [str(scan), "--labels", str(folder / "labels.nii.gz")], "labels.nii.gz"


def _labels_elsewhere(folder: Path) -> Case:
    scan = write_nifti(folder / "good.nii.gz", body_hu())
    image = nib.nifti1.Nifti1Image.from_filename(scan)
    affine = np.array(image.affine)
    affine[:3, 3] += 5000
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), affine), folder / "labels.nii.gz")
    return [str(scan), "--labels", str(folder / "labels.nii.gz")], "overlap"


def _unknown_class_map(folder: Path) -> Case:
    scan = write_nifti(folder / "good.nii.gz", body_hu())
    image = nib.nifti1.Nifti1Image.from_filename(scan)
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), image.affine), folder / "labels.nii.gz")
    return [str(scan), "--labels", str(folder / "labels.nii.gz"), "--class-map", "no-such-map"], "no-such-map"


def _several_series(folder: Path) -> Case:
    write_ct_series(folder / "two", body_hu())
    write_ct_series(folder / "two" / "more", body_hu(), series_uid="1.2.3.4.5")
    return [str(folder / "two")], "--series"


def _bad_patient(folder: Path) -> Case:
    return [str(write_nifti(folder / "good.nii.gz", body_hu())), "--patient", "sixty-three"], "--patient"


KINDS: list[Callable[[Path], Case]] = [
    _truncated, _text, _missing, _mr, _four_dimensional, _nan, _zero_spacing, _huge_claim, _zip_bomb, _traversal,
    _empty_labels, _labels_elsewhere, _unknown_class_map, _several_series, _bad_patient,
]  # fmt: skip

_DRIVER = """
import re
from pathlib import Path
from agent.cli import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text()
    Path({peak!r}).write_text(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__.strip("_"))
def test_bad_input_is_one_sentence(make: Callable[[Path], Case], tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    arguments, word = make(inputs)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    peak = tmp_path / "peak.txt"
    driver = _DRIVER.format(peak=str(peak))
    done = subprocess.run(
        [sys.executable, "-c", driver, "ask", arguments[0], "liver volume?", *arguments[1:], "--json"],
        env={**os.environ, "TUMORTRACE_HOME": str(tmp_path / "home"), "TUMORTRACE_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert first.startswith("Error: ")
    assert word.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert len(first) < 600
    assert int(peak.read_text()) / 1024 < MEGABYTES
    peak.unlink()
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before, "something was written"


def test_good_input_passes_the_same_way(tmp_path: Path) -> None:
    """The check above can fail: a good scan is answered through the same driver."""
    scan = write_nifti(tmp_path / "good.nii.gz", body_hu())
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", "ask", str(scan), "liver volume?", "--json"],
        env={**os.environ, "TUMORTRACE_HOME": str(tmp_path / "home"), "TUMORTRACE_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["schema"] == "tumortrace.report/1"
    assert report["answer"]["state"] == "not_assessed"
