"""Files are written whole or not at all, for whom the umask lets read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.files import write_whole


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "made", lambda file: file.write(b"1"))
    (tmp_path / "plain").write_bytes(b"1")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("made", "plain")}
    assert modes == {0o666 & ~umask}


def test_a_broken_attempt_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "one"
    write_whole(target, lambda file: file.write(b"old"))

    def break_off(file: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(target, break_off)
    assert [path.name for path in tmp_path.iterdir()] == ["one"] and target.read_bytes() == b"old"


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    write_whole(tmp_path / "link", lambda file: file.write(b"ours"))
    assert (tmp_path / "other").read_bytes() == b"theirs" and not (tmp_path / "link").is_symlink()


def test_the_folder_is_synced_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[bool, bool]] = []

    def watched(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "one").exists()))

    monkeypatch.setattr(os, "fsync", watched)
    write_whole(tmp_path / "one", lambda file: file.write(b"1"))
    assert synced == [(False, False), (True, True)]
