"""Which weights a model has: a digest of its files, remembered as long as they stay as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from agent.errors import ToolError
from retrieval.files import write_whole

MEMO = "weights.json"
MAX_MEMO_BYTES = 4 << 20
MAX_JSON_BYTES = 16 << 20
INSTALL = "uv pip install -c constraints.txt -c constraints-cpu.txt '.[{extra}]'"
_DIGITS = 16


def installed(*modules: str) -> bool:
    """Whether modules can be imported; imports none of them."""
    return all(find_spec(one) is not None for one in modules)


def not_installed(extra: str) -> str:
    """What is missing where an extra is not installed, as one clause."""
    return f"it is not installed ({INSTALL.format(extra=extra)})"


def version_of(*distributions: str) -> str:
    """Names and versions of distributions."""

    def one(name: str) -> str:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            return name

    return ", ".join(one(name) for name in distributions)


def digest(files: Sequence[Path], root: Path, cache: Path) -> str:
    """Digest over names, sizes and content of files.

    Content is read once; a file of the same size and times of change is taken to be the same later on.

    Args:
        files: the files.
        root: folder below which their names are told.
        cache: folder of the memo.

    Raises:
        ToolError: a file cannot be read, as one clause.
    """
    memo = _read_memo(cache / MEMO)
    before = len(memo)
    whole = hashlib.sha256()
    try:
        for path in sorted(files):
            stat = path.stat()
            key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}|{stat.st_ino}"
            if key not in memo:
                with path.open("rb") as file:
                    memo[key] = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(root)}\0{stat.st_size}\0{memo[key]}\n".encode())
    except OSError as error:
        raise ToolError(f"{error.filename} cannot be read ({error.strerror})") from error
    if len(memo) > before:
        _write_memo(cache / MEMO, memo)
    return whole.hexdigest()[:_DIGITS]


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a file of a limited size.

    Raises:
        ToolError: it is missing, too large, or not an object, as one clause.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise ToolError(f"{path} is larger than {MAX_JSON_BYTES >> 20} MB")
        found = json.loads(content)
    except FileNotFoundError as error:
        raise ToolError(f"{path} is missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ToolError(f"{path} cannot be read ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise ToolError(f"{path} is not a JSON object")
    return found


def _read_memo(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_size > MAX_MEMO_BYTES:
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _write_memo(path: Path, memo: dict[str, str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(json.dumps(memo).encode()))
    except OSError:
        return  # A memo that cannot be kept costs time only.
