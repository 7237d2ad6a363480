"""Tables of cases: what is malicious or broken is one sentence, and bounded before it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agent.errors import UsageError
from agent.tables import TableRow, read_table

COLUMNS = ("scan", "labels", "note", "class_map")


class Row(BaseModel):
    """A row of two cells."""

    scan: Path
    note: int = 0


def rows(path: Path, content: bytes, **more: int) -> list[TableRow]:
    path.write_bytes(content)
    return list(read_table(path, COLUMNS, ("scan",), called="list", **more))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"scan\na\x00b\n", "Line 2 .* control characters in the column scan"),
        (b"scan,note\na,\x1b[2Jb\n", "control characters in the column note"),
        (b"scan,note\na,b\xc2\x9b31m\n", "control characters"),
        (b"scan," + b"x" * 5000 + b"\n", "unknown columns"), (b"scan,scan\na,b\n", "twice"),
        (b"note\na\n", "has no column"), (b"", "has no column"), (b"scan\n\n\n", "has 0 rows"),
        (b"scan,note\n ,b\n", "Line 2 .*names no scan"), (b'scan\n"a', "not valid CSV"), (b"scan\n\xff", "UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_short_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said) as found:
        rows(tmp_path / "list.csv", content)
    message = str(found.value)
    assert "\n" not in message and message.isprintable() and len(message) < 500 + len(str(tmp_path))


def test_rows_beyond_the_limit_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 3 rows"):
        # The broken fifth row is never reached.
        rows(tmp_path / "list.csv", b'scan\na\nb\nc\nd\n"', max_rows=3)
    with pytest.raises(UsageError, match="larger than"):
        rows(tmp_path / "list.csv", b"scan\na\n", max_bytes=6)
    assert len(rows(tmp_path / "list.csv", b"scan\na\n", max_bytes=7, max_rows=1)) == 1


def test_a_pipe_or_a_device_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is no file"):
            list(read_table(path, COLUMNS, ("scan",)))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_every_end_of_line_is_one(tmp_path: Path, ending: bytes) -> None:
    found = rows(tmp_path / "list.csv", ending.join([b"\xef\xbb\xbfScan ,note", b'"a, b",1', b"", b"c,"]))
    assert [row.cells for row in found] == [{"scan": "a, b", "note": "1"}, {"scan": "c"}]
    assert [row.checked(Row, dict(row.cells)).note for row in found] == [1, 0]


def test_paths_are_relative_to_the_table_and_class_maps_are_names_or_files(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text("{}")
    (row,) = rows(tmp_path / "list.csv", b"scan,labels,class_map\nct.nii,a.nii| |/b.nii,total|-|own.json\n")
    assert row.path("scan") == tmp_path / "ct.nii" and row.paths("labels") == (tmp_path / "a.nii", Path("/b.nii"))
    assert row.class_map() == ("total", None, str(tmp_path / "own.json"))
    assert row.paths("note") == ()


def test_a_cell_that_a_model_refuses_is_told_by_line(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "list.csv", b"scan,note\na,much\n")
    with pytest.raises(UsageError, match=r"Line 2 .*: note: .*integer.*[^.]\.$"):
        row.checked(Row, dict(row.cells))


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    try:
        found = rows(path, b"scan,note\n" + content)
    except UsageError as error:
        assert str(error).isprintable()
    else:
        assert found and all(row.cells["scan"] for row in found)
