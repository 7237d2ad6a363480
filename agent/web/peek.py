"""What a file is, from its first bytes: enough for a list of what can be opened, whatever files are called."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.errors import ScanError
from agent.web.dicom_peek import HEAD_BYTES, Plane, may_be_segmentation, plane_of
from tools.readers.blob import Kind, file_blob, kind_of
from tools.readers.limits import PARSE_FAULTS, ReadLimits
from tools.readers.nifti_header import read_header
from tools.volume import Grid, canonical_grid

_PEEK_BYTES = 1 << 20
_MOST_LABELS = 1000
"""Values of a label map are small whole numbers; air alone puts a CT beyond that."""

What = Literal["nifti", "labels", "dicom", "zip"]


@dataclass(frozen=True)
class Peek:
    """What the first bytes of a file tell.

    Attributes:
        what: "labels" where it looks like a label map, a mask or a DICOM SEG; None where it is nothing that can be
            opened.
        grid: of a NIfTI file, in canonical axis order; None else.
        plane: where a DICOM slice, or a segmentation, lies; None where nobody looked.
    """

    what: What | None
    grid: Grid | None = None
    plane: Plane | None = None


def peek(path: Path, *, place: bool = False) -> Peek:
    """Look at the beginning of a file; what cannot be read is nothing.

    Args:
        path: the file.
        place: also tell where a DICOM slice lies, which takes longer.
    """
    try:
        blob = file_blob(path)
        head = blob.head(HEAD_BYTES)
        kind: Kind = kind_of(head)
    except ScanError:
        return Peek(None)
    if kind == "zip":
        return Peek("zip")
    if kind == "dicom":
        segmentation, plane = plane_of(path) if place or may_be_segmentation(head) else (False, None)
        return Peek("labels" if segmentation else "dicom", plane=plane)
    if kind not in {"nifti", "gzip"}:
        return Peek(None)
    try:
        start = _start(path, packed=kind == "gzip")
        if kind == "gzip" and kind_of(start[:132]) != "nifti":
            return Peek(None)
        header = read_header(io.BytesIO(start), path.name, ReadLimits())
    except ScanError:
        return Peek(None)
    except PARSE_FAULTS:
        return Peek(None)
    values = np.frombuffer(start[header.offset :], dtype=np.uint8)
    whole = len(values) - len(values) % header.dtype.itemsize
    seen = values[:whole].view(header.dtype)
    labels = _like_labels(seen, header.slope, header.intercept)
    return Peek("labels" if labels else "nifti", canonical_grid(header.shape, header.affine)[0])


def _start(path: Path, *, packed: bool) -> bytes:
    if not packed:
        with path.open("rb") as file:
            return file.read(_PEEK_BYTES)
    with gzip.open(path, "rb") as unpacked:
        return unpacked.read(_PEEK_BYTES)


def _like_labels(values: NDArray[Any], slope: float, intercept: float) -> bool:
    if values.size == 0:
        return False
    low, high = float(values.min()), float(values.max())
    whole = values.dtype.kind in "iu" or bool(np.all(values == np.round(values)))
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return whole and ends[0] >= 0 and ends[1] <= _MOST_LABELS
