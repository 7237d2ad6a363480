"""Raw vectors on disk, in segments that are written once: what the index is built from anew."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from agent.errors import IntegrityError
from retrieval.case_files import stored, verified
from retrieval.case_model import StoredFile
from retrieval.index_model import FloatRows, Ids

SEGMENT_BYTES = 128 << 20
"""Vectors of one segment; it is read whole."""


def rows_per_segment(dimension: int) -> int:
    """How many vectors a segment holds at most."""
    return max(1, SEGMENT_BYTES // (4 * dimension))


def write_segment(path: Path, ids: Ids, rows: FloatRows) -> StoredFile:
    """Write ids (n,) and raw vectors (n, dimension)."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, ids=ids, vectors=rows)
    return stored(path)


def read_segments(
    folder: Path, segments: Sequence[StoredFile], dimension: int, live: Ids
) -> Iterator[tuple[Ids, FloatRows]]:
    """Segments one by one, without the vectors that were deleted.

    Args:
        folder: of the case base.
        segments: of the generation.
        dimension: length of a vector.
        live: ids that are held, sorted.

    Raises:
        IntegrityError: one of them is not what was written.
    """
    for one in segments:
        ids, rows = _read(verified(folder, one), dimension)
        kept = np.isin(ids, live, assume_unique=True)
        if kept.any():
            yield ids[kept], rows[kept]


def _read(path: Path, dimension: int) -> tuple[Ids, FloatRows]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > 2 * SEGMENT_BYTES:
                raise IntegrityError(f"{path} claims to hold more than a segment may: build the index anew.")
        with np.load(path, allow_pickle=False) as held:
            ids, rows = held["ids"], held["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{path} holds no vectors: restore it, or build the index anew.") from error
    if ids.dtype != np.int64 or rows.dtype != np.float32 or rows.shape != (len(ids), dimension):
        raise IntegrityError(f"{path} holds other vectors than its manifest tells: build the index anew.")
    return ids, rows
