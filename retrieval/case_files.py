"""Files of a case base: one writer at a time, checksums before anything is read, the manifest last.

A generation is written beside the old one; only the rename of the manifest makes it the current one. Whatever an
interrupted writer left is swept away by the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydantic

from agent.errors import IntegrityError, UsageError
from retrieval.case_model import FORMAT, Manifest, StoredFile
from retrieval.files import sync_folder, write_whole

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 16 << 20
_LOCK = ".lock"
_OURS = re.compile(r"(index|cases|vectors)-[0-9]{6,12}(-[0-9]{4,8})?\.(faiss|sqlite|npz)(-journal)?|\.new-\w+")
_CHUNK = 1 << 20


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Be the only one who writes to a case base.

    Raises:
        UsageError: somebody else does, or the folder cannot be written.
    """
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise UsageError(f"The case base {folder} cannot be written ({error.strerror}): check the folder.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"The case base {folder} is being changed by another process: wait for it.") from None
        yield
    finally:
        os.close(descriptor)


def stored(path: Path) -> StoredFile:
    """Make a written file durable, and describe it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return StoredFile(name=path.name, bytes=path.stat().st_size, sha256=_digest(path))


def verified(folder: Path, told: StoredFile) -> Path:
    """Path of a file whose size and checksum are those of the manifest.

    Raises:
        FileNotFoundError: it is not there (any more).
        IntegrityError: it was changed.
    """
    path = folder / told.name
    if path.is_symlink() or path.stat().st_size != told.bytes or _digest(path) != told.sha256:
        raise IntegrityError(f"{path} is damaged: it is not what was written; restore it, or build the index anew.")
    return path


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the current generation.

    Raises:
        UsageError: there is no case base, or one of another format.
        IntegrityError: the manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise IntegrityError(f"{path} is too large for the manifest of a case base: build the index anew.")
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"There is no case base in {folder}: make one with tumortrace index build.") from None
    except OSError as error:
        raise UsageError(f"The case base {folder} cannot be read ({error.strerror}): check the folder.") from error
    except (ValueError, RecursionError):
        raise IntegrityError(f"{path} is damaged: it is no JSON; restore it, or build the index anew.") from None
    body = told.get("manifest") if isinstance(told, dict) else None
    if not isinstance(body, dict) or told.get("sha256") != _plain_digest(body):
        raise IntegrityError(f"{path} is damaged: it is not what was written; restore it, or build the index anew.")
    if body.get("format") != FORMAT:
        raise UsageError(f"The case base {folder} has another format than this program reads: build the index anew.")
    try:
        return Manifest.model_validate_json(json.dumps(body))
    except pydantic.ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise IntegrityError(f"{path} is damaged in {where}: restore it, or build the index anew.") from error


def publish(folder: Path, manifest: Manifest) -> None:
    """Make a generation, whose files are all written, the current one."""
    sync_folder(folder)
    body = json.loads(manifest.model_dump_json())
    content = json.dumps({"manifest": body, "sha256": _plain_digest(body)}, indent=1).encode()
    write_whole(folder / MANIFEST, lambda file: file.write(content))


def sweep(folder: Path, current: Manifest | None) -> None:
    """Remove our files that the current generation does not name."""
    kept = {one.name for one in current.files()} if current is not None else set()
    for path in folder.iterdir():
        if path.name not in kept and _OURS.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _plain_digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
