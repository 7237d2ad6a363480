"""Zips: scans inside are read, and nothing unsafe is opened or written."""

from __future__ import annotations

import stat
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from agent.errors import ScanError, SeriesChoiceError
from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu, refused, write_nifti
from tools.readers import ReadLimits, read_scan


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_zipped_nifti_and_a_zipped_series_read_as_unzipped(tmp_path: Path) -> None:
    hu = body_hu()
    for name in ("ct.nii", "ct.nii.gz"):
        data = write_nifti(tmp_path / name, hu).read_bytes()
        path = packed(tmp_path / f"{name}.zip", {f"case/{name}": data, "README.txt": b"hello", "in.zip": b"PK\3\4"})
        assert np.array_equal(read_scan(path).hu, hu)
    files = write_ct_series(tmp_path / "s", hu)
    path = packed(tmp_path / "s.zip", {f"DICOM/{file.name}": file.read_bytes() for file in files})
    assert np.array_equal(read_scan(path).hu, read_scan(tmp_path / "s").hu)


def test_several_scans_in_one_zip_are_not_guessed_at(tmp_path: Path) -> None:
    data = write_nifti(tmp_path / "ct.nii", body_hu()).read_bytes()
    with pytest.raises(ScanError, match="2 NIfTI"):
        read_scan(packed(tmp_path / "two.zip", {"a.nii": data, "b.nii": data}))
    files = write_ct_series(tmp_path / "s", body_hu()) + write_ct_series(tmp_path / "t", body_hu())
    path = packed(tmp_path / "st.zip", {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files})
    with pytest.raises(SeriesChoiceError):
        read_scan(path)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil", "\\\\host\\x"])
def test_entries_outside_of_the_zip_are_refused(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "deep" / "er"
    inside.mkdir(parents=True)
    data = write_nifti(inside / "ct.nii", body_hu()).read_bytes()
    path = packed(inside / "x.zip", {"ct.nii": data, name: b"evil"})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ScanError, match="outside") as caught:
        read_scan(path)
    refused(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_links_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link.nii")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ScanError, match="symbolic link"):
        read_scan(tmp_path / "x.zip")


def test_bombs_are_refused_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    bomb = packed(tmp_path / "bomb.zip", {f"{n}": bytes(20_000_000) for n in range(4)})
    with pytest.raises(ScanError, match="bomb"):
        read_scan(bomb)
    with pytest.raises(ScanError, match="limit of 10 MiB"):
        read_scan(bomb, limits=ReadLimits(max_zip_bytes=10 << 20))
    with pytest.raises(ScanError, match="limit of 3"):
        read_scan(bomb, limits=ReadLimits(max_files=3))
    assert time.monotonic() - start < 5


def test_a_directory_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    data = write_nifti(tmp_path / "ct.nii", body_hu()).read_bytes()
    path = packed(tmp_path / "x.zip", {"ct.nii": data})
    raw = path.read_bytes()
    for at in (raw.index(b"PK\x01\x02") + 24, 22):
        raw = raw[:at] + struct.pack("<I", 2000) + raw[at + 4 :]
    path.write_bytes(raw)
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    refused(caught.value)


def test_damaged_encrypted_and_useless_zips_are_refused(tmp_path: Path) -> None:
    data = write_nifti(tmp_path / "ct.nii", body_hu((64, 64, 12))).read_bytes()
    good = packed(tmp_path / "x.zip", {"ct.nii": data}).read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    locked = bytearray(good)
    locked[good.index(b"PK\x01\x02") + 8] |= 1
    bad = {
        "cut.zip": good[:-200],
        "flipped.zip": bytes(flipped),
        "locked.zip": bytes(locked),
        "text.zip": packed(tmp_path / "t.zip", {"a.txt": b"hello"}).read_bytes(),
        "none.zip": packed(tmp_path / "n.zip", {}).read_bytes(),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ScanError) as caught:
            read_scan(tmp_path / name)
        refused(caught.value)
