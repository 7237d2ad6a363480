"""Named byte sources: a file on disk or an entry of a zip, told apart by content, never by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from agent.errors import ScanError
from tools.readers.limits import PARSE_FAULTS, ReadLimits

Kind = Literal["nifti", "gzip", "zip", "dicom", "other"]

DICOM_PREAMBLE = 128
_NIFTI_SIZES = (348, 540)


@dataclass(frozen=True)
class Blob:
    """Bytes with a name.

    Attributes:
        name: short name for messages (file name or path within the archive).
        size: bytes, as the file system or the archive's directory says.
        open: opens the bytes for reading from the start.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]

    def head(self, count: int = DICOM_PREAMBLE + 4) -> bytes:
        """Return the first `count` bytes (fewer where the source is shorter).

        Raises:
            ScanError: if the source cannot be read.
        """
        try:
            with self.open() as stream:
                return stream.read(count)
        except PARSE_FAULTS as error:
            raise ScanError(
                f"'{self.name}' cannot be read ({type(error).__name__}): check that it is complete and that "
                "you may read it."
            ) from error


def kind_of(head: bytes) -> Kind:
    """Tell a format from its first 132 bytes.

    NIfTI-1/2 begin with the header size in either byte order; DICOM Part 10 has "DICM" after 128 bytes, and
    files without that preamble begin with an element of group 0008.
    """
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head[DICOM_PREAMBLE : DICOM_PREAMBLE + 4] == b"DICM":
        return "dicom"
    if len(head) >= 4 and any(int.from_bytes(head[:4], order) in _NIFTI_SIZES for order in ("little", "big")):
        return "nifti"
    if head[:2] == b"\x08\x00" and len(head) >= 16:
        return "dicom"
    return "other"


def file_blob(path: Path) -> Blob:
    """Blob of a regular file.

    Raises:
        ScanError: if the path does not exist, is not a regular file, or is empty.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ScanError(f"There is no file or folder '{path}': check the path.") from error
    except OSError as error:
        raise ScanError(f"'{path}' cannot be opened ({error.strerror}): check path and rights.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ScanError(f"'{path}' is neither a file nor a folder: give a NIfTI file, a DICOM folder or a zip.")
    if status.st_size == 0:
        raise ScanError(f"'{path.name}' is empty (0 bytes): fetch or export the scan again.")
    return Blob(name=path.name, size=status.st_size, open=lambda: cast(BinaryIO, path.open("rb")))


def folder_blobs(folder: Path, limits: ReadLimits) -> list[Blob]:
    """Blobs of all regular, non-empty, non-hidden files below a folder, in name order.

    Linked folders are not entered, so that a loop of links cannot trap the walk.

    Raises:
        ScanError: if there are more than `limits.max_files` files or the folder cannot be listed.
    """

    def fail(error: OSError) -> None:
        raise ScanError(f"'{folder}' cannot be listed ({error.strerror}): check your rights.") from error

    found: list[Blob] = []
    seen = 0
    for root, folders, names in os.walk(folder, followlinks=False, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            seen += 1
            if seen > limits.max_files:
                raise ScanError(f"'{folder}' holds more than {limits.max_files} files: give the folder of one series.")
            path = Path(root) / name
            if name.startswith(".") or not path.is_file() or path.stat().st_size == 0:
                continue
            found.append(file_blob(path))
    return found
