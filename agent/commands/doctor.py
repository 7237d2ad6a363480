"""``tumortrace doctor``: what is installed, what each missing part would enable, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from agent.settings import Settings


@dataclass(frozen=True)
class Part:
    """An optional part of the program.

    Attributes:
        name: what it is called.
        packages: distributions that it needs.
        enables: what it would enable.
        how: how to get it.
    """

    name: str
    packages: tuple[str, ...]
    enables: str
    how: str


STYLES = {"ok": "green", "missing": "yellow", "problem": "bold red"}
PARTS = (
    Part("core", ("tumortrace", "langgraph", "nibabel", "pydicom", "highdicom", "numpy", "scipy"),
         "questions about a scan with a label map, or with what segmentation engines see", "pip install ."),
    Part("compressed DICOM", ("python-gdcm",), "DICOM series in JPEG and JPEG 2000 transfer syntaxes", "pip install ."),
    Part("TotalSegmentator", ("TotalSegmentator", "torch"),
         "segmentation by TotalSegmentator, MONAI bundles and nnU-Net folders, once their weights are there (below)",
         "uv pip install -c constraints.txt -c constraints-cpu.txt '.[totalsegmentator]'"),
    Part("MONAI", ("monai", "torch"), "segmentation by MONAI bundles whose folders TUMORTRACE_BUNDLES names",
         "uv pip install -c constraints.txt -c constraints-cpu.txt '.[monai]'"),
)  # fmt: skip


class Check(BaseModel):
    """One row of the doctor's findings."""

    name: str
    state: Literal["ok", "missing", "problem"]
    found: str
    enables: str
    how: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Ask this model server what it can do: its address, as for ask.")
    ] = None,
) -> None:
    """Show what is installed, what each missing part would enable, and how to get it; or what a model server can do.

    Exit code 1 where something doesn't work.
    """
    found = (
        _server(model)
        if model is not None
        else [_part(part) for part in PARTS] + _engines(Settings()) + _machine(Settings())
    )
    console = Console(highlight=False)
    if as_json:
        typer.echo("[" + ",".join(check.model_dump_json() for check in found) + "]")
    elif model is None:
        for check in found:
            _print(check, console)
    else:
        from agent.commands.doctor_model import print_table  # noqa: PLC0415

        print_table(found, console)
    if any(check.state == "problem" for check in found):
        raise typer.Exit(1)


def _server(address: str) -> list[Check]:
    # Only who asks a server waits for the libraries to talk to one.
    from agent.commands.doctor_model import examine  # noqa: PLC0415
    from agent.models.endpoint import Endpoint  # noqa: PLC0415

    return examine(Endpoint.parse(address))


def _print(check: Check, console: Console) -> None:
    """A headline with the state, then what was found and, where something is missing, what to do."""
    head = Text(check.name, style="bold")
    head.append(f"  {check.state}", style=STYLES[check.state])
    console.print(head)
    rows = [("found", check.found), ("for", check.enables)]
    rows += [("get it", check.how)] if check.state != "ok" else []
    for name, text in rows:
        if text:
            console.print(Padding(Text.assemble((f"{name:<8}", "dim"), text), (0, 2)))


def _part(part: Part) -> Check:
    here, missing = [], []
    for package in part.packages:
        try:
            here.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    found = ", ".join(here) + (f" (missing: {', '.join(missing)})" if missing else "")
    return Check(name=part.name, state="missing" if missing else "ok", found=found, enables=part.enables, how=part.how)


def _engines(settings: Settings) -> list[Check]:
    """Every task of every segmentation engine: what it sees, for which scans, and how to get it."""
    from agent.engines import engine_settings  # noqa: PLC0415
    from tools.segment.catalogue import all_offers  # noqa: PLC0415

    rows = []
    for offer in all_offers(engine_settings(settings)):
        limits = ["synthetic scans only"] if offer.synthetic_only else []
        limits += [f"the phases {', '.join(offer.phases)}"] if offer.phases else []
        limits += [f"slices of at most {offer.max_slice_mm:g} mm"] if offer.max_slice_mm is not None else []
        rows.append(
            Check(
                name=f"segmenter {offer.id}", state="ok" if offer.missing is None else "missing",
                found=f"{len(offer.classes)} structures; licence: {offer.licence}", how=offer.missing or "",
                enables=f"for {'; '.join(limits)}" if limits else "for any CT",
            )
        )  # fmt: skip
    return rows


def _machine(settings: Settings) -> list[Check]:
    rows = [
        Check(
            name="machine", state="ok", found=f"Python {platform.python_version()}, {os.cpu_count()} cores",
            enables="", how="",
        )
    ]  # fmt: skip
    for name, folder in (("runs", settings.home), ("store", settings.cache)):
        existing = _existing(folder)
        writable = os.access(existing, os.W_OK)
        free = shutil.disk_usage(existing).free / 2**30
        rows.append(
            Check(
                name=name, state="ok" if writable else "problem", found=f"{folder} ({free:.0f} GiB free)",
                enables="keeping runs and results",
                how=f"make the folder writable or set TUMORTRACE_{'HOME' if name == 'runs' else 'CACHE'}",
            )
        )  # fmt: skip
    return rows


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
