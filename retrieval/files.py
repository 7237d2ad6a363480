"""Writing files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place, make it durable, and put it there; a broken attempt leaves nothing.

    The draft replaces the target in one rename (POSIX rename(2)); then the folder is synced, so that the new name
    survives a power cut. Who may read the file follows from the process's umask, as for any other file.

    Args:
        path: the file; its folder must exist.
        write: writes the content to an open file.

    Raises:
        OSError: the folder cannot be written; the target is then untouched.
    """
    draft = path.parent / f".new-{secrets.token_hex(8)}"
    try:
        # "x": no link that somebody put there is ever followed.
        with draft.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (fsync of the directory).

    Raises:
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
