"""What is in a pile of files: the DICOM images among them, grouped by series.

Only the elements that reading a CT needs are parsed; those that identify a person are not even read (but for one
comparison, in `tools.readers.person`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from agent.errors import ScanError
from tools.readers.blob import DICOM_PREAMBLE, Blob, kind_of
from tools.readers.limits import MIB, PARSE_FAULTS, ReadLimits

UNNAMED = "unnamed"
"""Stands for the SeriesInstanceUID of files that have none."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_DIRECTORY = "1.2.840.10008.1.3.10"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_META_BYTES = 1 << 16
_LONG_FORMS = {b"OB", b"OW", b"UN", b"SQ", b"UT", b"OF"}

TAGS = [
    "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription", "ProtocolName",
    "AcquisitionProtocolDescription", "ContrastBolusAgent", "ContrastBolusAgentSequence",
    "ContrastBolusRoute", "SyntheticData",
    "SliceThickness", "SpacingBetweenSlices", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "SamplesPerPixel", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope",
    "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]  # fmt: skip


@dataclass
class Series:
    """The images of one series.

    Attributes:
        uid: SeriesInstanceUID, or "unnamed".
        modality: DICOM modality of its first file.
        images: source and header of each CT image that has a place in space.
        others: number of further files (localizers, captured screens, objects that are no images).
        placeless: number of CT images without position or orientation.
        duplicates: number of files dropped because their SOPInstanceUID was there already.
    """

    uid: str
    modality: str
    images: list[tuple[Blob, Dataset]] = field(default_factory=list)
    others: int = 0
    placeless: int = 0
    duplicates: int = 0


@dataclass
class Index:
    """All series of an input, and how many files could not be parsed."""

    series: dict[str, Series]
    unreadable: int = 0


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom from warning about deviations from the standard, since its texts quote what the header says.

    Values are converted when they are first used, so that the whole reading has to happen within.
    """
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def index_blobs(blobs: Iterable[Blob], limits: ReadLimits) -> Index:
    """Read the headers of all DICOM files among the blobs; everything else is ignored.

    Raises:
        ScanError: if a file is larger than allowed.
    """
    index = Index(series={})
    seen: dict[str, set[str]] = {}
    for blob in blobs:
        if kind_of(blob.head()) != "dicom":
            continue
        if blob.size > limits.max_file_bytes:
            limit = limits.max_file_bytes // MIB
            raise ScanError(f"'{blob.name}' has {blob.size // MIB} MiB, more than the limit of {limit} MiB.")
        header = read_dataset(blob, header_only=True)
        if header is None:
            index.unreadable += 1
            continue
        if _class_uid(header) == _DIRECTORY:
            continue
        uid = text_of(header, "SeriesInstanceUID") or UNNAMED
        series = index.series.setdefault(uid, Series(uid=uid, modality=modality_of(header)))
        instance = _instance_uid(header)
        known = seen.setdefault(uid, set())
        if instance and instance in known:
            series.duplicates += 1
            continue
        known.add(instance)
        _file_under(series, blob, header)
    return index


def _file_under(series: Series, blob: Blob, header: Dataset) -> None:
    localizer = "LOCALIZER" in text_of(header, "ImageType").upper()
    capture = _class_uid(header).startswith(_SECONDARY_CAPTURE)
    colour = number_of(header, "SamplesPerPixel", 1.0) != 1.0
    sized = "Rows" in header and "Columns" in header
    if modality_of(header) != "CT" or localizer or capture or colour or not sized:
        series.others += 1
    elif "PerFrameFunctionalGroupsSequence" in header or (
        header.get("ImagePositionPatient") and header.get("ImageOrientationPatient")
    ):
        series.modality = "CT"
        series.images.append((blob, header))
    else:
        series.placeless += 1


def read_dataset(blob: Blob, *, header_only: bool, tags: Sequence[str] = TAGS) -> Dataset | None:
    """Parse a DICOM file: the elements of `tags` only, or all of it with its pixels; None where it is broken.

    Files that are deflated as a whole count as broken, since they cannot be expanded with bounded memory.
    """
    try:
        head = blob.head(_META_BYTES)
        if transfer_syntax(head) == _DEFLATED:
            return None
        with quiet_pydicom(), blob.open() as stream:
            dataset = pydicom.dcmread(
                stream,
                stop_before_pixels=header_only,
                specific_tags=list(tags) if header_only else None,
                force=head[DICOM_PREAMBLE : DICOM_PREAMBLE + 4] != b"DICM",
            )
            _drop_unreadable(_meta(dataset))
            _drop_unreadable(dataset)
            return dataset if header_only or "PixelData" in dataset else None
    except PARSE_FAULTS:
        return None


def _drop_unreadable(dataset: Dataset) -> None:
    """Convert every value now, and leave out those that cannot be: later access then finds them missing."""
    for tag in list(dataset.keys()):
        try:
            for item in dataset[tag].value if dataset[tag].VR == "SQ" else ():
                for _ in item.iterall():
                    pass
        except PARSE_FAULTS:
            del dataset[tag]


def transfer_syntax(head: bytes) -> str | None:
    """TransferSyntaxUID of a DICOM file's meta group (PS3.10 section 7.1), None where there is none."""
    at = DICOM_PREAMBLE + 4
    while head[at : at + 2] == b"\x02\x00":
        form = head[at + 4 : at + 6]
        long_form = form in _LONG_FORMS
        start = at + (12 if long_form else 8)
        length = int.from_bytes(head[start - (4 if long_form else 2) : start], "little")
        if head[at + 2 : at + 4] == b"\x10\x00":
            return head[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        at = start + length
    return None


def text_of(header: Dataset, keyword: str) -> str:
    """Text of an element with multiple values joined by a backslash; empty where absent or unreadable."""
    try:
        value = header.get(keyword)
    except PARSE_FAULTS:
        return ""
    if value is None:
        return ""
    parts = value if isinstance(value, list | pydicom.multival.MultiValue) else [value]
    return "\\".join(str(part) for part in parts).strip()


def number_of(header: Dataset, keyword: str, default: float | None = None) -> float | None:
    """Number of an element; the default where absent or not a number."""
    try:
        value = header.get(keyword)
        return default if value is None or value == "" else float(value)
    except PARSE_FAULTS:
        return default


def modality_of(header: Dataset) -> str:
    """Modality as a short code ("CT", "MR", …), "unknown" where absent."""
    return re.sub(r"[^A-Z]", "", text_of(header, "Modality").upper())[:16] or "unknown"


def _class_uid(header: Dataset) -> str:
    return text_of(header, "SOPClassUID") or text_of(_meta(header), "MediaStorageSOPClassUID")


def _instance_uid(header: Dataset) -> str:
    return text_of(header, "SOPInstanceUID") or text_of(_meta(header), "MediaStorageSOPInstanceUID")


def _meta(header: Dataset) -> Dataset:
    return cast(Dataset, getattr(header, "file_meta", Dataset()))
