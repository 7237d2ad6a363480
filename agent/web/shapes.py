"""What goes over the wire about scans: requests and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Ident = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[a-z0-9-]+$")]
"""An id that the server gave; opaque."""
ScanState = Literal["opening", "ready", "closed", "failed"]
DECLARED_PHASES = ("native", "arterial", "portal", "delayed")
Fault = dict[str, Any]
"""The inner part of an error: code, message, and a choice of series where there is one."""


class ScanAsk(BaseModel):
    """Which source to open, and what is declared about it.

    Attributes:
        source: the scan.
        labels: label maps, laid over each other.
        class_map: name of a class map that comes with the program, for the first label map.
        phase: contrast phase, where it is known.
        patient: facts such as age=63,sex=F.
        series: SeriesInstanceUID, where a DICOM source holds several.
        prior: an earlier scan of the same patient.
        prior_labels: its label maps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Ident
    labels: tuple[Ident, ...] = Field(default=(), max_length=16)
    class_map: str | None = Field(default=None, max_length=60)
    phase: Literal["native", "arterial", "portal", "delayed"] | None = None
    patient: str | None = Field(default=None, max_length=500)
    series: str | None = Field(default=None, max_length=128, pattern=r"^[0-9.]+$")
    prior: Ident | None = None
    prior_labels: tuple[Ident, ...] = Field(default=(), max_length=16)


class Doing(BaseModel):
    """What is being done; `planned` is 0 where it is not known."""

    what: str
    finished: int
    planned: int


class LevelOut(BaseModel):
    """One resolution of a scan; `bytes` is what its voxels take in a viewer."""

    level: int
    factor: tuple[int, int, int]
    shape: tuple[int, int, int]
    bytes: int


class ScanOut(BaseModel):
    """A scan that is or was open.

    Attributes:
        id: opaque; the same content and declarations have the same.
        name: name of its source.
        state: whether it can be asked about.
        progress: what is being done while it opens.
        error: why it could not be opened.
        created: when it was opened first (UTC, ISO 8601).
        shape: voxels along i, j, k of the canonical grid.
        spacing: mm.
        phase: contrast phase as declared, or else as its header names it.
        synthetic: whether it says that no patient was scanned.
        has_labels: whether label maps came with it.
        patient: facts declared.
        levels: its resolutions, full first.
        preview: the level to load first.
        next: questions to begin with.
    """

    id: str
    name: str
    state: ScanState
    progress: Doing | None = None
    error: Fault | None = None
    created: str
    shape: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    phase: str | None = None
    synthetic: bool = False
    has_labels: bool = False
    patient: str | None = None
    levels: tuple[LevelOut, ...] = ()
    preview: int = 0
    next: tuple[str, ...] = ()
