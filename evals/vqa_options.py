"""What a run of the question suite is asked to do; light enough for the command line's help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Control = Literal["constant", "shuffled", "blank", "noise"]
CONTROLS: tuple[Control, ...] = get_args(Control)


@dataclass(frozen=True)
class VqaOptions:
    """What to run.

    Attributes:
        phantoms: how many patients.
        seed: of the first one, and of everything that is drawn.
        out: folder of the results.
        control: a control run instead of the agent on the right scans.
        workers: processes.
    """

    phantoms: int
    seed: int
    out: Path
    control: Control | None = None
    workers: int = 1
