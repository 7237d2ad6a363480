"""The table of cases that a case base is built from: one scan a row."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import pydantic
from pydantic import BaseModel, ConfigDict

from agent.errors import UsageError
from retrieval.case_model import LabelSource

MAX_BYTES = 64 << 20
MAX_ROWS = 1_000_000
COLUMNS = (
    "scan", "labels", "class_map", "structures", "patient", "lesion_type", "label_source", "site", "phase",
)  # fmt: skip


class IndexRow(BaseModel):
    """One row, with absolute paths.

    Attributes:
        line: where it stands in the table.
        scan: path of the scan.
        labels: paths of its labels, separated by "|" in the table.
        class_map: name or path of each label map's class map, "-" for its own names.
        structures: lesion classes to take, separated by "|"; empty for all.
        patient: whatever identifies the patient; only its key is kept.
        lesion_type: type of the lesions, None for what their label class says.
        label_source: who says of which type they are.
        site: part of the organ, or institution.
        phase: contrast phase.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: int
    scan: Path
    labels: tuple[Path, ...]
    class_map: tuple[str | None, ...] = ()
    structures: tuple[str, ...] = ()
    patient: str | None = None
    lesion_type: str | None = None
    label_source: LabelSource = "labels file"
    site: str | None = None
    phase: Literal["native", "arterial", "portal", "delayed"] | None = None


def read_rows(path: Path) -> list[IndexRow]:
    """Rows of a CSV table; paths are relative to its folder.

    Raises:
        UsageError: naming the line where it cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"The table {path} is larger than {MAX_BYTES >> 20} MiB: split it.")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no table of cases at {path}.") from None
    except OSError as error:
        raise UsageError(f"The table {path} cannot be read ({error.strerror}): give a CSV file.") from error
    except UnicodeDecodeError:
        raise UsageError(f"The table {path} is not a text file in UTF-8.") from None
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        unknown = [name or "one without a name" for name in names if name not in COLUMNS]
        if unknown or len(set(names)) < len(names) or not {"scan", "labels"} <= set(names):
            what = f"has unknown columns ({', '.join(unknown)})" if unknown else "has to name “scan” and “labels” once"
            raise UsageError(f"The table {path} {what}: its first line may name {', '.join(COLUMNS)}.")
        reader.fieldnames = names
        rows = [_row(row, reader.line_num, path) for row in reader]
    except csv.Error as error:
        raise UsageError(f"Line {reader.line_num} of the table {path} is not valid CSV ({error}).") from error
    if not 1 <= len(rows) <= MAX_ROWS:
        raise UsageError(f"The table {path} has {len(rows)} rows; give between 1 and {MAX_ROWS}.")
    return rows


def _row(row: dict[str, str | None], line: int, table: Path) -> IndexRow:
    if None in row:
        raise UsageError(f"Line {line} of the table {table} has more cells than the first line has names.")
    cells = {name: value.strip() for name, value in row.items() if value and value.strip()}
    for name in ("scan", "labels"):
        if name not in cells:
            raise UsageError(f"Line {line} of the table {table} names no {name}.")
    folder = table.absolute().parent
    fields: dict[str, object] = {**cells, "line": line, "scan": folder / cells["scan"]}
    fields["labels"] = tuple(folder / part for part in _parts(cells["labels"]))
    fields["structures"] = _parts(cells.get("structures", ""))
    fields["class_map"] = tuple(
        None if part == "-" else str(folder / part) if (folder / part).is_file() else part
        for part in _parts(cells.get("class_map", ""))
    )
    try:
        return IndexRow.model_validate(fields)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"Line {line} of the table {table}: {where}: {first['msg']}.") from error


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())
