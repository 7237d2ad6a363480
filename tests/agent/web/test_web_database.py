"""The server's records: written once, read for ever, or refused with a sentence."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import UsageError
from agent.web.database import Database
from tests.scan_make import refused

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
OWN = {"id", "scan", "conversation", "created"}
RECORDS = st.dictionaries(st.text().filter(lambda name: name not in OWN), VALUES, max_size=5)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "deep" / "server.sqlite")


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), RECORDS), max_size=6))
def test_what_was_put_is_found_after_a_restart(puts: list[tuple[str, dict[str, object]]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "server.sqlite"
        database = Database(path)
        for ident, record in puts:
            database.put_run(ident, "scan", "talk", record)
            database.put_scan(ident, record)
        for link in (database, Database(path)):
            for ident, record in dict(puts).items():
                row = link.run(ident)
                assert row is not None
                assert {name: row[name] for name in row if name not in OWN} == record
            order = list(dict(puts))
            assert [one["id"] for one in link.runs(conversation="talk")] == order
            assert [one["id"] for one in link.scans()] == order[::-1]
            link.close()


def test_rows_by_scan_and_conversation(database: Database) -> None:
    for number, (scan, talk) in enumerate([("s1", "t1"), ("s1", None), ("s2", "t1"), ("s2", "t2")]):
        database.put_run(f"r{number}", scan, talk, {"n": number})
    assert [one["n"] for one in database.runs()] == [0, 1, 2, 3]
    assert [one["n"] for one in database.runs(scan="s1")] == [0, 1]
    assert [one["n"] for one in database.runs(conversation="t1")] == [0, 2]
    assert [one["n"] for one in database.runs(scan="s2", conversation="t1")] == [2]
    assert database.runs(scan="' OR 1=1 --") == []
    assert database.run("none") is None


def test_conversations(database: Database) -> None:
    database.add_conversation("t1", "s1")
    database.add_conversation("t2", "s1")
    assert database.conversation("t1") == {**(database.conversation("t1") or {}), "title": "", "scan": "s1"}
    database.touch_conversation("t1", "first words")
    database.touch_conversation("t1", "later words")
    database.put_run("r1", "s1", "t1", {})
    listed = {one["id"]: (one["title"], one["turns"]) for one in database.conversations()}
    assert listed == {"t1": ("first words", 1), "t2": ("", 0)}
    database.drop_conversation("t1")
    assert database.conversation("t1") is None
    left = database.run("r1")
    assert left is not None
    assert left["conversation"] is None
    assert database.conversation("none") is None


def test_only_the_last_are_listed_in_their_order(database: Database) -> None:
    for number in range(510):
        database.put_run(f"r{number}", "s", None, {"n": number})
    assert [one["n"] for one in database.runs()] == list(range(10, 510))


def test_what_was_opened_first_stays_so(database: Database) -> None:
    created = database.put_scan("s1", {"a": 1})
    assert database.put_scan("s1", {"a": 2}) == created
    assert database.scans() == [{"id": "s1", "created": created, "a": 2}]
    database.drop_scan("s1")
    assert database.scans() == []


def test_a_record_cannot_pose_as_another(database: Database) -> None:
    database.put_run("r1", "s1", "t1", {"id": "r2", "scan": "s2", "conversation": None, "created": "never"})
    row = database.run("r1")
    assert row is not None
    assert (row["id"], row["scan"], row["conversation"]) == ("r1", "s1", "t1")
    database.put_scan("s1", {"id": "s2"})
    assert database.scans()[0]["id"] == "s1"


@pytest.mark.parametrize(
    "data", [b"no database, but some text that is long enough to be one" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "server.sqlite"
    path.write_bytes(data)
    with pytest.raises(UsageError) as error:
        Database(path)
    assert str(path) in refused(error.value)
    assert path.read_bytes() == data


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError) as error:
        Database(tmp_path / "file" / "server.sqlite")
    refused(error.value)


def test_many_threads_write_at_once(database: Database) -> None:
    def put(number: int) -> None:
        for turn in range(20):
            database.put_run(f"r{number}-{turn}", "s", None, {"n": number})
            database.runs()

    threads = [threading.Thread(target=put, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.runs()) == 100


def test_a_change_that_fails_changes_nothing(database: Database, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        database.put_run("r1", "s", None, {"no json": object()})
    assert database.run("r1") is None
    database.put_run("r1", "s", None, {})
    with closing(sqlite3.connect(tmp_path / "deep" / "server.sqlite")) as link:
        assert link.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)
