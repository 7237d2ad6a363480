"""What is known of every entry of a case base, in SQLite; numbers of rows are the ids in the index."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pydantic

from agent.errors import IntegrityError, UsageError
from retrieval.case_model import NUMBER, CaseEntry, Filters
from retrieval.index_model import Ids

_COLUMNS = (
    "id", "patient", "scan", "organ", "structure", "phase", "lesion_type", "label_source", "site", "size_mm", "extra",
)  # fmt: skip
_SCHEMA = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, patient TEXT NOT NULL, scan TEXT NOT NULL, organ TEXT,
    structure TEXT NOT NULL, phase TEXT, lesion_type TEXT NOT NULL, label_source TEXT NOT NULL, site TEXT,
    size_mm REAL, extra TEXT NOT NULL
) STRICT;
CREATE INDEX by_patient ON entries (patient);
CREATE INDEX by_scan ON entries (scan);
"""
# Beside the entries, so that bases of before there were such numbers are read as they are.
_NUMBERS = (
    "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS by_key ON numbers (key)",
)
_LINKED = "entries LEFT JOIN numbers USING (number)"
_AT_ONCE = 500
_REMEMBERED = 32
_T = TypeVar("_T")
COUNTED = ("organ", "phase", "lesion_type", "label_source", "site")


