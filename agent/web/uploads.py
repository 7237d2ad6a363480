"""Files that browsers send: written piece by piece under a name of ours, and looked at before they count."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from fastapi.concurrency import run_in_threadpool

from agent.errors import ScanError
from agent.web.config import GIB, ServeConfig
from agent.web.faults import Refused
from agent.web.peek import peek
from tools.readers.archive import zip_blobs
from tools.readers.limits import ReadLimits

_LONGEST = 120
_PLAIN = re.compile(r"[^\w.()+ -]", re.ASCII)
_PART = ".part"


class Uploads:
    """The folder of uploads: one subfolder each, with one file.

    Args:
        config: the server's limits.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.folder = config.state / "uploads"
        self._config = config
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    def clean(self) -> None:
        """Take away what was left unfinished when a server ended."""
        if self.folder.is_dir():
            for path in self.folder.glob(f"*/.*{_PART}"):
                shutil.rmtree(path.parent, ignore_errors=True)

    async def take(self, name: str, body: AsyncIterator[bytes], announced: int | None) -> Path:
        """Write an upload and look at what it is.

        Args:
            name: the file's name as the browser gives it; only its plain characters are used.
            body: the bytes.
            announced: how many they are said to be.

        Raises:
            Refused: it is too large, nothing that can be opened, or the disk is full.
        """
        place = self.folder / secrets.token_hex(8)
        await run_in_threadpool(self._reserve, place.name, announced or 0)
        final = place / _safe(name)
        part = place / f".{final.name}{_PART}"
        try:
            await run_in_threadpool(place.mkdir, parents=True)
            await self._write(part, body)
            await run_in_threadpool(_check, part, final.name)
            part.replace(final)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise Refused(507, "disk_full", f"The upload could not be written ({error.strerror or error}).") from error
        except BaseException:
            # Refused, or the browser went away: nothing stays behind.
            shutil.rmtree(place, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._under_way.pop(place.name, None)
        return final

    def drop(self, path: Path) -> None:
        """Delete an upload."""
        below = path.resolve().relative_to(self.folder.resolve())
        with suppress(FileNotFoundError):  # two deleted it at once
            shutil.rmtree(self.folder / below.parts[0])

    def _reserve(self, name: str, size: int) -> None:
        """Keep room for one upload, beside those that are written at the same time.

        Raises:
            Refused: there is less.
        """
        with self._lock:
            # Unlike a glob, a walk does not mind folders that vanish: refused uploads take theirs away.
            places = [Path(place) / name for place, _, names in os.walk(self.folder) for name in names]
            used = sum(_size(file) for file in places if file.parent.name not in self._under_way)
            others = sum(one for other, one in self._under_way.items() if other != name)
            if used + others + size > self._config.uploads_bytes:
                raise Refused(
                    413, "uploads_full",
                    f"The uploads together would pass their limit of {self._config.uploads_bytes / GIB:.1f} GiB: "
                    "delete some first.",
                )  # fmt: skip
            self._under_way[name] = size

    async def _write(self, part: Path, body: AsyncIterator[bytes]) -> None:
        written = 0
        name = part.parent.name
        with part.open("xb") as file:
            async for piece in body:
                written += len(piece)
                if written > self._config.upload_bytes:
                    raise Refused(413, "too_large", "The file is larger than this server takes.")
                # What was announced, if anything was, binds nobody.
                if written > self._under_way[name]:
                    await run_in_threadpool(self._reserve, name, written)
                await run_in_threadpool(file.write, piece)
            file.flush()
            await run_in_threadpool(os.fsync, file.fileno())
        if written == 0:
            raise Refused(422, "bad_input", "The file is empty (0 bytes): choose another one.")


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it has just got its name, or has gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check(path: Path, name: str) -> None:
    what = peek(path).what
    if what == "zip":
        # Counted and measured by its directory, before anything is unpacked.
        try:
            with zip_blobs(path, ReadLimits()):
                pass
        except ScanError as error:
            raise Refused(422, "bad_input", str(error).replace(path.name, name)) from error
    if what is None:
        raise Refused(
            422, "bad_input",
            f"'{name}' is neither a NIfTI file nor DICOM nor a zip of one scan: give a .nii or .nii.gz file, or a zip "
            "with the DICOM files of a series.",
        )  # fmt: skip


def _safe(name: str) -> str:
    """A name without folders and without anything but plain characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = _PLAIN.sub("_", last).strip(". ")[-_LONGEST:]
    return plain.lstrip(".-") or "upload"
