"""Whatever bytes are damaged, reading ends with a scan or with one sentence, never with another exception."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ScanError
from tests.dicom_make import write_ct_series, write_enhanced
from tests.scan_make import body_hu, refused, write_nifti
from tools.readers import ReadLimits, read_scan

LIMITS = ReadLimits(max_voxels=100_000, max_zip_bytes=1_000_000)


def originals() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hu = body_hu((10, 8, 4))
        files = [
            write_nifti(folder / "a.nii", hu),
            write_nifti(folder / "a.nii.gz", hu),
            write_ct_series(folder / "s", hu)[0],
            write_enhanced(folder / "e.dcm", hu),
        ]
        data = [file.read_bytes() for file in files]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", data[2])
    return [*data, packed.getvalue()]


ORIGINALS = originals()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    which=st.integers(0, 4),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=4),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_damaged_bytes(which: int, edits: list[tuple[float, bytes]], keep: float) -> None:
    data = bytearray(ORIGINALS[which])
    for place, patch in edits:
        # The square puts most edits into headers, where they do most harm.
        at = int(place * place * (len(data) - 1))
        data[at : at + len(patch)] = patch
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "scan"
        path.write_bytes(data[: int(keep * len(data))])
        try:
            scan = read_scan(path, limits=LIMITS)
        except ScanError as error:
            refused(error)
        else:
            assert scan.hu.shape == scan.grid.shape