class CaseTable:
    """The entries of one generation.

    Attributes:
        path: the SQLite file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self._lock = threading.Lock()
        self._passing: dict[Filters, Ids] = {}
        self._from = "entries"
        self._links: tuple[str, ...] = ("patient",)

    @classmethod
    def create(cls, path: Path) -> CaseTable:
        """An empty table, to be written."""
        path.unlink(missing_ok=True)
        table = cls.writable(path)
        table._connection.executescript(_SCHEMA)
        return table

    @classmethod
    def writable(cls, path: Path) -> CaseTable:
        """A table to be changed; nobody else may read it yet."""
        connection = sqlite3.connect(path, isolation_level=None)
        # The file counts only once a manifest names it, so a journal would protect nothing.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA secure_delete = ON")
        return cls(path, connection)

    @classmethod
    def read_only(cls, path: Path) -> CaseTable:
        """A table that nobody changes any more.

        Raises:
            IntegrityError: it cannot be opened.
        """
        where = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            connection = sqlite3.connect(where, uri=True, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise IntegrityError(f"{path} cannot be opened: restore it, or build the index anew.") from error
        connection.execute("PRAGMA trusted_schema = OFF")
        table = cls(path, connection)
        if table._rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'numbers'"):
            table._from, table._links = _LINKED, ("patient", "key")
        return table

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Changes that belong together."""
        self._connection.execute("BEGIN")
        for statement in _NUMBERS:
            self._connection.execute(statement)
        self._from, self._links = _LINKED, ("patient", "key")
        yield
        self._connection.execute("COMMIT")

    def insert(self, first: int, entries: Sequence[CaseEntry]) -> None:
        """Add entries under the numbers from `first` on.

        Raises:
            UsageError: one of them is there already.
        """
        marks = ", ".join("?" * (len(_COLUMNS) + 1))
        for number, entry in enumerate(entries, start=first):
            told = entry.model_dump()
            told["extra"] = json.dumps(told["extra"])
            try:
                self._connection.execute(
                    f"INSERT INTO entries (number, {', '.join(_COLUMNS)}) VALUES ({marks})",  # noqa: S608  (own names)
                    (number, *(told[name] for name in _COLUMNS)),
                )
            except sqlite3.IntegrityError as error:
                raise UsageError(f"The case base already holds an entry {entry.id!r}: delete it first.") from error
            if (key := entry.extra.get(NUMBER)) is not None:
                self._connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, str(key)))

    def delete(self, idents: Iterable[str]) -> Ids:
        """Remove entries by id; the numbers of those that were there."""
        numbers = self.numbers(idents)
        for chunk in _chunks(numbers.tolist()):
            for name in ("entries", "numbers"):
                self._connection.execute(f"DELETE FROM {name} WHERE number IN ({_marks(chunk)})", chunk)  # noqa: S608
        return numbers

    def numbers(self, idents: Iterable[str] | None = None) -> Ids:
        """Numbers of entries by id, or of all, sorted."""
        if idents is None:
            return self._numbers("SELECT number FROM entries", [])
        parts = [
            self._numbers(f"SELECT number FROM entries WHERE id IN ({_marks(chunk)})", chunk)  # noqa: S608
            for chunk in _chunks(list(dict.fromkeys(idents)))
        ]
        return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))

    def passing(self, filters: Filters) -> Ids | None:
        """Numbers of the entries that pass, sorted; None where no filter is set."""
        given = filters.given()
        if not given:
            return None
        if filters not in self._passing:
            where = " AND ".join(f"{name} = ?" for name in given)
            found = self._numbers(f"SELECT number FROM entries WHERE {where}", list(given.values()))  # noqa: S608
            while len(self._passing) >= _REMEMBERED:
                self._passing.pop(next(iter(self._passing)), None)
            self._passing[filters] = found
        return self._passing[filters]

    def relatives(self, own: Iterable[str], scan: str | None) -> Ids:
        """Numbers of all entries that may be of the patient who has one of these keys, or this scan.

        A scan that is held under two keys shows that both are of one patient, so whoever shares a scan with the
        patient belongs to them, too. The key of a number in a DICOM header counts as one more of the patient's keys.
        """
        patients = set(own)
        scans = {scan} if scan is not None else set()
        before = -1
        while len(patients) + len(scans) != before:
            before = len(patients) + len(scans)
            for key in self._links:
                patients |= self._linked(key, "scan", scans)
                scans |= self._linked("scan", key, patients)
        found = [
            self._numbers(f"SELECT number FROM entries WHERE {name} IN ({_marks(chunk)})", chunk)  # noqa: S608
            for name, values in (("patient", patients), ("scan", scans))
            for chunk in _chunks(sorted(values))
        ]
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def entries(self, numbers: Sequence[int]) -> dict[int, CaseEntry]:
        """Entries by number.

        Raises:
            IntegrityError: one is missing or not what an entry is.
        """
        found: dict[int, CaseEntry] = {}
        for chunk in _chunks(list(numbers)):
            names = f"number, {', '.join(_COLUMNS)}"
            for row in self._rows(f"SELECT {names} FROM entries WHERE number IN ({_marks(chunk)})", chunk):  # noqa: S608
                told = dict(zip(_COLUMNS, row[1:], strict=True))
                try:
                    told["extra"] = json.loads(str(told["extra"]))
                    found[int(str(row[0]))] = CaseEntry.model_validate(told)
                except (ValueError, pydantic.ValidationError) as error:
                    raise IntegrityError(f"{self.path} holds an entry that is none: build the index anew.") from error
        if len(found) < len(set(numbers)):
            raise IntegrityError(f"{self.path} lacks entries that the index holds: build the index anew.")
        return found

    def people(self) -> list[tuple[int, str, str, str, str, str]]:
        """Number, patient, scan, organ, lesion type and phase of every entry, by number; "" where there is none."""
        rows = self._rows(
            "SELECT number, patient, scan, coalesce(organ, ''), lesion_type, coalesce(phase, '') FROM entries "
            "ORDER BY number"
        )
        return [(int(str(row[0])), str(row[1]), str(row[2]), str(row[3]), str(row[4]), str(row[5])) for row in rows]

    def numbered(self) -> list[tuple[str, str]]:
        """Patients with the keys of their numbers in DICOM headers."""
        if "key" not in self._links:
            return []
        rows = self._rows("SELECT DISTINCT patient, key FROM entries JOIN numbers USING (number)")
        return [(str(row[0]), str(row[1])) for row in rows]

    def counts(self) -> tuple[int, int, int, dict[str, dict[str, int]]]:
        """Numbers of entries, patients and scans, and of entries by value of each column that can be filtered."""
        (total,) = self._rows("SELECT count(*), count(DISTINCT patient), count(DISTINCT scan) FROM entries")
        by = {
            name: {
                str(row[0]): int(str(row[1]))
                for row in self._rows(
                    f"SELECT coalesce({name}, ''), count(*) AS n FROM entries "  # noqa: S608
                    "GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1000"
                )
            }
            for name in COUNTED
        }
        entries, patients, scans = (int(str(value)) for value in total)
        return entries, patients, scans, by

    def _linked(self, wanted: str, by: str, values: set[str]) -> set[str]:
        found: set[str] = set()
        for chunk in _chunks(sorted(values)):
            rows = self._rows(
                f"SELECT DISTINCT {wanted} FROM {self._from} WHERE {by} IN ({_marks(chunk)})",  # noqa: S608  (own names)
                chunk,
            )
            found |= {str(row[0]) for row in rows if row[0] is not None}
        return found

    def _numbers(self, query: str, values: Sequence[object]) -> Ids:
        return np.sort(np.array([row[0] for row in self._rows(query, values)], dtype=np.int64))

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{self.path} is no table of cases: build the index anew.") from error


def _marks(chunk: Sequence[object]) -> str:
    return ", ".join("?" * len(chunk))


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
