"""A phantom as a DICOM CT series (CT Image Storage, PS3.3 A.3): one file a slice, as a scanner would send it.

Who is scanned follows from the seed (patient, study, frame of reference), what is scanned from all options (series,
images), so that equal options give equal files and two scans of one patient share their frame of reference. The
names and numbers are made up and say so.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from evals.phantom_options import PhantomOptions
from evals.phantom_render import HU_RANGE, OUTSIDE
from evals.phantom_tissue import Phase

SLICE_NAME = re.compile(r"slice_\d{4,}\.dcm")
IMPLEMENTATION = "TUMORTRACE"
INTERCEPT = -1024
"""HU of a stored zero: soft tissue is then stored as scanners store it, and padding is negative."""
_NAMESPACE = uuid.UUID("6d1d4f2e-3a53-5a3b-9d0f-3f6f6a1f7c11")
_LPS = np.diag([-1.0, -1.0, 1.0])
_DATE, _TIME = "20000101", "120000"
_PHASE_TEXT = {
    Phase.NATIVE: "Phantom abdomen, unenhanced",
    Phase.ARTERIAL: "Phantom abdomen, arterial phase",
    Phase.PORTAL: "Phantom abdomen, portal venous phase",
    Phase.DELAYED: "Phantom abdomen, delayed phase",
}


def uid(*parts: object) -> UID:
    """A UID that equal parts give again: a name-based UUID under the root 2.25 (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(map(str, parts))).int}")


def study_uid(options: PhantomOptions) -> UID:
    """StudyInstanceUID: one study for each patient."""
    return uid("study", options.seed)


def series_uid(options: PhantomOptions) -> UID:
    """SeriesInstanceUID: another one for every other set of options."""
    return uid("series", options.model_dump_json())


def ct_slices(
    hu: NDArray[np.int16], affine: NDArray[np.float64], options: PhantomOptions
) -> Iterator[tuple[str, FileDataset]]:
    """File name and data set of each slice, feet to head, in the slice order of the NIfTI file.

    Rows run from the patient's front to the back and columns from the right to the left, as films are read. The
    orientation and the positions come from the affine, so that a gantry tilt is in them.

    Args:
        hu: (i, j, k) Hounsfield units, RAS order.
        affine: (4, 4) voxel → world mm, RAS+; axes 0 and 1 at right angles.
        options: what the phantom was made from.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    across, down = -affine[:3, 0] / spacing[0], -affine[:3, 1] / spacing[1]
    # Distances between slices are along the normal, which a tilted gantry leaves at an angle to the table's way.
    normal = np.cross(across, down)
    gap = abs(float(normal @ affine[:3, 2]))
    orientation = [_ds(x) for x in (*(_LPS @ across), *(_LPS @ down))]
    common = _common(options)
    for k in range(hu.shape[2]):
        first = affine @ np.array([hu.shape[0] - 1, hu.shape[1] - 1, k, 1.0])
        instance = uid("image", options.model_dump_json(), k)
        data = _image(common, instance)
        data.InstanceNumber = k + 1
        data.ImagePositionPatient = [_ds(x) for x in _LPS @ first[:3]]
        data.ImageOrientationPatient = orientation
        data.PixelSpacing = [_ds(spacing[1]), _ds(spacing[0])]
        data.SliceThickness = _ds(gap)
        data.SpacingBetweenSlices = _ds(gap)
        # The sign of the tilt is open in the standard; what counts is the orientation.
        data.GantryDetectorTilt = _ds(float(np.degrees(np.arcsin(np.clip(affine[2, 1] / spacing[1], -1, 1)))))
        _put_pixels(data, hu[::-1, ::-1, k].T, padded=options.padding)
        yield f"slice_{k + 1:04d}.dcm", data


def write_slices(hu: NDArray[np.int16], affine: NDArray[np.float64], options: PhantomOptions, folder: Path) -> None:
    """Write the series of a phantom into a folder, which is made.

    Raises:
        OSError: it can't be written, or is there already.
    """
    folder.mkdir(parents=True)
    for name, data in ct_slices(hu, affine, options):
        data.save_as(folder / name, enforce_file_format=True)


def _common(options: PhantomOptions) -> FileDataset:
    """Everything that the slices of a series share (patient, study, series, equipment, acquisition)."""
    data = FileDataset("", {}, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 100"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SOPClassUID = CTImageStorage
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = _DATE
    data.StudyTime = data.SeriesTime = data.AcquisitionTime = data.ContentTime = _TIME
    data.AccessionNumber = data.ReferringPhysicianName = ""
    data.Modality = "CT"
    data.SyntheticData = "YES"
    data.Manufacturer = data.ManufacturerModelName = "TumorTrace phantom"
    data.StudyDescription = "Synthetic abdomen"
    data.SeriesDescription = _PHASE_TEXT[options.phase]
    data.PatientName = f"PHANTOM^SEED{options.seed}"
    data.PatientID = f"PHANTOM-{options.seed}"
    data.PatientBirthDate = data.PatientSex = ""
    data.PatientIdentityRemoved = "YES"
    data.DeidentificationMethod = "synthetic data, no person"
    if options.phase is not Phase.NATIVE:
        data.ContrastBolusAgent = "SYNTHETIC IODINE"
        data.ContrastBolusRoute = "IV"
    data.BodyPartExamined = "ABDOMEN"
    data.KVP = "120"
    data.ProtocolName = data.SeriesDescription
    data.PatientPosition = "HFS"
    data.StudyInstanceUID = study_uid(options)
    data.SeriesInstanceUID = series_uid(options)
    data.StudyID = "1"
    data.SeriesNumber = 1
    data.AcquisitionNumber = 1
    data.FrameOfReferenceUID = uid("frame of reference", options.seed)
    data.PositionReferenceIndicator = ""
    return data


def _image(common: FileDataset, instance: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationVersionName = IMPLEMENTATION
    data = FileDataset("", dict(common.items()), file_meta=meta, preamble=b"\0" * 128)
    data.SOPInstanceUID = instance
    return data


def _put_pixels(data: FileDataset, image: NDArray[np.int16], *, padded: bool) -> None:
    """Stored values (rows, columns), signed, so that padding far below air has its place."""
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = image.shape
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PixelRepresentation = 1
    if padded:
        data.PixelPaddingValue = OUTSIDE - INTERCEPT
    data.WindowCenter, data.WindowWidth = "50", "400"
    data.RescaleIntercept, data.RescaleSlope = str(INTERCEPT), "1"
    data.RescaleType = "HU"
    assert image.min() >= min(OUTSIDE, HU_RANGE[0])
    data.PixelData = np.ascontiguousarray(image - np.int16(INTERCEPT)).astype("<i2").tobytes()


def _ds(value: float) -> DSfloat:
    """A decimal string of at most 16 characters, without a minus before zero."""
    return DSfloat(float(value) + 0.0, auto_format=True)
