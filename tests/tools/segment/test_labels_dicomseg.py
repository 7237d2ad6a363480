"""DICOM segmentation objects, written here with highdicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from agent.errors import LabelsError
from tests.dicom_make import write_ct_series
from tests.label_make import voxels
from tests.scan_make import body_hu
from tools.readers.scan import read_scan
from tools.segment.labels import load_labels
from tools.volume import Scan

SHAPE = (16, 14, 6)


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """A synthetic series, read as a user's."""
    write_ct_series(tmp_path / "series", body_hu(SHAPE))
    return read_scan(tmp_path / "series")


def sources(folder: Path) -> list[pydicom.Dataset]:
    """Datasets of the series in the order of their position."""
    found = [pydicom.dcmread(path) for path in sorted((folder / "series").rglob("*")) if path.is_file()]
    study = generate_uid(entropy_srcs=[str(folder)])
    for dataset in found:
        dataset.StudyInstanceUID = dataset.FrameOfReferenceUID = study
        for name in ("PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "StudyDate", "StudyTime"):
            if name not in dataset:
                setattr(dataset, name, "")
    return sorted(found, key=lambda dataset: float(dataset.ImagePositionPatient[2]))


def describe(number: int, label: str, kind: Any = codes.SCT.Organ, **more: Any) -> highdicom.seg.SegmentDescription:
    """A segment description with its required fields."""
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=kind,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        **more,
    )


def write_seg(
    folder: Path, masks: NDArray[Any], descriptions: list[Any], kind: str = "BINARY", name: str = "seg.dcm"
) -> Path:
    """Write masks of shape (slice, row, column, segment)."""
    segmentation = highdicom.seg.Segmentation(
        source_images=sources(folder),
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="none",
        manufacturer_model_name="none",
        software_versions="1",
        device_serial_number="1",
    )
    (folder / "seg").mkdir(exist_ok=True)
    segmentation.save_as(folder / "seg" / name)
    return folder / "seg" / name


def canonical(mask: NDArray[Any], scan: Scan, folder: Path) -> NDArray[np.bool_]:
    """The voxels of a (slice, row, column) mask in the scan's grid, from the DICOM positions themselves."""
    expected = np.zeros(scan.grid.shape, np.bool_)
    inverse = np.linalg.inv(scan.grid.affine)
    for k, source in enumerate(sources(folder)):
        row_step, column_step = (float(x) for x in source.PixelSpacing)
        along_row, along_column = (
            np.array(source.ImageOrientationPatient[:3]),
            np.array(source.ImageOrientationPatient[3:]),
        )
        for row, column in np.argwhere(mask[k]):
            lps = np.array(source.ImagePositionPatient) + column * column_step * along_row
            lps = lps + row * row_step * along_column
            at = inverse @ [-lps[0], -lps[1], lps[2], 1]
            expected[tuple(np.rint(at[:3]).astype(int))] = True
    return expected


def two_masks(count: int) -> NDArray[np.uint8]:
    masks = np.zeros((SHAPE[2], SHAPE[1], SHAPE[0], count), np.uint8)
    masks[1:4, 2:9, 3:12, 0] = 1
    masks[2:5, 4:7, 5:9, 1] = 1
    return masks


@pytest.mark.parametrize("whole_folder", [False, True])
def test_overlapping_segments_land_where_dicom_says(scan: Scan, tmp_path: Path, whole_folder: bool) -> None:
    masks = two_masks(2)
    path = write_seg(tmp_path, masks, [describe(1, "Liver"), describe(2, "Liver tumor")])
    labels = load_labels(path.parent if whole_folder else path, scan)
    assert set(labels.entries) == {"liver", "liver_tumor"}
    for n, ident in enumerate(("liver", "liver_tumor")):
        assert np.array_equal(voxels(labels, ident), canonical(masks[..., n], scan, tmp_path))
    assert len(labels.layers) == 2
    assert "DICOM SEG with 2 segments" in labels.source


