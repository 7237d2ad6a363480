"""Writing files of a run whole or not at all, with the hash that the trace records."""

from __future__ import annotations

import hashlib
from pathlib import Path

from retrieval.files import write_whole


def atomic_write(path: Path, data: bytes | str) -> str:
    """Write a file whole or not at all, durably, as `retrieval.files.write_whole` does.

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
    write_whole(path, lambda file: file.write(content))
    return hashlib.sha256(content).hexdigest()
