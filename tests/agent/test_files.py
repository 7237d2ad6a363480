from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from agent.files import atomic_write


def test_bytes_and_text_are_written_with_their_hash(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.md"
    assert atomic_write(target, "5 cm³") == hashlib.sha256("5 cm³".encode()).hexdigest()
    assert atomic_write(target, b"\0\1") == hashlib.sha256(b"\0\1").hexdigest()
    assert target.read_bytes() == b"\0\1"
    assert [path.name for path in target.parent.iterdir()] == ["report.md"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.json"
    atomic_write(target, "old")

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        atomic_write(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
