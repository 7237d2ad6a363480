"""A small synthetic case, and a way to run the loop on it without the interpreter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.models.protocol import ReasoningModel
from agent.models.scripted import Script, ScriptedModel
from agent.query import NotUnderstood, Query
from agent.report_model import Report
from agent.runs import RunFolder
from agent.services import Progress, silent
from agent.settings import Settings
from agent.state import Request, RunState
from agent.trace import read_events
from agent.trace_schema import Event
from tests.label_make import IDENTITY, save
from tools.base import Case, CaseSettings
from tools.volume import Grid, LabelSet, Orientation, Scan, ScanHeader

SHAPE = (44, 36, 26)
SPACING = (7.0, 7.0, 5.0)
AFFINE = np.array([[7.0, 0, 0, -150], [0, 7.0, 0, -130], [0, 0, 5.0, 40], [0, 0, 0, 1]])
NATIVE = {"liver": 58, "spleen": 47, "kidney_left": 31, "kidney_right": 33, "aorta": 41, "pancreas": 36}
PORTAL = {"liver": 105, "spleen": 120, "kidney_left": 180, "kidney_right": 176, "aorta": 155, "pancreas": 92}
VALUES = {
    "liver": 1, "spleen": 2, "kidney_left": 3, "kidney_right": 4, "aorta": 5, "pancreas": 6, "stomach": 7,
    "liver_lesion": 8, "kidney_cyst": 9, "gallbladder": 10, "spleen_lesion": 11, "vertebrae_L1": 12,
    "adrenal_gland_left": 13,
}  # fmt: skip
"""Classes of the label map; gallbladder and spleen_lesion are empty, aorta and stomach are cut off."""
BOXES = {
    "liver": (slice(26, 40), slice(10, 26), slice(8, 22)),
    "spleen": (slice(6, 12), slice(8, 16), slice(10, 20)),
    "kidney_left": (slice(10, 15), slice(4, 8), slice(4, 15)),
    "kidney_right": (slice(28, 33), slice(4, 8), slice(3, 13)),
    "aorta": (slice(20, 23), slice(9, 12), slice(0, 26)),
    "pancreas": (slice(16, 25), slice(14, 17), slice(9, 13)),
    "stomach": (slice(8, 18), slice(18, 26), slice(19, 26)),
    "vertebrae_L1": (slice(19, 24), slice(4, 8), slice(5, 10)),
    "adrenal_gland_left": (slice(13, 14), slice(6, 8), slice(16, 17)),
}


def arrays(hu: dict[str, int] | None = None) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """HU and label map: boxes of organs in a body of fat, with noise; nothing about it is symmetric."""
    means = NATIVE if hu is None else hu
    rng = np.random.default_rng(7)
    values = np.full(SHAPE, -1000.0)
    values[2:-2, 2:-2] = -90
    values[4:-4, 3:-4] = 45
    labels = np.zeros(SHAPE, np.uint8)
    for name, box in BOXES.items():
        values[box] = means.get(name, 40)
        labels[box] = VALUES[name]
    for box in ((slice(30, 34), slice(14, 18), slice(12, 15)), (slice(36, 38), slice(20, 22), slice(18, 20))):
        values[box] = 12
        labels[box] = VALUES["liver_lesion"]
    cyst = (slice(30, 32), slice(5, 7), slice(6, 8))
    values[cyst] = 4
    labels[cyst] = VALUES["kidney_cyst"]
    values += rng.normal(0, 6, SHAPE)
    return np.rint(values).astype(np.int16), labels


def make_case(
    hu: dict[str, int] | None = None, *, settings: CaseSettings | None = None, labelled: bool = True,
    without: Collection[str] = (),
) -> Case:  # fmt: skip
    """The case in memory; `without` leaves classes of the label map undeclared and their voxels unlabelled."""
    values, labels = arrays(hu)
    grid = Grid(SHAPE, AFFINE)
    scan = Scan(values, grid, Orientation(IDENTITY, SHAPE), ScanHeader(source="nifti"))
    found = None
    if labelled:
        for name in without:
            labels[labels == VALUES[name]] = 0
        entries: dict[str, tuple[tuple[int, int], ...]] = {
            name: ((0, value),) for name, value in VALUES.items() if name not in without
        }
        found = LabelSet(grid, (labels,), entries, source="a label map")
    return Case(scan=scan, labels=found, settings=settings or CaseSettings())


def write_case(folder: Path, hu: dict[str, int] | None = None) -> tuple[Path, Path]:
    """The case as files: scan and labels."""
    folder.mkdir(parents=True, exist_ok=True)
    values, labels = arrays(hu)
    names = {value: name for name, value in VALUES.items()}
    scan: Path = save(folder / "scan.nii.gz", values, AFFINE)
    return scan, save(folder / "labels.nii.gz", labels, AFFINE, names)


class Asks(EmbeddedReasoner):
    """The embedded reasoner, asked typed queries instead of words."""

    def __init__(self, queries: Sequence[Query | NotUnderstood]) -> None:
        self.queries = list(queries)

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        return list(self.queries)


class Says(ScriptedModel):
    """The scripted model, asked typed queries instead of words."""

    def __init__(self, queries: Sequence[Query | NotUnderstood], script: Sequence[Script]) -> None:
        super().__init__(script)
        self.queries = list(queries)

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        return list(self.queries)


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    report: Report
    state: RunState
    folder: RunFolder

    @property
    def events(self) -> list[Event]:
        found = list(read_events(self.folder.trace))
        assert all(isinstance(event, Event) for event in found)
        return [event for event in found if isinstance(event, Event)]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings that keep home and cache in a folder."""
    return Settings(home=folder / "home", cache=folder / "cache", **more)


def run(
    case: Case,
    queries: Sequence[Query | NotUnderstood] | None,
    folder: Path,
    *,
    model: ReasoningModel | None = None,
    options: tuple[str, ...] = (),
    resume: str | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Outcome:
    """Run the loop on typed queries; None reports on everything."""
    engine = Engine(settings_in(folder, **settings), model or Asks(queries or ()), progress)
    question = None if queries is None else "A question in words?"
    report, state = engine.ask(case, question, options=options, resume=resume)
    return Outcome(report, state, RunFolder(report.run_id, Path(report.trace).parent))


def ask(kind: str, *structures: str, **more: Any) -> Query:
    """A typed query."""
    return Query(kind=kind, structures=structures, **more)
