"""DICOM that is broken, lies, or is no CT: one sentence, and no codec is trusted with a size."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from agent.errors import ScanError
from tests.dicom_make import write_ct_series, write_enhanced
from tests.scan_make import body_hu, refused
from tools.readers import ReadLimits, read_scan
from tools.readers.dicom_pixels import codestream_size


def magnetic(dataset: FileDataset, k: int) -> None:
    dataset.Modality = "MR"


def other_unit(dataset: FileDataset, k: int) -> None:
    dataset.RescaleType = "Z_EFF"


def no_spacing(dataset: FileDataset, k: int) -> None:
    del dataset.PixelSpacing


def zero_spacing(dataset: FileDataset, k: int) -> None:
    dataset.PixelSpacing = [0, 0]


def no_place(dataset: FileDataset, k: int) -> None:
    del dataset.ImagePositionPatient


def claims_more(dataset: FileDataset, k: int) -> None:
    dataset.Rows = 25


def claims_very_much(dataset: FileDataset, k: int) -> None:
    dataset.Rows = dataset.Columns = 32000


def mixed_size(dataset: FileDataset, k: int) -> None:
    if k == 4:
        dataset.PixelSpacing = [2, 2]


def turned(dataset: FileDataset, k: int) -> None:
    if k == 4:
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def askew(dataset: FileDataset, k: int) -> None:
    dataset.ImageOrientationPatient = [1, 0, 0, 0.5, 0.5, 0]


def shifted(dataset: FileDataset, k: int) -> None:
    if k == 4:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x + 12, y, z]


def unscaled(dataset: FileDataset, k: int) -> None:
    dataset.RescaleIntercept = 0


def twice(dataset: FileDataset, k: int) -> None:
    dataset.RescaleIntercept = -2048


def broken_slope(dataset: FileDataset, k: int) -> None:
    dataset.RescaleSlope = 0


def lone_frames(dataset: FileDataset, k: int) -> None:
    dataset.NumberOfFrames = 3


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (magnetic, "modality MR"), (other_unit, "Z_EFF"), (no_spacing, "spacing"), (zero_spacing, "0 × 0 mm"),
        (no_place, "position"), (claims_more, "decoded"), (claims_very_much, "limit"),
        (mixed_size, "different pixel spacings"), (turned, "different orientations"), (askew, "right angle"),
        (shifted, "sideways"), (unscaled, "slope and intercept"), (twice, "twice"), (broken_slope, "rescale"),
        (lone_frames, "frames"),
    ],
)  # fmt: skip
def test_what_is_broken_or_no_ct_is_refused_in_one_sentence(tmp_path: Path, edit: object, says: str) -> None:
    write_ct_series(tmp_path, body_hu(), edit=edit)  # type: ignore[arg-type]
    with pytest.raises(ScanError, match=says) as caught:
        read_scan(tmp_path)
    assert "Secret" not in refused(caught.value)


def test_truncated_pixels_and_wrong_frame_counts_are_refused(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "s", body_hu())
    paths[4].write_bytes(paths[4].read_bytes()[:-200])
    with pytest.raises(ScanError, match=r"damaged|truncated") as caught:
        read_scan(tmp_path / "s")
    assert paths[4].name in refused(caught.value)

    def more(dataset: FileDataset, k: int) -> None:
        dataset.NumberOfFrames = 13
        dataset.PerFrameFunctionalGroupsSequence = Sequence(
            [*dataset.PerFrameFunctionalGroupsSequence, Dataset(dataset.PerFrameFunctionalGroupsSequence[-1])]
        )
        dataset.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence = Sequence([Dataset()])
        dataset.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0].ImagePositionPatient = [
            -20.0, -30.0, 130.0,
        ]  # fmt: skip

    with pytest.raises(ScanError, match="decoded"):
        read_scan(write_enhanced(tmp_path / "more.dcm", body_hu(), edit=more))


def test_too_many_files_and_folders_without_images(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "s", body_hu())
    with pytest.raises(ScanError, match="more than 5 files"):
        read_scan(tmp_path / "s", limits=ReadLimits(max_files=5))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError, match="neither NIfTI nor DICOM"):
        read_scan(tmp_path / "empty")


def test_the_size_in_a_codestream_is_read() -> None:
    siz = b"\xff\x4f\xff\x51\x00\x29\x00\x00" + b"".join(n.to_bytes(4, "big") for n in (512, 300, 0, 0))
    assert codestream_size(siz) == (300, 512)
    sof = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc3\x00\x0b\x10\x01\x2c\x02\x00\x01"
    assert codestream_size(sof) == (300, 512)
    assert codestream_size(b"\x00\x01\x02") is None


def test_a_codestream_of_another_size_is_not_decoded(tmp_path: Path) -> None:
    def lie(dataset: FileDataset, k: int) -> None:
        from pydicom.encaps import encapsulate

        siz = b"\xff\x4f\xff\x51\x00\x29\x00\x00" + b"".join(n.to_bytes(4, "big") for n in (60000, 60000, 0, 0))
        dataset.PixelData = encapsulate([siz + bytes(50)])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless

    write_ct_series(tmp_path, body_hu(), edit=lie, series_uid=generate_uid())
    with pytest.raises(ScanError, match="decoded"):
        read_scan(tmp_path)


def test_a_file_deflated_as_a_whole_is_not_expanded(tmp_path: Path) -> None:
    def deflated(dataset: FileDataset, k: int) -> None:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    path = write_ct_series(tmp_path, body_hu()[:, :, :1], edit=deflated)[0]
    with pytest.raises(ScanError, match="damaged or unsupported"):
        read_scan(path)


def test_nothing_of_a_malformed_header_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in write_ct_series(tmp_path, body_hu()):
        data = path.read_bytes()
        assert b"DS\x04\x004.0 " in data
        path.write_bytes(data.replace(b"\x18\x00\x50\x00DS\x04\x004.0 ", b"\x18\x00\x50\x00DS\x04\x00Secr"))
    scan = read_scan(tmp_path)
    assert scan.header.slice_thickness is None
    assert "Secr" not in caplog.text
