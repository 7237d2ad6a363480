"""From DICOM headers to frames: one record per slice, from a file of its own or from a multi-frame one.

Multi-frame ("enhanced") images keep geometry and rescale in functional groups, shared or per frame
(PS3.3 C.7.6.16); a per-frame group wins over the shared one, and both over the top level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from agent.errors import ScanError
from tools.readers.blob import Blob
from tools.readers.dicom_index import Series, number_of, text_of
from tools.readers.limits import PARSE_FAULTS, ReadLimits
from tools.volume import FloatArray

_HU_TYPES = {"", "HU", "US", "HU_MOD"}


@dataclass(frozen=True)
class Frame:
    """One slice.

    Attributes:
        blob: the file it is in.
        index: its number within a multi-frame file, else None.
        rows: number of rows.
        columns: number of columns.
        position: (3,) centre of its first pixel, mm, LPS+.
        orientation: (6,) direction cosines of its rows and columns, LPS+.
        spacing: mm between rows, mm between columns.
        slope: factor from stored values to HU.
        intercept: summand from stored values to HU.
        padding: lowest and highest stored value that marks padding, None where not declared.
        number: InstanceNumber or frame number.
        thickness: declared SliceThickness in mm.
        declared_gap: declared SpacingBetweenSlices in mm.
    """

    blob: Blob
    index: int | None
    rows: int
    columns: int
    position: FloatArray
    orientation: FloatArray
    spacing: tuple[float, float]
    slope: float
    intercept: float
    padding: tuple[float, float] | None
    number: float | None
    thickness: float | None
    declared_gap: float | None

    @property
    def padding_hu(self) -> float | None:
        """Declared padding value in HU."""
        return None if self.padding is None else self.padding[0] * self.slope + self.intercept


def frames_of(series: Series, limits: ReadLimits) -> list[Frame]:
    """All frames of a series, in no particular order.

    Raises:
        ScanError: if a header is incomplete, is not in Hounsfield units, or claims too many voxels.
    """
    voxels = 0
    frames: list[Frame] = []
    for blob, header in series.images:
        count = number_of(header, "NumberOfFrames", 1.0) or 1.0
        size = [number_of(header, key, 0.0) or 0.0 for key in ("Rows", "Columns")]
        if not (1 <= size[0] <= limits.max_side and 1 <= size[1] <= limits.max_side and count >= 1):
            raise ScanError(f"'{blob.name}' claims an image of {size[0]:g} × {size[1]:g} pixels: it is broken.")
        voxels += int(size[0]) * int(size[1]) * int(count)
        if voxels > limits.max_voxels:
            raise ScanError(
                f"The headers of the series claim more than the limit of {limits.max_voxels} voxels "
                f"(at '{blob.name}'): check the files."
            )
        try:
            frames.extend(_frames_in(blob, header, int(count)))
        except PARSE_FAULTS as error:
            raise ScanError(
                f"'{blob.name}' has a broken or missing position, orientation or spacing: export the series again."
            ) from error
    return frames


def _frames_in(blob: Blob, header: Dataset, count: int) -> list[Frame]:
    if "PerFrameFunctionalGroupsSequence" not in header:
        if count != 1:
            raise ScanError(f"'{blob.name}' has {count} frames without positions: it is no CT volume.")
        return [_frame(blob, None, [header], header)]
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    groups = list(header.PerFrameFunctionalGroupsSequence)
    if len(groups) != count:
        raise ScanError(f"'{blob.name}' says {count} frames but describes {len(groups)}: export it again.")
    return [_frame(blob, at, [group, *shared, header], header) for at, group in enumerate(groups)]


def _frame(blob: Blob, index: int | None, sources: list[Dataset], header: Dataset) -> Frame:
    def look(keyword: str, macro: str) -> Dataset:
        for source in sources:
            items = source.get(macro)
            if items and keyword in items[0]:
                found: Dataset = items[0]
                return found
        return header

    def numbers(keyword: str, macro: str, count: int) -> FloatArray:
        value = np.array([float(part) for part in look(keyword, macro)[keyword].value], dtype=np.float64)
        if value.shape != (count,) or not np.isfinite(value).all():
            raise ValueError(keyword)
        return value

    transform = look("RescaleSlope", "PixelValueTransformationSequence")
    _check_units(blob, transform, header)
    slope, intercept = (
        number_of(transform, "RescaleSlope", 1.0),
        number_of(transform, "RescaleIntercept", 0.0),
    )
    if slope is None or intercept is None or not np.isfinite([slope, intercept]).all() or slope == 0:
        raise ScanError(f"'{blob.name}' has a broken rescale to Hounsfield units: export the series again.")
    spacing = numbers("PixelSpacing", "PixelMeasuresSequence", 2)
    measures = look("SliceThickness", "PixelMeasuresSequence")
    gaps = look("SpacingBetweenSlices", "PixelMeasuresSequence")
    return Frame(
        blob=blob,
        index=index,
        rows=int(header.Rows),
        columns=int(header.Columns),
        position=numbers("ImagePositionPatient", "PlanePositionSequence", 3),
        orientation=numbers("ImageOrientationPatient", "PlaneOrientationSequence", 6),
        spacing=(float(spacing[0]), float(spacing[1])),
        slope=slope,
        intercept=intercept,
        padding=_padding(header),
        number=number_of(header, "InstanceNumber") if index is None else float(index),
        thickness=_positive(number_of(measures, "SliceThickness")),
        declared_gap=_positive(number_of(gaps, "SpacingBetweenSlices")),
    )


def _check_units(blob: Blob, transform: Dataset, header: Dataset) -> None:
    unit = re.sub(r"[^A-Z0-9_]", "", text_of(transform, "RescaleType").upper())[:16]
    if unit not in _HU_TYPES:
        raise ScanError(f"'{blob.name}' holds values in {unit}, not in Hounsfield units: give the CT image series.")
    if "ModalityLUTSequence" in header and "RescaleSlope" not in transform:
        raise ScanError(f"'{blob.name}' maps its values by a table: export it with rescale slope and intercept.")


def _positive(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) and value > 0 else None


def _padding(header: Dataset) -> tuple[float, float] | None:
    """Declared padding as stored values (PS3.3 C.7.5.1.1.2), with the sign that the pixels have."""
    first = number_of(header, "PixelPaddingValue")
    if first is None:
        return None
    last = number_of(header, "PixelPaddingRangeLimit", first)
    bits = int(number_of(header, "BitsAllocated", 16.0) or 16)
    signed = number_of(header, "PixelRepresentation", 0.0) == 1.0

    def with_sign(value: float) -> float:
        # Many writers store the padding value with the wrong sign representation (US for SS, or reverse).
        if signed and value >= float(1 << (bits - 1)):
            return value - float(1 << bits)
        return value + float(1 << bits) if not signed and value < 0 else value

    low, high = sorted((with_sign(first), with_sign(first if last is None else last)))
    return (low, high)
