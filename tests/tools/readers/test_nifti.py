"""NIfTI: every order of axes gives the same scan, every type the same HU, every broken file one sentence."""

from __future__ import annotations

import gzip
import itertools
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import ScanError
from tests.scan_make import body_hu, refused, write_nifti
from tools.readers import ReadLimits, read_scan
from tools.readers.buffer import HuBuffer

SHEARED = np.array([[1.2, 0.1, 0.2, -40], [-0.1, 0.9, 0.0, 12], [0.05, 0.1, 2.5, 7], [0, 0, 0, 1.0]])
ORDERS = [
    np.array([[axis, flip] for axis, flip in zip(axes, flips, strict=True)], dtype=float)
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]


def reordered(hu: NDArray[Any], affine: NDArray[Any], order: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    moved = nib.orientations.apply_orientation(hu, order)
    return moved, affine @ nib.orientations.inv_ornt_aff(order, hu.shape)


@pytest.mark.parametrize("affine", [np.diag([1.5, 1.25, 3.0, 1.0]), SHEARED], ids=["straight", "oblique"])
def test_all_48_orders_give_the_same_scan(tmp_path: Path, affine: NDArray[Any]) -> None:
    hu = body_hu()
    wanted = read_scan(write_nifti(tmp_path / "a.nii", hu, affine))
    assert np.array_equal(wanted.hu, hu)
    for number, order in enumerate(ORDERS):
        data, moved = reordered(hu, affine, order)
        scan = read_scan(write_nifti(tmp_path / f"{number}.nii", data, moved))
        assert scan.hu.flags.c_contiguous
        assert np.array_equal(scan.hu, wanted.hu)
        assert np.allclose(scan.grid.affine, wanted.grid.affine, atol=1e-4)
        assert scan.orientation.shape == data.shape
        assert scan.header.tilt_degrees == pytest.approx(wanted.header.tilt_degrees, abs=0.02)
        axis = int(np.flatnonzero(scan.orientation.transform[:, 0] == 2)[0])
        taken = np.take(data, scan.orientation.file_slice(4), axis=axis)
        assert np.array_equal(np.sort(taken.ravel()), np.sort(wanted.hu[:, :, 4].ravel()))


def test_canonical_order_costs_no_copy() -> None:
    for order in ORDERS:
        _, affine = reordered(np.zeros((3, 4, 5)), SHEARED, order)
        buffer = HuBuffer((3, 4, 5), affine)
        assert np.shares_memory(buffer._view, buffer.finish()[0])


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<i4", ">f4", "<f8", "<i8"])
def test_every_type_gives_the_same_int16(tmp_path: Path, kind: str) -> None:
    hu = body_hu()
    image = nib.Nifti1Image(hu.astype(kind), np.eye(4), nib.Nifti1Header(endianness=kind[0]), dtype=kind)
    nib.save(image, tmp_path / "a.nii.gz")
    scan = read_scan(tmp_path / "a.nii.gz")
    assert scan.hu.dtype == np.int16
    assert np.array_equal(scan.hu, hu)


def scaled(path: Path, stored: NDArray[Any], slope: float, inter: float) -> Path:
    image = nib.Nifti1Image(stored, np.eye(4), dtype=stored.dtype)
    image.header.set_slope_inter(slope, inter)
    with path.open("wb") as file:
        image.header["vox_offset"] = 352
        image.header["magic"] = b"n+1"
        file.write(image.header.binaryblock + b"\0\0\0\0" + stored.tobytes(order="F"))
    return path


def test_scaling_is_applied_exactly_once(tmp_path: Path) -> None:
    hu = body_hu()
    scan = read_scan(scaled(tmp_path / "a.nii", (hu + 1024).astype(np.uint16), 1.0, -1024.0))
    assert scan.hu.dtype == np.int16
    assert np.array_equal(scan.hu, hu)
    scan = read_scan(scaled(tmp_path / "b.nii", (hu.astype(np.int32) * 2 + 2048).astype(np.uint16), 0.5, -1024.0))
    assert np.array_equal(scan.hu, hu)
    halves = read_scan(scaled(tmp_path / "c.nii", ((hu.astype(np.int32) + 1024) * 2 + 1).astype("u2"), 0.5, -1024.0))
    assert halves.hu.dtype == np.float32
    assert np.array_equal(halves.hu, hu + np.float32(0.5))


def test_fractions_late_in_the_file_widen_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.readers.buffer.SLAB_VOXELS", 24 * 20 * 2)
    hu = body_hu().astype(np.float32)
    hu[3, 4, 9] += 0.25
    scan = read_scan(write_nifti(tmp_path / "a.nii.gz", hu))
    assert scan.hu.dtype == np.float32
    assert np.array_equal(scan.hu, hu)


def test_nifti2_and_four_dimensions_with_one_volume(tmp_path: Path) -> None:
    hu = body_hu()
    nib.save(nib.Nifti2Image(hu, np.eye(4)), tmp_path / "two.nii.gz")
    assert np.array_equal(read_scan(tmp_path / "two.nii.gz").hu, hu)
    scan = read_scan(write_nifti(tmp_path / "a.nii", hu[..., None]))
    assert np.array_equal(scan.hu, hu)
    assert any("three-dimensional" in note for note in scan.header.notes)


def with_header(path: Path, data: NDArray[Any] | None = None, **fields: Any) -> Path:
    """NIfTI whose header fields were overwritten after it was made."""
    image = nib.Nifti1Image(body_hu() if data is None else data, np.diag([1.5, 1.5, 3, 1]))
    image.header["vox_offset"] = 352
    image.header["magic"] = b"n+1"
    for name, value in fields.items():
        image.header[name] = value
    path.write_bytes(image.header.binaryblock + b"\0" * 4 + np.asarray(image.dataobj).tobytes(order="F"))
    return path


def test_orientation_that_is_missing_or_doubtful_is_noted(tmp_path: Path) -> None:
    scan = read_scan(with_header(tmp_path / "a.nii", qform_code=0, sform_code=0))
    assert any("left and right" in note for note in scan.header.notes)
    scan = read_scan(with_header(tmp_path / "b.nii", qform_code=1, sform_code=1, qoffset_x=30))
    assert any("sform" in note for note in scan.header.notes)
    assert not read_scan(with_header(tmp_path / "c.nii")).header.notes


def test_metres_become_millimetres(tmp_path: Path) -> None:
    image = nib.Nifti1Image(body_hu(), np.diag([0.0015, 0.0015, 0.003, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "a.nii")
    assert read_scan(tmp_path / "a.nii").grid.spacing == pytest.approx((1.5, 1.5, 3.0))


BROKEN_HEADERS: dict[str, dict[str, Any]] = {
    "zero spacing": {"pixdim": [1, 0, 1.5, 3, 0, 0, 0, 0]},
    "negative spacing": {"pixdim": [1, 1.5, -1.5, 3, 0, 0, 0, 0]},
    "nan spacing": {"pixdim": [1, 1.5, 1.5, np.nan, 0, 0, 0, 0]},
    "singular affine": {"srow_x": [1, 1, 0, 0], "srow_y": [1, 1, 0, 0], "sform_code": 2},
    "nan affine": {"srow_x": [np.nan, 0, 0, 0], "sform_code": 2},
    "tiny spacing": {"srow_x": [1e-6, 0, 0, 0], "sform_code": 2},
    "huge shape": {"dim": [3, 10000, 10000, 10000, 1, 1, 1, 1]},
    "negative shape": {"dim": [3, -5, 20, 12, 1, 1, 1, 1]},
    "two dimensions": {"dim": [2, 24, 20, 1, 1, 1, 1, 1]},
    "no dimensions": {"dim": [0, 24, 20, 1, 1, 1, 1, 1]},
    "unknown type": {"datatype": 77},
    "colour": {"datatype": 128},
    "complex": {"datatype": 32},
    "offset in the header": {"vox_offset": 4},
    "offset far away": {"vox_offset": 3e9},
    "offset nan": {"vox_offset": np.nan},
    "claims more than there is": {"dim": [3, 24, 20, 13, 1, 1, 1, 1]},
    "infinite slope": {"scl_slope": 1.0, "scl_inter": np.inf},
    "no magic": {"magic": b"xx1"},
}


@pytest.mark.parametrize("name", BROKEN_HEADERS)
def test_a_broken_header_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    path = with_header(tmp_path / "scan.nii", **BROKEN_HEADERS[name])
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    assert "scan.nii" in refused(caught.value)


def test_lying_about_size_costs_neither_memory_nor_time(tmp_path: Path) -> None:
    plain = with_header(tmp_path / "a.nii", dim=[3, 1000, 1000, 1000, 1, 1, 1, 1])
    packed = tmp_path / "b.nii.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes() + bytes(40_000_000)))
    start = time.monotonic()
    tracemalloc.start()
    for path in (plain, packed):
        with pytest.raises(ScanError, match="truncated"):
            read_scan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    assert time.monotonic() - start < 5


def bad_files(folder: Path) -> dict[str, Path]:
    good = write_nifti(folder / "good.nii.gz", body_hu((64, 64, 12))).read_bytes()
    raw = gzip.decompress(good)
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    nan = body_hu().astype(np.float32)
    nan[1, 2, 3], nan[4, 5, 6] = np.nan, np.inf
    content = {
        "truncated.nii.gz": good[: len(good) // 2],
        "trailerless.nii.gz": good[:-6],
        "corrupt.nii.gz": bytes(flipped),
        "truncated.nii": raw[:-1000],
        "stub.nii": raw[:100],
        "text.nii.gz": b"this is not an image, it is a letter\n" * 20,
        "gzipped_text.nii.gz": gzip.compress(b"hello " * 500),
        "empty.nii.gz": b"",
        "header_size.nii": struct.pack("<i", 540) + raw[4:400],
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    paths = {name: folder / name for name in content}
    paths["missing.nii"] = folder / "missing.nii"
    paths["four.nii"] = write_nifti(folder / "four.nii", np.stack([body_hu()] * 2, axis=-1))
    paths["nan.nii"] = write_nifti(folder / "nan.nii", nan)
    return paths


def test_bad_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for name, path in bad_files(tmp_path).items():
        with pytest.raises(ScanError) as caught:
            read_scan(path)
        assert name.split(".")[0] in refused(caught.value), name


def test_nan_voxels_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="2 voxels"):
        read_scan(bad_files(tmp_path)["nan.nii"])


def test_limits_are_settable(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", body_hu())
    with pytest.raises(ScanError, match="limit of 100"):
        read_scan(path, limits=ReadLimits(max_voxels=100))


def test_a_series_makes_no_sense_for_nifti(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="--series"):
        read_scan(write_nifti(tmp_path / "a.nii", body_hu()), series="1.2.3")


@pytest.mark.slow
def test_a_scan_that_is_all_but_empty_is_not_unpacked(tmp_path: Path) -> None:
    """A few kilobytes of gzip that claim 125 million voxels."""
    header = nib.Nifti1Header()
    header.set_data_shape((500, 500, 500))
    header.set_data_dtype(np.int16)
    header.set_sform(np.eye(4), 1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    path = tmp_path / "scan.nii.gz"
    with gzip.open(path, "wb", 6) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(250):
            file.write(bytes(1_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ScanError, match="times its size"):
            read_scan(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 << 20
