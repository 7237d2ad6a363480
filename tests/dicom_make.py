"""Small DICOM CT series for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
Edit = Callable[[FileDataset, int], None]


def blank(path: Path, sop_class: UID = CTImageStorage) -> FileDataset:
    """Dataset with file meta information and nothing else."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.PatientName = "Secret^Person"
    dataset.PatientID = "Secret-Number"
    return dataset


def set_pixels(dataset: FileDataset, stored: NDArray[Any]) -> None:
    """Set 16-bit pixels: (rows, columns) or (frames, rows, columns)."""
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()


def write_ct_series(
    folder: Path,
    hu: NDArray[Any],
    *,
    spacing: tuple[float, float] = (1.5, 1.25),
    step: tuple[float, float, float] = (0.0, 0.0, 3.0),
    origin: tuple[float, float, float] = (-20.0, -30.0, 100.0),
    orientation: tuple[float, ...] = AXIAL,
    slope: float = 1.0,
    intercept: float = -1024.0,
    series_uid: str | None = None,
    edit: Edit | None = None,
    extension: str = "",
) -> list[Path]:
    """Write (columns, rows, slices) HU as one file per slice, named in an order that says nothing.

    Args:
        folder: where to write, made if needed.
        hu: voxels; stored as uint16 after the inverse of the rescale.
        spacing: mm between rows, mm between columns.
        step: LPS mm from one slice to the next.
        origin: LPS mm of the first voxel.
        orientation: ImageOrientationPatient.
        slope: RescaleSlope.
        intercept: RescaleIntercept.
        series_uid: SeriesInstanceUID, a new one by default.
        edit: called with each dataset and its slice number before it is written.
        extension: of the file names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uid = series_uid or generate_uid()
    order = np.random.default_rng(1).permutation(hu.shape[2])
    paths = []
    for k in range(hu.shape[2]):
        path = folder / f"im{order[k]:04d}{extension}"
        dataset = blank(path)
        dataset.SeriesInstanceUID = uid
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.InstanceNumber = k + 1
        dataset.ImageOrientationPatient = list(orientation)
        dataset.ImagePositionPatient = [float(o + k * s) for o, s in zip(origin, step, strict=True)]
        dataset.PixelSpacing = list(spacing)
        dataset.SliceThickness = 4.0
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        stored = np.rint((hu[:, :, k].T - intercept) / slope)
        set_pixels(dataset, stored.clip(0, 65535).astype(np.uint16))
        if edit is not None:
            edit(dataset, k)
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced(path: Path, hu: NDArray[Any], edit: Edit | None = None) -> Path:
    """Write (columns, rows, slices) HU as one enhanced multi-frame CT with 2.5 mm between slices."""
    dataset = blank(path, EnhancedCTImageStorage)
    dataset.SeriesInstanceUID = generate_uid()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.NumberOfFrames = hu.shape[2]
    shared = Dataset()
    measures, plane, transform = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 1.25], 2.5
    plane.ImageOrientationPatient = list(AXIAL)
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, -1024, "HU"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    shared.PixelValueTransformationSequence = Sequence([transform])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for k in range(hu.shape[2]):
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [-20.0, -30.0, 100.0 + 2.5 * k]
        group.PlanePositionSequence = Sequence([position])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    set_pixels(dataset, (hu.transpose(2, 1, 0).astype(np.int32) + 1024).clip(0, 65535).astype(np.uint16))
    if edit is not None:
        edit(dataset, 0)
    dataset.save_as(path, enforce_file_format=True)
    return path
