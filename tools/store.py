"""Content-addressed store of tool results.

A result's address is the hash of everything that it depends on (`Tool.key`), never a file's name. Entries carry
a checksum: a damaged one counts as missing and is made anew, so the store can be deleted at any time.
"""

from __future__ import annotations

from pathlib import Path

import pydantic
from pydantic import BaseModel, ConfigDict

from agent.errors import UsageError
from retrieval.files import write_whole
from tools.types import Evidence, canonical_json, content_hash


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    checksum: str
    evidence: list[Evidence]


class Store:
    """Evidence by content address, one small JSON file each, written atomically."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, key: str) -> Path:
        return self.root / "evidence" / key[:2] / f"{key}.json"

    def get(self, key: str) -> list[Evidence] | None:
        """The evidence stored under `key`, None where there is none or where it was damaged."""
        path = self._path(key)
        try:
            entry = _Entry.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError, pydantic.ValidationError):
            return None
        if entry.checksum != _checksum(key, entry.evidence):
            return None
        return entry.evidence

    def put(self, key: str, evidence: list[Evidence]) -> None:
        """Store evidence under `key`; a reader sees all of it or nothing.

        Raises:
            UsageError: the folder cannot be made or written.
        """
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, key, evidence)
        except OSError as error:
            why = error.strerror or error
            raise UsageError(
                f"The cache {self.root} cannot be written ({why}); choose another with TUMORTRACE_CACHE."
            ) from error

    def _write(self, path: Path, key: str, evidence: list[Evidence]) -> None:
        text = canonical_json(
            _Entry(checksum=_checksum(key, evidence), evidence=evidence).model_dump(mode="json")
        ).encode()
        write_whole(path, lambda file: file.write(text))


def _checksum(key: str, evidence: list[Evidence]) -> str:
    """Checksum of an entry; it covers the address, so that an entry moved to another one counts as damaged."""
    return content_hash([key, [item.model_dump(mode="json") for item in evidence]])
