"""Writing files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path


def atomic_write(path: Path, data: bytes | str) -> str:
    """Write a file whole or not at all, durably.

    The data goes to a temporary file in the same folder, is synced, and replaces the target in one rename
    (POSIX rename(2)); then the folder is synced, so that the new name survives a power cut.

    Args:
        path: the file to write; its folder is made where it does not exist.
        data: bytes, or text to be encoded as UTF-8.

    Returns:
        SHA-256 (hex) of the bytes written.

    Raises:
        OSError: where the folder cannot be written; the target is then untouched.
    """
    content = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f".{path.name[:40]}.{secrets.token_hex(6)}.tmp"
    try:
        # "x": no link that somebody put there is ever followed.
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return hashlib.sha256(content).hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (fsync of the directory).

    Raises:
        OSError: where the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
