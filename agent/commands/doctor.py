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
from rich.table import Table

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


PARTS = (
    Part("core", ("tumortrace", "langgraph", "nibabel", "pydicom", "highdicom", "numpy", "scipy"),
         "questions about a scan with a label map", "pip install ."),
    Part("compressed DICOM", ("python-gdcm",), "DICOM series in JPEG and JPEG 2000 transfer syntaxes", "pip install ."),
    Part("TotalSegmentator", ("TotalSegmentator", "torch"),
         "label maps made by TotalSegmentator beforehand: run it yourself and pass its output with --labels",
         "pip install -c constraints-cpu.txt '.[totalsegmentator]'"),
    Part("MONAI", ("monai", "torch"), "label maps made by a MONAI bundle beforehand, passed with --labels",
         "pip install -c constraints-cpu.txt '.[monai]'"),
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


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Show what is installed, what each missing part would enable, and how to get it."""
    found = [_part(part) for part in PARTS] + _machine(Settings())
    if as_json:
        typer.echo("[" + ",".join(check.model_dump_json() for check in found) + "]")
    else:
        table = Table("part", "state", "found", "what it enables", "how to get it")
        for check in found:
            table.add_row(check.name, check.state, check.found, check.enables, "" if check.state == "ok" else check.how)
        Console().print(table)
    if any(check.state == "problem" for check in found):
        raise typer.Exit(1)


def _part(part: Part) -> Check:
    here, missing = [], []
    for package in part.packages:
        try:
            here.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    found = ", ".join(here) + (f" (missing: {', '.join(missing)})" if missing else "")
    return Check(name=part.name, state="missing" if missing else "ok", found=found, enables=part.enables, how=part.how)


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
