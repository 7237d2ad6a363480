"""The table of cases that a case base is built from: one scan a row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.tables import TableRow, read_table
from retrieval.case_model import LabelSource, Word

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
    patient: Annotated[str, Field(max_length=500)] | None = None
    lesion_type: Word | None = None
    label_source: LabelSource = "labels file"
    site: Word | None = None
    phase: Literal["native", "arterial", "portal", "delayed"] | None = None


def read_rows(path: Path) -> list[IndexRow]:
    """Rows of a CSV table; paths are relative to its folder.

    Raises:
        UsageError: naming the line where it cannot be read.
    """
    return [_row(row) for row in read_table(path, COLUMNS, ("scan", "labels"), called="table of cases")]


def _row(row: TableRow) -> IndexRow:
    paths = {"scan": row.path("scan"), "labels": row.paths("labels")}
    return row.checked(
        IndexRow,
        {**row.cells, **paths, "line": row.line, "structures": row.parts("structures"), "class_map": row.class_map()},
    )
