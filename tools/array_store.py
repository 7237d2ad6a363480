"""Content-addressed store of arrays: masks, crops, embeddings. State holds their keys, never the arrays.

An array's address is the hash of everything that it depends on, never a file's name. Entries carry a checksum: a
damaged one counts as missing and is made anew, so the store can be deleted at any time. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from agent.errors import UsageError
from retrieval.files import write_whole
from tools.types import canonical_json

MAX_BYTES = 8 << 30
"""An entry that claims to hold more is taken for damaged."""
_META = "__meta__"


@dataclass(frozen=True)
class Stored:
    """What an entry holds.

    Attributes:
        arrays: arrays by name.
        meta: plain values that belong to them.
    """

    arrays: Mapping[str, NDArray[Any]]
    meta: Mapping[str, JsonValue]


class ArrayStore:
    """Named arrays with plain values by content address, one compressed file each, written atomically."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Where the entry of a key lies."""
        return self.root / "arrays" / key[:2] / f"{key}.npz"

    def get(self, key: str) -> Stored | None:
        """What is stored under `key`, None where there is nothing or where it was damaged."""
        try:
            with zipfile.ZipFile(self.path(key)) as archive:
                if sum(one.file_size for one in archive.infolist()) > MAX_BYTES:
                    return None
            with np.load(self.path(key), allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files if name != _META}
                told = json.loads(bytes(held[_META]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error):
            return None
        if not isinstance(told, dict) or not isinstance(told.get("meta"), dict):
            return None
        if told.get("checksum") != _checksum(key, arrays, told["meta"]):
            return None
        return Stored(arrays, told["meta"])

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, JsonValue] | None = None) -> None:
        """Store arrays under `key`; a reader sees all of them or nothing.

        Raises:
            UsageError: the folder cannot be made or written.
        """
        plain = dict(meta or {})
        told = canonical_json({"checksum": _checksum(key, arrays, plain), "meta": plain}).encode()
        everything = {**arrays, _META: np.frombuffer(told, dtype=np.uint8)}
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda file: np.savez_compressed(file, allow_pickle=False, **everything))
        except OSError as error:
            why = error.strerror or error
            raise UsageError(
                f"The cache {self.root} cannot be written ({why}); choose another with TUMORTRACE_CACHE."
            ) from error


def _checksum(key: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, JsonValue]) -> str:
    """Checksum of an entry; it covers the address, so that an entry moved to another one counts as damaged."""
    digest = hashlib.sha256(canonical_json([key, dict(meta)]).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\n{array.dtype.str}{array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
