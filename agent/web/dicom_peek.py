"""What the first bytes of a DICOM file tell: whether it is a segmentation, and where its slice lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.errors import ScanError
from tools.readers.blob import file_blob
from tools.readers.limits import PARSE_FAULTS
from tools.segment.labels_dicomseg import SEGMENTATION_CLASSES
from tools.volume import Grid

HEAD_BYTES = 1024
"""File meta information and the first data elements, among them the SOP class (DICOM PS3.10, 7.1)."""
_TAGS = ("SOPClassUID", "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
         "Rows", "Columns")  # fmt: skip
_TOLERANCE = 0.05
"""Of a voxel: positions in headers are decimal strings, and readers average them over a series."""


@dataclass(frozen=True)
class Plane:
    """A slice of a series.

    Attributes:
        frame: frame of reference (UID); empty where the header names none.
        corners: (2, 3) RAS+ mm of its first and its last pixel; None where the header does not place it.
    """

    frame: str
    corners: NDArray[np.float64] | None

    def fits(self, grid: Grid) -> bool:
        """Whether the slice is one of a grid, whichever way that is turned: needed for both to be of one scan."""
        if self.corners is None:
            return False
        at = self.corners @ np.linalg.inv(grid.affine)[:3, :3].T + np.linalg.inv(grid.affine)[:3, 3]
        whole = np.rint(at)
        if np.abs(at - whole).max() > _TOLERANCE or (whole < 0).any() or (whole >= grid.shape).any():
            return False
        # All of two axes, and one place on the third.
        spans = np.abs(whole[1] - whole[0])
        across = [axis for axis in range(3) if spans[axis] != grid.shape[axis] - 1]
        return len(across) <= 1 and all(spans[axis] == 0 for axis in across)


def may_be_segmentation(head: bytes) -> bool:
    """Whether the first bytes name the class of a segmentation; a quick look that spares most files a real one."""
    return any(name.encode() in head for name in SEGMENTATION_CLASSES)


def plane_of(path: Path) -> tuple[bool, Plane]:
    """Whether a DICOM file is a segmentation, and where its slice lies; what cannot be read says nothing."""
    from tools.readers.dicom_index import read_dataset  # noqa: PLC0415  (a second, and only where there is DICOM)

    try:
        # Not by pydicom itself, which expands what is deflated as a whole to whatever size that claims.
        header = read_dataset(file_blob(path), header_only=True, tags=_TAGS)
    except ScanError:
        return False, Plane("", None)
    if header is None:
        return False, Plane("", None)
    try:
        segmentation = str(header.get("SOPClassUID", "")) in SEGMENTATION_CLASSES
        frame = str(header.get("FrameOfReferenceUID", "") or "")
    except PARSE_FAULTS:
        return False, Plane("", None)
    try:
        first = np.array([float(one) for one in header.ImagePositionPatient])
        along = np.array([float(one) for one in header.ImageOrientationPatient]).reshape(2, 3)
        down, right = (float(one) for one in header.PixelSpacing)
        last = first + along[0] * right * (int(header.Columns) - 1) + along[1] * down * (int(header.Rows) - 1)
        corners = np.stack([first, last]) * (-1.0, -1.0, 1.0)
    except PARSE_FAULTS:
        return segmentation, Plane(frame, None)
    return segmentation, Plane(frame, corners if corners.shape == (2, 3) and np.isfinite(corners).all() else None)
