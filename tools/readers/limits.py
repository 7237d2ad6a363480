"""How much a scan may ask for before it is refused, and which exceptions a parser may raise on bad bytes."""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass

from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.wrapstruct import WrapStructError
from pydicom.errors import BytesLengthException, InvalidDicomError

PARSE_FAULTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    HeaderDataError,
    ImageDataError,
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    WrapStructError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the readers' libraries raise on malformed bytes; each is turned into one sentence for the user."""

MIB = 1 << 20


@dataclass(frozen=True)
class ReadLimits:
    """Limits that are checked before anything is allocated or decompressed.

    Attributes:
        max_voxels: voxels of one volume.
        max_side: voxels along one axis.
        max_files: files in a DICOM folder, entries in a zip.
        max_file_bytes: size of one DICOM file.
        max_header_bytes: start of the voxels in a NIfTI file (header and its extensions).
        max_zip_bytes: uncompressed size of all entries of a zip together.
        max_zip_ratio: uncompressed over compressed size of a zip or a gzip-compressed scan, looked at above
            `zip_ratio_floor` bytes. Label maps compress further and are not measured by it.
        zip_ratio_floor: uncompressed size below which the ratio does not matter.
    """

    max_voxels: int = 1 << 30
    max_side: int = 1 << 15
    max_files: int = 20_000
    max_file_bytes: int = 2048 * MIB
    max_header_bytes: int = 64 * MIB
    max_zip_bytes: int = 4096 * MIB
    max_zip_ratio: float = 200.0
    zip_ratio_floor: int = 64 * MIB
