"""A folder of files that can be made again, which takes no more than its room: the least recently used go first."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.files import atomic_write

_FILLED = 0.9
"""What is left once something had to go, as a part of the room, so that not every new file makes others go."""
_DRAFT = ".new-"
"""How names of files begin that are being written (`retrieval.files.write_whole`)."""
_DRAFT_SECONDS = 3600.0
"""A draft that old belongs to nobody any more."""


@dataclass(frozen=True)
class _File:
    path: Path
    size: int
    used: int


class BoundedFolder:
    """Files by name, read and written whole, from any thread; several processes may share the folder.

    A file that goes while it is read is read to its end: its name goes, its content stays for who has it open
    (POSIX unlink(2)). The time of its last change says when a file was last used.

    Args:
        folder: made when something is first kept; nothing else may lie in it.
        room: bytes that its files may take together.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder
        self._room = room
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is not kept."""
        path = self._folder / name
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # it may have gone since, or the disk cannot be written
            os.utime(path)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep a file, if there is room for it at all; a disk that cannot be written is told to the log only."""
        if len(content) > self._room:
            return
        try:
            with self._lock:
                self._make_room(len(content), name)
                atomic_write(self._folder / name, content)
        except OSError as error:
            logging.getLogger(__name__).warning("a file could not be kept in %s: %s", self._folder, error)

    def _make_room(self, size: int, name: str) -> None:
        files = [one for one in self._files() if one.path.name != name]
        taken = sum(one.size for one in files)
        if taken + size <= self._room:
            return
        left = min(int(self._room * _FILLED), self._room - size)
        for one in sorted(files, key=lambda one: (one.used, one.path.name)):
            if taken <= left:
                return
            with suppress(OSError):
                one.path.unlink(missing_ok=True)
                taken -= one.size

    def _files(self) -> list[_File]:
        found: list[_File] = []
        if not self._folder.is_dir():
            return found
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has deleted it meanwhile
                    status = entry.stat(follow_symlinks=False)
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    if entry.name.startswith(_DRAFT):
                        if time.time() - status.st_mtime > _DRAFT_SECONDS:
                            Path(entry.path).unlink(missing_ok=True)
                        continue
                    found.append(_File(Path(entry.path), status.st_size, status.st_mtime_ns))
        return found
