"""What may be opened: what lies under the configured roots, and what was uploaded; named by id, never by path.

An id is a hash of where something lies, so it is the same after a restart; only what a walk of the roots has found
has one. Links that lead out of a root are not followed.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.trace_view import printable
from agent.web.found import Found, Source, SourceKind, with_labels
from agent.web.peek import Peek, peek

MOST_ENTRIES = 50_000
"""Files and folders that one walk looks at."""
MOST_SOURCES = 2_000
_FEW_MASKS = 4
"""From so many masks on one grid a folder is taken for a folder of masks, and shown as one."""
_FRESH_SECONDS = 2.0
_LONGEST_NAME = 200


@dataclass
class _Walk:
    left: int = MOST_ENTRIES
    cut: bool = False
    found: list[Found] = field(default_factory=list)


class Sources:
    """Finds sources under the roots and among the uploads.

    Args:
        roots: folders whose content may be opened.
        uploads: folder with one subfolder an upload.
    """

    def __init__(self, roots: tuple[Path, ...], uploads: Path) -> None:
        self._roots = tuple(dict.fromkeys(root.expanduser().resolve() for root in roots))
        self._uploads = uploads.resolve()
        self._peeks: dict[tuple[str, int, int, bool], Peek] = {}
        self._found: dict[str, Found] = {}
        self._cut = False
        self._looked = -_FRESH_SECONDS
        self._lock = threading.Lock()

    def every(self) -> tuple[list[Source], bool]:
        """All sources, and whether there were more than are listed."""
        with self._lock:
            self._look()
            return [one.source for one in self._found.values()], self._cut

    def path(self, ident: str) -> Path | None:
        """Where a source lies; None where there is none (any more)."""
        with self._lock:
            if ident not in self._found:
                self._looked = -_FRESH_SECONDS
                self._look()
            found = self._found.get(ident)
        # It may have been replaced by a link that leads elsewhere since it was found.
        return found.path if found is not None and self._inside(found.path) else None

    def leading_out(self, folder: Path) -> str | None:
        """Name of a link below a folder that leads out of the roots; None where there is none, or for a file.

        Readers of folders open every file there, linked ones too.
        """
        for place, _, names in os.walk(folder):
            for name in names:
                path = Path(place) / name
                if path.is_symlink() and path.exists() and not self._inside(path):
                    return name
        return None

    def get(self, ident: str) -> Source | None:
        """A source by its id."""
        if self.path(ident) is None:
            return None
        with self._lock:
            found = self._found.get(ident)
        return found.source if found is not None else None

    def at(self, path: Path) -> Source | None:
        """The source that lies at a path, looked for anew."""
        self.changed()
        with self._lock:
            self._look()
            return next((one.source for one in self._found.values() if one.path == path), None)

    def changed(self) -> None:
        """Look anew at the next question."""
        with self._lock:
            self._looked = -_FRESH_SECONDS

    def _look(self) -> None:
        if time.monotonic() - self._looked < _FRESH_SECONDS:
            return
        walk = _Walk()
        names = _unique([root.name or str(root) for root in self._roots])
        for root, name in zip(self._roots, names, strict=True):
            if root.is_file():
                self._add_file(walk, root, root.parent, name)
            elif root.is_dir():
                self._folders(walk, root, name)
        if self._uploads.is_dir():
            self._folders(walk, self._uploads, "uploads", uploaded=True)
        self._found = {one.source.id: one for one in with_labels(walk.found[:MOST_SOURCES])}
        self._cut = walk.cut or len(walk.found) > MOST_SOURCES
        self._looked = time.monotonic()

    def _folders(self, walk: _Walk, root: Path, name: str, *, uploaded: bool = False) -> None:
        ahead = [root]
        while ahead:
            ahead += reversed(self._folder(walk, ahead.pop(), root, name, uploaded=uploaded))

    def _folder(self, walk: _Walk, folder: Path, root: Path, name: str, *, uploaded: bool) -> list[Path]:
        """Look at the files of a folder; its folders are still to be looked at."""
        files, folders = _listed(walk, folder)
        here: list[Found] = []
        series: Found | None = None
        files = [path for path in files if self._inside(path)]
        for path in files:
            seen = self._peek(path)
            if seen.what == "dicom" and not uploaded:
                if series is None:
                    # One series or several: whoever opens the folder chooses.
                    size = sum(_size(one) for one in files)
                    seen = self._peek(path, place=True)
                    series = _found(folder, root, name, "dicom", size, seen, uploaded)
            elif seen.what is not None:
                here.append(_found(path, root, name, seen.what, _size(path), seen, uploaded))
        # A folder is read for its NIfTI masks; a DICOM SEG holds several structures, and is opened by itself.
        masks = [one for one in here if one.source.kind == "labels" and one.peek.grid is not None]
        if len(masks) >= _FEW_MASKS and len(masks) >= len(here) - 1:
            size = sum(one.source.bytes for one in masks)
            together = _found(folder, root, name, "masks", size, masks[0].peek, uploaded, shared=series is not None)
            here = [one for one in here if one not in masks] + [together]
        walk.found += [*([series] if series is not None else []), *here]
        return folders

    def _add_file(self, walk: _Walk, path: Path, root: Path, name: str) -> None:
        seen = self._peek(path)
        if seen.what is not None:
            walk.found.append(_found(path, root, name, seen.what, _size(path), seen, uploaded=False))

    def _peek(self, path: Path, *, place: bool = False) -> Peek:
        try:
            status = path.stat()
        except OSError:
            return Peek(None)
        key = (str(path), status.st_size, status.st_mtime_ns, place)
        if key not in self._peeks:
            if len(self._peeks) > MOST_ENTRIES:
                self._peeks.clear()
            self._peeks[key] = peek(path, place=place)
        return self._peeks[key]

    def _inside(self, path: Path) -> bool:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return False
        return any(real == root or root in real.parents for root in (*self._roots, self._uploads))


def _listed(walk: _Walk, folder: Path) -> tuple[list[Path], list[Path]]:
    files: list[Path] = []
    folders: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                walk.left -= 1
                if walk.left < 0:
                    walk.cut = True
                    break
                if entry.name.startswith("."):
                    continue
                with suppress(OSError):  # a link that leads to itself
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(folder / entry.name)
                    elif entry.is_file():
                        files.append(folder / entry.name)
    except OSError:
        return [], []  # what may not be read is not there to be opened
    return sorted(files), sorted(folders)


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it has gone since it was listed."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _found(
    path: Path, root: Path, name: str, kind: SourceKind, size: int, seen: Peek, uploaded: bool, *, shared: bool = False
) -> Found:  # fmt: skip
    below = path.relative_to(root).as_posix()
    # A folder that holds a series and its masks is two sources.
    place = f"{root}\0{below}\0{kind}" if shared else f"{root}\0{below}"
    ident = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    shown = below if below != "." else root.name
    if uploaded:
        shown = path.name
    source = Source(
        id=f"src-{ident}", name=printable(shown, _LONGEST_NAME), root=printable(name, _LONGEST_NAME), kind=kind,
        bytes=size, uploaded=uploaded,
    )  # fmt: skip
    return Found(source, path, seen)


def _unique(names: list[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, start=1)]
