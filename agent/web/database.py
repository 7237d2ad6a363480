"""The server's own records, in one SQLite file: what was opened, the conversations, and which runs belong to them.

Traces and reports are the record of the runs themselves; this only finds them again after a restart.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.web.faults import Refused

_TABLES = """
CREATE TABLE IF NOT EXISTS scans (id TEXT PRIMARY KEY, record TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, scan TEXT NOT NULL, title TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, scan TEXT NOT NULL, conversation TEXT, created TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_of_conversation ON runs (conversation);
CREATE INDEX IF NOT EXISTS runs_of_scan ON runs (scan);
"""
MOST_LISTED = 500
_PATIENCE_SECONDS = 5
Row = dict[str, Any]


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Database:
    """Rows by id; every change is on the disk when its call returns. Who reads does not wait for who writes.

    Every call raises `Refused` where the file cannot be used just then: locked by another program, or a full disk.

    Args:
        path: the file; made with its folder where it is missing.

    Raises:
        UsageError: it cannot be opened or is no database.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _link(path)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.executescript(_TABLES)
            self._reader = _link(path)
        except (sqlite3.DatabaseError, OSError) as error:
            raise UsageError(
                f"The server's records {path} cannot be used ({error}); move the file away or choose another folder."
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading:
            self._reader.close()
            self._connection.close()

    def put_scan(self, ident: str, record: Mapping[str, Any]) -> str:
        """Remember how a scan was opened; when it was opened first (UTC, ISO 8601)."""
        with self._changing() as link:
            (row,) = link.execute(
                "INSERT INTO scans VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record "
                "RETURNING created",
                (ident, json.dumps(record), now()),
            ).fetchall()
        return str(row["created"])

    def scans(self) -> list[Row]:
        """How scans were opened, newest first."""
        rows = self._rows("SELECT * FROM scans ORDER BY created DESC, rowid DESC LIMIT ?", (MOST_LISTED,))
        return [{**_record(row), "id": row["id"], "created": row["created"]} for row in rows]

    def drop_scan(self, ident: str) -> None:
        """Forget how a scan was opened."""
        with self._changing() as link:
            link.execute("DELETE FROM scans WHERE id = ?", (ident,))

    def add_conversation(self, ident: str, scan: str) -> None:
        """Begin a conversation about a scan."""
        time = now()
        with self._changing() as link:
            link.execute("INSERT INTO conversations VALUES (?, ?, '', ?, ?)", (ident, scan, time, time))

    def touch_conversation(self, ident: str, title: str) -> None:
        """Note that something was asked; the first question is the title."""
        with self._changing() as link:
            link.execute(
                "UPDATE conversations SET updated = ?, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
                (now(), title, ident),
            )

    def conversations(self) -> list[Row]:
        """Conversations with the number of their turns, the one last used first."""
        rows = self._rows(
            "SELECT c.*, (SELECT COUNT(*) FROM runs r WHERE r.conversation = c.id) AS turns FROM conversations c "
            "ORDER BY updated DESC, rowid DESC LIMIT ?",
            (MOST_LISTED,),
        )
        return [dict(row) for row in rows]

    def conversation(self, ident: str) -> Row | None:
        """One conversation; None where there is none."""
        rows = self._rows("SELECT * FROM conversations WHERE id = ?", (ident,))
        return dict(rows[0]) if rows else None

    def drop_conversation(self, ident: str) -> None:
        """Forget a conversation; its runs and their traces stay."""
        with self._changing() as link:
            link.execute("UPDATE runs SET conversation = NULL WHERE conversation = ?", (ident,))
            link.execute("DELETE FROM conversations WHERE id = ?", (ident,))

    def put_run(self, ident: str, scan: str, conversation: str | None, record: Mapping[str, Any]) -> None:
        """Remember a run, or what became of it."""
        with self._changing() as link:
            link.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (ident, scan, conversation, now(), json.dumps(record)),
            )

    def run(self, ident: str) -> Row | None:
        """One run; None where there is none."""
        rows = self._rows("SELECT * FROM runs WHERE id = ?", (ident,))
        return _run(rows[0]) if rows else None

    def runs(self, *, scan: str | None = None, conversation: str | None = None) -> list[Row]:
        """Runs, those of a scan or a conversation only where one is named, in the order in which they were asked."""
        rows = self._rows(
            "SELECT * FROM (SELECT rowid AS number, * FROM runs WHERE (? IS NULL OR scan = ?) AND "
            "(? IS NULL OR conversation = ?) ORDER BY number DESC LIMIT ?) ORDER BY number",
            (scan, scan, conversation, conversation, MOST_LISTED),
        )
        return [_run(row) for row in rows]

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with self._reading, _available():
            return self._reader.execute(query, values).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _available():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _link(path: Path) -> sqlite3.Connection:
    made = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, check_same_thread=False, isolation_level=None)
    made.row_factory = sqlite3.Row
    return made


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise Refused(
            503, "records_away",
            f"The server's records cannot be used just now ({error}): try again, or see to the disk that holds them.",
        ) from error  # fmt: skip


def _run(row: sqlite3.Row) -> Row:
    fixed = {name: row[name] for name in ("id", "scan", "conversation", "created")}
    return {**_record(row), **fixed}


def _record(row: sqlite3.Row) -> Row:
    """What is kept of a row; nothing where another version, or a torn disk, wrote something else."""
    try:
        found = json.loads(row["record"])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
