"""Where runs live: one folder each, and an index that finds them again.

The index holds run ids, folders, times and states, and nothing about the scan. It can be lost without harm to
the runs: those under the home folder are found without it, and any run is found by its folder.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import UsageError
from agent.trace_schema import TRACE_NAME, Event, Kind
from agent.trace_verify import read_events

_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, folder TEXT NOT NULL, created TEXT NOT NULL, status TEXT NOT NULL
)"""
_MIN_PREFIX = 3
_MAX_NAMED = 5


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run and the files in it.

    Attributes:
        id: id of the run.
        folder: the folder, absolute.
    """

    id: str
    folder: Path

    @property
    def trace(self) -> Path:
        """The trace (JSON lines)."""
        return self.folder / TRACE_NAME

    @property
    def report_json(self) -> Path:
        """The report as data."""
        return self.folder / "report.json"

    @property
    def report_md(self) -> Path:
        """The report as Markdown."""
        return self.folder / "report.md"

    @property
    def report_html(self) -> Path:
        """The report as one self-contained page."""
        return self.folder / "report.html"

    @property
    def images(self) -> Path:
        """Folder of the pictures."""
        return self.folder / "images"

    @property
    def checkpoint(self) -> Path:
        """State of the loop, to resume from (SQLite)."""
        return self.folder / "checkpoint.sqlite"


@dataclass(frozen=True)
class RunEntry:
    """One row of the index.

    Attributes:
        id: id of the run.
        folder: its folder.
        created: UTC, ISO 8601.
        status: "running", or what run.end says.
    """

    id: str
    folder: Path
    created: str
    status: str


def new_run_id(now: datetime | None = None) -> str:
    """A run id that sorts by time: UTC date and time and six random hexadecimal digits."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class Runs:
    """All runs of one home folder.

    Args:
        home: the folder; made when the first run is created.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()

    def create(self, out: Path | None = None) -> RunFolder:
        """Make the folder of a new run and enter it in the index.

        Args:
            out: where to put the run; a folder that holds a run already gets the new one as a subfolder.
                None for the home folder.

        Raises:
            UsageError: the folder cannot be made or written.
        """
        run_id = new_run_id()
        if out is None:
            folder = self.home / "runs" / run_id
        else:
            folder = out.expanduser().absolute()
            folder = folder / run_id if (folder / TRACE_NAME).exists() else folder
        run = RunFolder(run_id, folder)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        # Entered first: a run that is killed before its first event is found all the same.
        with self._index() as index:
            # A folder that was given twice before its first run wrote a trace belongs to the later run.
            index.execute("DELETE FROM runs WHERE folder = ?", (str(folder),))
            index.execute("INSERT INTO runs VALUES (?, ?, ?, 'running')", (run_id, str(folder), created))
        try:
            run.images.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            with self._index() as index:
                index.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            raise UsageError(
                f"The folder {folder} cannot be written ({error.strerror}); choose another with --out."
            ) from error
        return run

    def set_status(self, run_id: str, status: str) -> None:
        """Note in the index how a run ended; an unknown id changes nothing."""
        with self._index() as index:
            index.execute("UPDATE runs SET status = ? WHERE id = ?", (status, run_id))

    def latest(self, limit: int = 20) -> list[RunEntry]:
        """The newest runs of the index, newest first."""
        with self._index() as index:
            rows = index.execute("SELECT id, folder, created, status FROM runs ORDER BY id DESC LIMIT ?", (limit,))
            return [RunEntry(row[0], Path(row[1]), row[2], row[3]) for row in rows]

    def find(self, run: str, *, begun: bool = True) -> RunFolder:
        """Find a run.

        Args:
            run: a run id, the beginning of one that no other run shares, a run's folder, or its trace.
            begun: whether it must hold a trace; one that was killed before its first event has none.

        Raises:
            UsageError: there is no such run, or several.
        """
        path = Path(run).expanduser().absolute()
        if path.name == TRACE_NAME and path.is_file():
            path = path.parent
        known = self._known()
        if run in known:
            return self._present(RunFolder(run, known[run]), begun)
        told = _told_id(path / TRACE_NAME)
        here = [name for name, folder in known.items() if folder == path]
        if told is None and here and not begun:
            return RunFolder(max(here), path)
        if (path / TRACE_NAME).is_file():
            return RunFolder(told or path.name, path)
        fitting = sorted(name for name in known if len(run) >= _MIN_PREFIX and name.startswith(run))
        if len(fitting) == 1:
            return self._present(RunFolder(fitting[0], known[fitting[0]]), begun)
        if fitting:
            named = ", ".join(fitting[:_MAX_NAMED]) + (" …" if len(fitting) > _MAX_NAMED else "")
            raise UsageError(f"Several runs begin with {run!r} ({named}); give more of the id.")
        raise UsageError(f"There is no run {run!r}; give a run id, a run's folder or a path of its {TRACE_NAME}.")

    def _present(self, run: RunFolder, begun: bool) -> RunFolder:
        if begun and not run.trace.is_file():
            raise UsageError(f"Run {run.id} has no trace in {run.folder} any more; give the folder it is in now.")
        return run

    def _known(self) -> dict[str, Path]:
        folders = self.home / "runs"
        found = {path.name: path for path in folders.iterdir()} if folders.is_dir() else {}
        if (self.home / "runs.sqlite").exists():
            with self._index() as index:
                found.update({row[0]: Path(row[1]) for row in index.execute("SELECT id, folder FROM runs")})
        return found

    @contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        path = self.home / "runs.sqlite"
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The home folder {self.home} cannot be made or written ({error.strerror}): choose another with "
                "TUMORTRACE_HOME."
            ) from error
        try:
            with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
                connection.execute(_TABLE)
                yield connection
        except (sqlite3.DatabaseError, OSError) as error:
            raise UsageError(
                f"The index of runs {path} cannot be used ({error}); move it away, the runs themselves stay."
            ) from error


def _told_id(trace: Path) -> str | None:
    """The id that a trace gives itself; None where it has none to read."""
    first = next(read_events(trace), None) if trace.is_file() else None
    if isinstance(first, Event) and first.kind == Kind.RUN_START and isinstance(first.data.get("run_id"), str):
        return str(first.data["run_id"])
    return None
