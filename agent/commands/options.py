"""Options that several commands share, and how they become a case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agent.cases import CaseFiles
from agent.errors import UsageError
from agent.models.embedded import EmbeddedReasoner
from agent.models.protocol import ReasoningModel
from agent.opinions import PREFER_LABELS
from agent.patient import parse_patient
from agent.services import Progress as Report
from agent.services import silent
from tools.base import CaseSettings
from tools.rules.model import load_rules


class Phase(StrEnum):
    """Contrast phases that can be declared."""

    NATIVE = "native"
    ARTERIAL = "arterial"
    PORTAL = "portal"
    DELAYED = "delayed"


ScanArgument = Annotated[Path, typer.Argument(help="NIfTI file, DICOM folder or file, or zip of either.")]
LabelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--labels",
        help="Label map (NIfTI), folder with one mask per structure, or DICOM SEG; repeat it for maps that overlap.",
    ),
]
ClassMapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class-map",
        help="Names of the labels: total, msd-liver, … or a JSON, CSV or YAML file; the n-th is for the n-th --labels, "
        "“-” leaves a map its own names.",
    ),
]
PriorOption = Annotated[
    Path | None, typer.Option("--prior", help="An earlier scan of the same patient, to compare with.")
]
PriorLabelsOption = Annotated[
    list[Path] | None, typer.Option("--prior-labels", help="Labels of the earlier scan, in any form --labels takes.")
]
PhaseOption = Annotated[Phase | None, typer.Option("--phase", help="Contrast phase, if you know it.")]
PatientOption = Annotated[str | None, typer.Option("--patient", help="Facts such as age=63,sex=F.")]
SeriesOption = Annotated[str | None, typer.Option("--series", help="SeriesInstanceUID, where there are several.")]
PreferOption = Annotated[
    list[str] | None, typer.Option("--prefer", help="Source to follow where rules conflict; repeatable.")
]
ModelOption = Annotated[
    str, typer.Option("--model", help="Reasoning model: embedded, or a server such as http://127.0.0.1:8000/v1[#name].")
]
SegmentOption = Annotated[
    str | None,
    typer.Option(
        "--segment",
        help="Segmentation engines that may look for what the labels lack: auto, none, all, or names such as embedded.",
    ),
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        help="Earlier cases that lesions are compared with: folder of a case base, auto (the embedded one), or none.",
    ),
]
IndexPatientOption = Annotated[
    str | None,
    typer.Option(
        "--index-patient", help="Who the patient is, as in the table of the case base; their own cases are left out."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object, and nothing else.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for the report and the trace.")]
ResumeOption = Annotated[str | None, typer.Option("--resume", help="Go on with an interrupted run (id or folder).")]
ProfileOption = Annotated[bool, typer.Option("--profile", help="Show where the time and the memory went.")]


def case_files(
    scan: Path,
    labels: list[Path] | None = None,
    class_map: list[str] | None = None,
    series: str | None = None,
    phase: str | None = None,
    patient: str | None = None,
    prefer: list[str] | None = None,
    prior: Path | None = None,
    prior_labels: list[Path] | None = None,
) -> CaseFiles:
    """A case from the options that describe it.

    Raises:
        UsageError: where an option cannot be read.
    """
    sources = {rule.source for rule in load_rules().values()} | {PREFER_LABELS}
    for source in prefer or []:
        if source not in sources:
            raise UsageError(f"No rule comes from the source {source!r}; --prefer takes {', '.join(sorted(sources))}.")
    settings = CaseSettings(phase=phase, patient=parse_patient(patient), prefer=tuple(prefer or ()))
    if prior is None and prior_labels:
        raise UsageError("--prior-labels are labels of an earlier scan, but no --prior was given.")
    names = tuple(None if name == "-" else name for name in class_map or ())
    earlier = tuple(prior_labels or ())
    before = CaseFiles(prior, earlier, names[: len(earlier)]) if prior is not None else None
    return CaseFiles(scan, tuple(labels or ()), names, series, settings, before)


def choose_model(name: str) -> ReasoningModel:
    """The reasoning model of this name, or behind this address; one per process, for all its runs.

    Raises:
        UsageError: for an unknown one, or a server with several models of which none was chosen.
        ModelUnavailable: the server is away.
    """
    if name == "embedded":
        return EmbeddedReasoner()
    if not name.startswith(("http://", "https://")):
        raise UsageError(
            f"There is no model {name!r}; --model takes embedded or the address of a server, such as "
            "http://127.0.0.1:8000/v1, with #NAME where it has several models."
        )
    # Only who asks a server waits for the libraries to talk to one.
    from agent.models.client import Client  # noqa: PLC0415
    from agent.models.endpoint import Endpoint  # noqa: PLC0415
    from agent.models.vllm import ServedModel  # noqa: PLC0415

    return ServedModel(Client(Endpoint.parse(name)))


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Report]:
    """A progress bar with the time left on a terminal's stderr; nothing where there is no terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task("starting", total=None)

        def show(what: str, finished: int, planned: int) -> None:
            bar.update(row, description=what.replace("_", " "), completed=finished, total=planned or None)

        yield show
