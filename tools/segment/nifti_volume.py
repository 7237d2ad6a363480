"""Label volumes from NIfTI files, read slab by slab and held in the smallest unsigned type."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from agent.errors import LabelsError, ScanError
from tools.readers.blob import Blob, kind_of
from tools.readers.limits import PARSE_FAULTS, ReadLimits
from tools.readers.nifti_header import NiftiHeader, read_header
from tools.volume import FloatArray

MAX_CLASSES = 1024
"""More different values than this make an image, not a label map."""
SLAB_VOXELS = 1 << 21
_CHUNK = 1 << 20
_EXTENSION_BYTES = 4 << 20
_DEFLATE_LIMIT = 1040
"""Deflate cannot expand by more than about 1032 to 1, so that a larger claim is a lie."""
_UNSIGNED = (np.uint8, np.uint16, np.uint32)
_LARGEST = int(np.iinfo(np.uint32).max)


class NotLabelsError(LabelsError):
    """The file is readable, but holds an image or a probability map."""


@dataclass(frozen=True)
class LabelVolume:
    """Voxels and names of one NIfTI file.

    Attributes:
        array: (i, j, k) label values in file order; uint8, uint16 or uint32.
        affine: (4, 4) voxel → world mm, RAS+.
        counts: label value → number of voxels, without background.
        rows: (value, name) pairs of the header extension, empty where there is none.
        notes: what had to be mended or assumed.
    """

    array: NDArray[Any]
    affine: FloatArray
    counts: dict[int, int]
    rows: tuple[tuple[int, str], ...]
    notes: tuple[str, ...]


def read_label_volume(blob: Blob, limits: ReadLimits) -> LabelVolume:
    """Read a NIfTI label map with bounded memory.

    Floating-point files are accepted where every value is a whole number.

    Raises:
        LabelsError: if the file is broken, too large, or not three-dimensional.
        NotLabelsError: if it holds anything but whole, non-negative values of at most `MAX_CLASSES` kinds.
    """
    try:
        return _read(blob, limits)
    except ScanError as error:
        raise LabelsError(f"The labels cannot be used: {error}") from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise _truncated(blob.name) from error
    except PARSE_FAULTS as error:
        raise LabelsError(
            f"The label map '{blob.name}' is damaged ({type(error).__name__}): fetch it again."
        ) from error


def _read(blob: Blob, limits: ReadLimits) -> LabelVolume:
    kind = kind_of(blob.head())
    if kind not in {"gzip", "nifti"}:
        raise LabelsError(
            f"'{blob.name}' is neither a NIfTI file nor a DICOM SEG: give a label map (.nii, .nii.gz), a folder "
            "with one mask per structure, or a DICOM SEG."
        )
    with blob.open() as raw:
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb")) if kind == "gzip" else raw
        header = read_header(stream, blob.name, limits)
        if header.offset + header.data_bytes > blob.size * (_DEFLATE_LIMIT if kind == "gzip" else 1):
            raise _truncated(blob.name)
        between = _exactly(stream, header.offset - stream.tell(), blob.name)
        rows, about = _extension_names(bytes(between))
        array, counts = _voxels(stream, header, blob.name)
        stream.read(1)  # makes gzip verify its checksum where the voxels end the file
    return LabelVolume(array, header.affine, counts, rows, (*header.notes, *about))


def _voxels(stream: BinaryIO, header: NiftiHeader, name: str) -> tuple[NDArray[Any], dict[int, int]]:
    ni, nj, nk = header.shape
    array: NDArray[Any] = np.zeros(header.shape, dtype=np.uint8, order="F")
    counts: dict[int, int] = {}
    step = max(1, SLAB_VOXELS // (ni * nj))
    for start in range(0, nk, step):
        stop = min(start + step, nk)
        data = _exactly(stream, ni * nj * (stop - start) * header.dtype.itemsize, name)
        slab = _whole_values(np.frombuffer(data, dtype=header.dtype), header, name)
        _count(slab, counts, name)
        if slab.dtype.itemsize > array.dtype.itemsize:
            array = array.astype(slab.dtype)
        array[:, :, start:stop] = slab.reshape((ni, nj, stop - start), order="F")
    return array, counts


def _whole_values(stored: NDArray[Any], header: NiftiHeader, name: str) -> NDArray[Any]:
    """Stored values as the smallest unsigned type, or a LabelsError that says what they are instead."""
    values = stored
    if header.slope != 1.0 or header.intercept != 0.0:
        values = values.astype(np.float64) * header.slope + header.intercept
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise LabelsError(f"The label map '{name}' holds NaN or infinite values: export it as whole numbers.")
        if not np.array_equal(np.rint(values), values):
            raise NotLabelsError(
                f"'{name}' holds fractional values, as a probability map does: threshold it and export the label map."
            )
    low, high = values.min(), values.max()
    if low < 0:
        raise NotLabelsError(
            f"'{name}' holds negative values (down to {float(low):g}), as a CT does: give a label map, whose values "
            "count from 0."
        )
    for dtype in _UNSIGNED:
        if high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    raise LabelsError(f"The label map '{name}' holds the value {float(high):g}: label values go up to 4294967295.")


def _count(slab: NDArray[Any], counts: dict[int, int], name: str) -> None:
    if slab.dtype.itemsize <= 2:
        numbers = np.bincount(slab)
        found = np.flatnonzero(numbers)
        pairs = zip(found.tolist(), numbers[found].tolist(), strict=True)
    else:
        values, repeats = np.unique(slab, return_counts=True)
        pairs = zip(values.tolist(), repeats.tolist(), strict=True)
    for value, number in pairs:
        if value:
            counts[value] = counts.get(value, 0) + number
    if len(counts) > MAX_CLASSES:
        raise NotLabelsError(
            f"'{name}' holds more than {MAX_CLASSES} different values, as an image does: give a label map."
        )


def _exactly(stream: BinaryIO, wanted: int, name: str) -> bytearray:
    data = bytearray(max(wanted, 0))
    window = memoryview(data)
    done = 0
    while done < wanted:
        chunk = stream.read(min(_CHUNK, wanted - done))
        if not chunk:
            raise _truncated(name)
        window[done : done + len(chunk)] = chunk
        done += len(chunk)
    return data


def _truncated(name: str) -> LabelsError:
    return LabelsError(f"The label map '{name}' ends before its last voxel: it is truncated, so fetch it again.")


def _extension_names(between: bytes) -> tuple[tuple[tuple[int, str], ...], tuple[str, ...]]:
    """Names from a Caret/Connectome Workbench label table in the NIfTI header extensions.

    The extension block is four flag bytes, then chunks of size, code (32 bit each) and content (NIfTI-1, field
    `extension`). Documents with a DTD or entities are not parsed.
    """
    if len(between) < 12 or between[0] == 0:
        return (), ()
    if len(between) > _EXTENSION_BYTES:
        return (), ("the header extension of the label map is too large to be read for names",)
    little = 8 <= int.from_bytes(between[4:8], "little") <= len(between)
    order: Literal["little", "big"] = "little" if little else "big"
    at = 4
    while at + 8 <= len(between):
        size = int.from_bytes(between[at : at + 4], order)
        if size < 8 or at + size > len(between):
            break
        content = between[at + 8 : at + size].rstrip(b"\0 \r\n\t")
        if b"<LabelTable" in content:
            return _label_table(content)
        at += size
    return (), ()


def _label_table(content: bytes) -> tuple[tuple[tuple[int, str], ...], tuple[str, ...]]:
    unreadable = ("the names in the header of the label map cannot be read",)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        return (), unreadable
    try:
        root = ElementTree.fromstring(content)  # noqa: S314  (bounded, and without DTD nothing can expand)
        rows = [(int(label.get("Key", "")), (label.text or "").strip()) for label in root.iter("Label")]
    except (ElementTree.ParseError, ValueError, LookupError):
        return (), unreadable
    if any(value > _LARGEST for value, _ in rows):
        return (), unreadable
    return tuple((value, name) for value, name in rows if name), ()
