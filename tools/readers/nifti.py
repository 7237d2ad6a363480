"""NIfTI files as HU arrays, read slab by slab with bounded memory."""

from __future__ import annotations

import gzip
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from agent.errors import ScanError
from tools.readers.blob import Blob, kind_of
from tools.readers.buffer import HuBuffer
from tools.readers.geometry import stack_tilt
from tools.readers.limits import MIB, PARSE_FAULTS, ReadLimits
from tools.readers.nifti_header import NiftiHeader, read_header
from tools.volume import Scan, ScanHeader

DEFLATE_LIMIT = 1040
"""Deflate cannot expand by more than about 1032 to 1, so that a larger claim is a lie."""


def read_nifti(blob: Blob, limits: ReadLimits) -> Scan:
    """Read a NIfTI-1 or NIfTI-2 file, plain or gzip-compressed, as a scan in canonical axis order.

    The scaling of the header is applied exactly once. A file with four dimensions and one volume is read as
    three-dimensional, with a note.

    Raises:
        ScanError: if the file is truncated, not NIfTI, not three-dimensional, too large, or holds NaN.
    """
    zipped = kind_of(blob.head()) == "gzip"
    try:
        with blob.open() as raw:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb")) if zipped else raw
            header = read_header(stream, blob.name, limits)
            room = blob.size * (DEFLATE_LIMIT if zipped else 1)
            if header.offset + header.data_bytes > room:
                raise _truncated(blob.name)
            if zipped:
                _check_ratio(header.data_bytes, blob, limits)
            buffer = _read_voxels(stream, header, blob.name)
    except (EOFError, gzip.BadGzipFile) as error:
        raise _truncated(blob.name) from error
    except PARSE_FAULTS as error:
        raise ScanError(f"'{blob.name}' is damaged ({type(error).__name__}): fetch it again.") from error
    if buffer.not_finite:
        raise ScanError(
            f"'{blob.name}' has {buffer.not_finite} voxels that are not a number (NaN or "
            "infinite): export it "
            "again with a padding value instead."
        )
    hu, grid, orientation = buffer.finish()
    about = ScanHeader(
        source="nifti", tilt_degrees=stack_tilt(grid.affine), synthetic=header.synthetic, notes=header.notes
    )
    return Scan(hu=hu, grid=grid, orientation=orientation, header=about)


def _check_ratio(claimed: int, blob: Blob, limits: ReadLimits) -> None:
    # The noise of a CT leaves a few to one; only what is all but empty comes near the limit.
    if claimed > limits.zip_ratio_floor and claimed > limits.max_zip_ratio * blob.size:
        raise ScanError(
            f"'{blob.name}' would unpack to {claimed // blob.size} times its size, as no CT does: unpack it yourself "
            "if you trust it and give the .nii file."
        )


def _read_voxels(stream: BinaryIO, header: NiftiHeader, name: str) -> HuBuffer:
    skip = header.offset - stream.tell()
    while skip > 0:
        step = len(stream.read(min(skip, MIB)))
        if step == 0:
            raise _truncated(name)
        skip -= step
    buffer = HuBuffer(header.shape, header.affine)
    ni, nj, nk = header.shape
    while buffer.filled < nk:
        count = min(buffer.slices_at_once(), nk - buffer.filled)
        stored = _read_array(stream, ni * nj * count, header.dtype, name)
        buffer.put(stored.reshape((ni, nj, count), order="F"), header.slope, header.intercept)
    stream.read(1)  # makes gzip and zip verify their checksum where the voxels end the file
    return buffer


def _read_array(stream: BinaryIO, count: int, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    wanted = count * dtype.itemsize
    data = bytearray(wanted)
    window = memoryview(data)
    done = 0
    while done < wanted:
        chunk = stream.read(min(MIB, wanted - done))
        if not chunk:
            raise _truncated(name)
        window[done : done + len(chunk)] = chunk
        done += len(chunk)
    return np.frombuffer(data, dtype=dtype)


def _truncated(name: str) -> ScanError:
    return ScanError(f"'{name}' ends before its last voxel: it is truncated or damaged, so fetch it again.")