def test_frames_that_end_within_a_byte_are_read_whole(tmp_path: Path) -> None:
    shape = (13, 11, 6)  # 143 one-bit pixels to a frame: all but the first begin within a byte
    write_ct_series(tmp_path / "series", body_hu(shape))
    odd = read_scan(tmp_path / "series")
    masks = np.zeros((shape[2], shape[1], shape[0], 2), np.uint8)
    masks[0:6, 1:11, 2:13, 0] = 1
    masks[2:5, 4:7, 5:9, 1] = 1
    labels = load_labels(write_seg(tmp_path, masks, [describe(1, "Liver"), describe(2, "Spleen")]), odd)
    for n, ident in enumerate(("liver", "spleen")):
        assert np.array_equal(voxels(labels, ident), canonical(masks[..., n], odd, tmp_path))


def test_names_from_codes_sides_and_regions(scan: Scan, tmp_path: Path) -> None:
    masks = np.concatenate([two_masks(2), np.roll(two_masks(2), 1, axis=0)], axis=-1)
    left = describe(1, "Segment 1", codes.SCT.Kidney)
    left.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = pydicom.Sequence(
        [highdicom.sr.CodedConcept.from_code(codes.SCT.Left)]
    )
    descriptions = [
        left,
        describe(2, "Tumor", codes.SCT.Neoplasm, anatomic_regions=[codes.SCT.Liver]),
        describe(3, "Blob", codes.SCT.Neoplasm, anatomic_regions=[codes.SCT.Pancreas]),
        describe(4, "My thing"),
    ]
    labels = load_labels(write_seg(tmp_path, masks, descriptions), scan)
    assert set(labels.entries) == {"kidney_left", "liver_tumor", "pancreas_tumor", "my_thing"}


def test_fractional_segments_are_cut_at_one_half(scan: Scan, tmp_path: Path) -> None:
    masks = two_masks(2).astype(np.float32) * 0.9
    masks[..., 1] *= 0.3
    labels = load_labels(write_seg(tmp_path, masks, [describe(1, "Liver"), describe(2, "Spleen")], "FRACTIONAL"), scan)
    assert np.array_equal(voxels(labels, "liver"), canonical(masks[..., 0] > 0.5, scan, tmp_path))
    assert not voxels(labels, "spleen").any()
    assert any("fractional" in note for note in labels.notes)


def test_what_is_not_one_segmentation_is_refused(scan: Scan, tmp_path: Path) -> None:
    path = write_seg(tmp_path, two_masks(2), [describe(1, "Liver"), describe(2, "Liver tumor")])
    whole = path.read_bytes()
    ct = next(p for p in sorted((tmp_path / "series").rglob("*")) if p.is_file())
    with pytest.raises(LabelsError, match="not a segmentation object"):
        load_labels(ct, scan)
    with pytest.raises(LabelsError, match="nor a DICOM SEG"):
        load_labels(tmp_path / "series", scan)
    (tmp_path / "cut.dcm").write_bytes(whole[:-200])
    (tmp_path / "torn.dcm").write_bytes(whole[: len(whole) // 3])
    for name in ("cut.dcm", "torn.dcm"):
        with pytest.raises(LabelsError):
            load_labels(tmp_path / name, scan)
    write_seg(tmp_path, two_masks(2), [describe(1, "Liver"), describe(2, "Liver tumor")], name="second.dcm")
    with pytest.raises(LabelsError, match="holds 2 DICOM SEG"):
        load_labels(tmp_path / "seg", scan)


def test_identifying_fields_stay_in_the_file(scan: Scan, tmp_path: Path) -> None:
    path = write_seg(tmp_path, two_masks(2), [describe(1, "Liver"), describe(2, "Liver tumor")])
    labels = load_labels(path, scan)
    said = " ".join([labels.source, *labels.notes, *labels.raw_names.values()])
    assert "Secret" not in said
    assert "Secret-Number" not in said
