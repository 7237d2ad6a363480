"""Stored pixels of one frame, decoded by pydicom only after their claimed sizes were checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

from agent.errors import ScanError
from tools.readers.blob import Blob
from tools.readers.dicom_frames import Frame
from tools.readers.dicom_index import read_dataset
from tools.readers.limits import PARSE_FAULTS

_ENCODED_SLACK = 4096


class PixelReader:
    """Decodes frames, keeping the file that was opened last (a multi-frame file is parsed once)."""

    def __init__(self) -> None:
        self._blob: Blob | None = None
        self._dataset: Dataset | None = None

    def hu(self, frame: Frame) -> NDArray[Any]:
        """Decode a frame as it is stored: (columns, rows) array, padding range reduced to one value.

        Raises:
            ScanError: if the pixels are missing, truncated, of another size than stated, or undecodable.
        """
        dataset = self._open(frame.blob)
        try:
            stored = pixel_array(dataset, index=frame.index, raw=True)
        except PARSE_FAULTS as error:
            raise _undecodable(frame.blob) from error
        if stored.shape != (frame.rows, frame.columns):
            raise _undecodable(frame.blob)
        if frame.padding is not None and frame.padding[0] < frame.padding[1]:
            low, high = frame.padding
            stored = np.where((stored >= low) & (stored <= high), np.array(low, stored.dtype), stored)
        return stored.T

    def _open(self, blob: Blob) -> Dataset:
        if self._blob is blob and self._dataset is not None:
            return self._dataset
        dataset = read_dataset(blob, header_only=False)
        if dataset is None:
            raise ScanError(f"'{blob.name}' has no readable pixels: it is truncated or damaged, so fetch it again.")
        try:
            _check_encoded(dataset, blob)
        except PARSE_FAULTS as error:
            raise _undecodable(blob) from error
        self._blob, self._dataset = blob, dataset
        return dataset


def _undecodable(blob: Blob) -> ScanError:
    return ScanError(
        f"The pixels of '{blob.name}' cannot be decoded: the file is damaged or its "
        "compression is not supported, "
        "so fetch it again or export it uncompressed."
    )


def _check_encoded(dataset: Dataset, blob: Blob) -> None:
    """Compare what a compressed frame claims with what the header claims, before a codec allocates."""
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    if syntax is None or not syntax.is_compressed:
        return
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    raw = rows * columns * int(dataset.BitsAllocated) // 8
    count = int(dataset.get("NumberOfFrames") or 1)
    for code in generate_frames(dataset.PixelData, number_of_frames=count):
        size = codestream_size(code)
        if len(code) > 2 * raw + _ENCODED_SLACK or (size is not None and size != (rows, columns)):
            raise _undecodable(blob)


def codestream_size(code: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG 2000 (SIZ) or JPEG / JPEG-LS (SOF) codestream states; None for others.

    Sources: ISO/IEC 15444-1 A.5.1, ISO/IEC 10918-1 B.2.2, ISO/IEC 14495-1 C.2.2.
    """
    if code[:4] == b"\xff\x4f\xff\x51":
        right, bottom, left, top = (int.from_bytes(code[at : at + 4], "big") for at in (8, 12, 16, 20))
        return (bottom - top, right - left)
    if code[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return (
                int.from_bytes(code[at + 5 : at + 7], "big"),
                int.from_bytes(code[at + 7 : at + 9], "big"),
            )
        at += 1 if marker == 0xFF else 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    return None
