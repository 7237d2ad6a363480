"""What the user did wrong ends in one sentence and exit code 2, within seconds and one gigabyte."""

from __future__ import annotations

import gzip
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import FileDataset

from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu, write_nifti

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0
"""Generous for a loaded machine, and for the driver's imports."""
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
    with zipfile.ZipFile(folder / "bad.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
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


@pytest.fixture(scope="module")
def commands() -> Iterator[subprocess.Popen[str]]:
    """Runs commands in forks of one process."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.agent.cli_driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        yield process
        assert process.stdin is not None
        process.stdin.close()


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str
    megabytes: float


def run(commands: subprocess.Popen[str], arguments: list[str], folder: Path) -> Done:
    """A command with folders of its own."""
    told = folder / "told"
    told.mkdir()
    environment = {"TUMORTRACE_HOME": str(folder / "home"), "TUMORTRACE_CACHE": str(folder / "cache")}
    task = {"arguments": arguments, "environment": environment, "folder": str(told)}
    assert commands.stdin is not None and commands.stdout is not None
    commands.stdin.write(json.dumps(task) + "\n")
    commands.stdin.flush()
    # A command that waits for something never ends by itself.
    assert select.select([commands.stdout], [], [], SECONDS)[0], "the command does not end"
    code = int(commands.stdout.readline())
    made = Done(code, (told / "out").read_text(), (told / "err").read_text(), int((told / "peak").read_text()) / 1024)
    shutil.rmtree(told)
    return made


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__.strip("_"))
def test_bad_input_is_one_sentence(
    make: Callable[[Path], Case], tmp_path: Path, commands: subprocess.Popen[str]
) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    arguments, word = make(inputs)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    done = run(commands, ["ask", arguments[0], "liver volume?", *arguments[1:], "--json"], tmp_path)
    assert done.code == 2, done.err
    assert done.out == ""
    first = done.err.splitlines()[0]
    assert first.startswith("Error: ")
    assert word.lower() in done.err.lower()
    assert "Traceback" not in done.err
    assert len(first) < 600
    assert 0 < done.megabytes < MEGABYTES
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before, "something was written"


def test_a_fault_shows_through_the_same_driver(tmp_path: Path, commands: subprocess.Popen[str]) -> None:
    """The checks above can fail: a good scan is answered, and a command that is none is refused in another way."""
    scan = write_nifti(tmp_path / "good.nii.gz", body_hu())
    done = run(commands, ["ask", str(scan), "liver volume?", "--json"], tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["answer"]["state"] == "not_assessed"
    assert (tmp_path / "home").is_dir()


def test_good_input_passes_the_same_way(tmp_path: Path) -> None:
    """As a user starts it: a process of its own."""
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
