"""A disk that is full or cannot be written."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from agent.disk import disk_fault
from agent.errors import UsageError
from agent.runs import Runs


def test_a_full_database_is_told() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.executescript("CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000));")
    connection.close()
    assert str(disk_fault(caught.value)).startswith("The disk is full: make room")


@pytest.mark.parametrize(
    ("code", "what"),
    [(errno.ENOSPC, "is full"), (errno.EDQUOT, "is full"), (errno.EROFS, "cannot be written")],
    ids=["full", "quota", "read-only"],
)
def test_a_file_that_cannot_be_written_is_told_with_its_place(code: int, what: str) -> None:
    error = RuntimeError("a tool ended")
    error.__cause__ = OSError(code, "why", "/somewhere/report.md")
    assert f"(/somewhere/report.md) {what}: " in str(disk_fault(error))


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "x"), sqlite3.OperationalError("no such table: a"), ValueError("x")], ids=repr
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert disk_fault(error) is None


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UsageError, match=r"^The home folder .*home cannot be made .*TUMORTRACE_HOME\.$"):
        Runs(tmp_path / "home").create()
