"""One scan of the records: how it was opened, what is told of it, and its arrays while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pydantic

from agent.cases import CaseFiles
from agent.web.database import Row
from agent.web.shapes import LevelOut, ScanAsk, ScanOut, ScanState
from tools.base import Case
from tools.preview import levels, preview_level

_BYTES_SENT = 2
"""Voxels go to the viewer as 16 bits."""


@dataclass
class Held:
    """One scan of the records, and its arrays while it is open."""

    ask: ScanAsk
    out: ScanOut
    files: CaseFiles | None = None
    case: Case | None = None
    bytes: int = 0
    users: int = 0
    used: int = 0
    queued: bool = False


def remembered(row: Row) -> Held | None:
    """A scan of the records; None where they cannot be read by this version."""
    try:
        return closed(row["id"], ScanAsk.model_validate(row["ask"]), row["name"], row["created"])
    except (pydantic.ValidationError, KeyError):
        return None


def closed(ident: str, ask: ScanAsk, name: str, created: str) -> Held:
    """A scan that is not open."""
    out = ScanOut(
        id=ident, name=name, state="closed", created=created, phase=ask.phase, has_labels=bool(ask.labels),
        patient=ask.patient,
    )  # fmt: skip
    return Held(ask, out)


def facts_of(case: Case) -> dict[str, Any]:
    """What is told of a scan once it is open."""
    every = levels(case.scan.grid)
    return {
        "shape": case.scan.grid.shape, "spacing": tuple(round(one, 4) for one in case.scan.grid.spacing),
        "phase": case.told_phase, "synthetic": case.scan.header.synthetic, "has_labels": case.labels is not None,
        "levels": tuple(
            LevelOut(level=one.level, factor=one.factor, shape=one.shape, bytes=one.voxels * _BYTES_SENT)
            for one in every
        ),
        "preview": preview_level(every).level,
    }  # fmt: skip


def size_of(case: Case) -> int:
    """Bytes that a case's arrays take."""
    total = int(case.scan.hu.nbytes)
    if case.labels is not None:
        total += sum(int(layer.nbytes) for layer in case.labels.layers)
    return total + (size_of(case.prior) if case.prior is not None else 0)


def not_ready(state: ScanState) -> str:
    """Why a scan cannot be worked with, and what to do."""
    if state == "opening":
        return "The scan is still being opened: wait until it is ready."
    if state == "failed":
        return "The scan could not be opened: see its error, and open another one."
    return "The scan is closed: open it again first."
