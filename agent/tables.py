"""Tables of cases as CSV: bounded, checked, and told by line where they cannot be read."""

from __future__ import annotations

import csv
import io
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pydantic
from pydantic import BaseModel

from agent.errors import UsageError

MAX_BYTES = 64 << 20
MAX_ROWS = 1_000_000
_LINE_ENDS = frozenset("\t\n\r")
_Row = TypeVar("_Row", bound=BaseModel)


@dataclass(frozen=True)
class TableRow:
    """The cells of one row that hold something.

    Attributes:
        cells: text by column, without blanks around it.
        line: where it stands in the table.
        where: how messages call that place.
        folder: what paths are relative to.
    """

    cells: dict[str, str]
    line: int
    where: str
    folder: Path

    def path(self, column: str) -> Path:
        """The path in a column that is filled."""
        return self.folder / self.cells[column]

    def paths(self, column: str) -> tuple[Path, ...]:
        """Paths that are separated by "|"."""
        return tuple(self.folder / part for part in self.parts(column))

    def parts(self, column: str) -> tuple[str, ...]:
        """Words that are separated by "|"."""
        return tuple(part.strip() for part in self.cells.get(column, "").split("|") if part.strip())

    def class_map(self) -> tuple[str | None, ...]:
        """Class maps by name or path, None for "-"; only what is there as a file is taken for a path."""
        return tuple(
            None if part == "-" else str(self.folder / part) if (self.folder / part).is_file() else part
            for part in self.parts("class_map")
        )

    def checked(self, kind: type[_Row], fields: dict[str, object]) -> _Row:
        """The row as a model.

        Raises:
            UsageError: a cell cannot be what it stands for.
        """
        try:
            return kind.model_validate(fields)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"{self.where}: {place}: {first['msg'].rstrip('.')}.") from error


def read_table(
    path: Path, columns: Sequence[str], needed: Sequence[str], *, called: str = "table",
    max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS,
) -> Iterator[TableRow]:  # fmt: skip
    """Rows of a CSV file in UTF-8 whose first line names its columns.

    Args:
        path: the file.
        columns: what the first line may name, each once, in any case and order.
        needed: which of them it has to name, and every row to fill.
        called: what messages call the file.
        max_bytes: a larger file is refused.
        max_rows: more rows are refused, as none are.

    Raises:
        UsageError: naming the line where it cannot be read; also while rows are taken.
    """
    reader = csv.DictReader(io.StringIO(_text(path, called, max_bytes), newline=""), strict=True)
    folder = path.absolute().parent
    count = 0
    try:
        reader.fieldnames = _names(reader.fieldnames or (), columns, needed, f"The {called} {path}")
        for count, row in enumerate(reader, start=1):
            if count > max_rows:
                raise UsageError(f"The {called} {path} has more than {max_rows} rows: split it.")
            line = reader.line_num
            where = f"Line {line} of the {called} {path}"
            yield TableRow(_cells(row, needed, where), line, where, folder)
    except csv.Error as error:
        raise UsageError(f"Line {reader.line_num} of the {called} {path} is not valid CSV ({error}).") from error
    if not count:
        raise UsageError(f"The {called} {path} has 0 rows; give between 1 and {max_rows}.")


def _text(path: Path, called: str, max_bytes: int) -> str:
    try:
        # A pipe or a device has no size to be checked, and may have no end.
        if not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"The {called} {path} is no file; give a CSV file.")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise UsageError(f"The {called} {path} is larger than {max_bytes >> 20} MiB; split it.")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no {called} at {path}.") from None
    except IsADirectoryError:
        raise UsageError(f"The {called} {path} is a folder; give a CSV file.") from None
    except OSError as error:
        raise UsageError(f"The {called} {path} cannot be read ({error.strerror}); give a CSV file.") from error
    except UnicodeDecodeError:
        raise UsageError(f"The {called} {path} is not a text file in UTF-8.") from None


def _names(found: Sequence[str], columns: Sequence[str], needed: Sequence[str], table: str) -> list[str]:
    names = [name.strip().lower() for name in found]
    unknown = [name or "one without a name" for name in names if name not in columns]
    missing = [name for name in needed if name not in names]
    problem = None
    if unknown:
        problem = f"has unknown columns ({', '.join(name[:60] for name in unknown[:10])})"
    elif len(set(names)) < len(names):
        problem = "names a column twice"
    elif missing:
        problem = f"has no column “{missing[0]}”"
    if problem is not None:
        raise UsageError(f"{table} {problem}; its first line may name {', '.join(columns)}, each once.")
    return names


def _cells(row: dict[str, str | None], needed: Sequence[str], where: str) -> dict[str, str]:
    if None in row:
        raise UsageError(f"{where} has more cells than the first line has names.")
    cells = {name: value.strip() for name, value in row.items() if value and value.strip()}
    for name, value in cells.items():
        if any(unicodedata.category(letter) == "Cc" for letter in set(value) - _LINE_ENDS):
            raise UsageError(f"{where} holds control characters in the column {name}.")
    for name in needed:
        if name not in cells:
            raise UsageError(f"{where} names no {name}.")
    return cells
