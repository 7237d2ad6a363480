"""Zip archives, read entry by entry in memory: nothing is ever written to disk.

Sizes are checked as the directory of the archive states them. It may lie, but an entry never yields more bytes
than it states (zipfile stops there and then finds the checksum wrong), so that the checked sum bounds the work.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, cast

from agent.errors import ScanError
from tools.readers.blob import Blob
from tools.readers.limits import MIB, PARSE_FAULTS, ReadLimits

_ENCRYPTED = 0x1


@contextmanager
def zip_blobs(path: Path, limits: ReadLimits) -> Iterator[list[Blob]]:
    """Open a zip and yield its files as blobs, in name order; they are usable while the context is open.

    Folders, hidden files and resource forks are left out. Entries that are zips themselves are yielded as any
    other file, and nothing descends into them.

    Raises:
        ScanError: if the archive is broken, encrypted, too large, or names entries outside itself.
    """
    try:
        archive = zipfile.ZipFile(path)
    except PARSE_FAULTS as error:
        raise ScanError(f"'{path.name}' is not a readable zip: it may be truncated, so fetch it again.") from error
    with archive:
        entries = archive.infolist()
        _check_sizes(path.name, entries, limits)
        for entry in entries:
            _check_entry(path.name, entry)
        yield [
            _entry_blob(archive, entry) for entry in sorted(entries, key=lambda item: item.filename) if _wanted(entry)
        ]


def _check_sizes(name: str, entries: list[zipfile.ZipInfo], limits: ReadLimits) -> None:
    if len(entries) > limits.max_files:
        raise ScanError(f"'{name}' holds {len(entries)} entries, more than the limit of {limits.max_files}.")
    total = sum(entry.file_size for entry in entries)
    if total > limits.max_zip_bytes:
        raise ScanError(
            f"'{name}' would unpack to {total // MIB} MiB, more than the limit of "
            f"{limits.max_zip_bytes // MIB} "
            "MiB: unpack it yourself if you trust it and give the folder."
        )
    packed = sum(entry.compress_size for entry in entries)
    if total > limits.zip_ratio_floor and total > limits.max_zip_ratio * max(packed, 1):
        raise ScanError(
            f"'{name}' would unpack to {total // max(packed, 1)} times its size, as a zip bomb "
            "does: unpack it "
            "yourself if you trust it and give the folder."
        )


def _check_entry(name: str, entry: zipfile.ZipInfo) -> None:
    inside = entry.orig_filename.replace("\\", "/")
    windows = PureWindowsPath(inside)
    if ".." in PurePosixPath(inside).parts or inside.startswith("/") or windows.drive or "\0" in inside:
        raise ScanError(f"'{name}' names an entry outside of itself: it is not safe to open, so pack it again.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ScanError(f"'{name}' contains a symbolic link: it is not safe to open, so pack the files themselves.")
    if entry.flag_bits & _ENCRYPTED:
        raise ScanError(f"'{name}' is protected by a password: unpack it and give the folder.")


def _wanted(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not entry.is_dir() and entry.file_size > 0 and not hidden


def _entry_blob(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Blob:
    def open_entry() -> BinaryIO:
        return cast(BinaryIO, archive.open(entry))

    return Blob(name=entry.filename, size=entry.file_size, open=open_entry)
