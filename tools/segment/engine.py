"""What a segmentation engine is: what it offers to see, and how it is run.

An engine offers tasks. Each says which structures it can see and for which scans it is valid; the catalogue collects
them, the planner picks from them, and a picked one runs in a child process (`isolate`). A new engine is one file in
`backends` that holds a `BACKEND`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

Tell = Callable[[str, int, int], None]
"""Told of what is being done, how many steps are finished, and how many there are."""
Device = Literal["auto", "cpu", "gpu"]
MAX_VALUE = 65_535
"""Largest value that a class may have in an engine's labels."""


@dataclass(frozen=True)
class EngineSettings:
    """Where engines and their weights are, and what one run may take.

    Attributes:
        cache: folder for work files and the lock.
        bundles: folders of MONAI bundles, each a trusted one: their configurations are code.
        models: nnU-Net model folders, each a trusted one: their checkpoints are code.
        totalsegmentator: folder of TotalSegmentator's weights, None for its own default.
        device: processor or graphics card.
        seconds: an engine that takes longer is ended.
        memory_gib: address space that an engine may take, None for no limit of ours.
    """

    cache: Path
    bundles: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()
    totalsegmentator: Path | None = None
    device: Device = "auto"
    seconds: float = 3600.0
    memory_gib: float | None = None


@dataclass(frozen=True)
class Offer:
    """One task of one engine: what it can see, and for which scans.

    Attributes:
        backend: name of the engine.
        task: name of the task.
        classes: canonical structure id → the engine's own names for it.
        licence: licence of the weights, as its makers state it.
        version: what the result depends on besides the scan: versions of engine and weights.
        title: the engine and its task in words, without digits.
        phases: contrast phases for which it is valid; any where empty.
        max_slice_mm: largest distance between slices for which it is valid.
        synthetic_only: whether it is valid for synthetic scans only.
        rank: smaller ones are preferred.
        missing: how to get it, as one clause; None where it can run here.
        whole: whether it makes all its masks at once; it is then asked for all, and looks at a scan only once.
        wider: whether a second run with a larger region of interest is possible.
        widened: whether this is that second run.
        options: what the engine needs to know again when it runs (folders, identifiers).
    """

    backend: str
    task: str
    classes: Mapping[str, tuple[str, ...]]
    licence: str
    version: str
    title: str
    phases: tuple[str, ...] = ()
    max_slice_mm: float | None = None
    synthetic_only: bool = False
    rank: int = 50
    missing: str | None = None
    whole: bool = True
    wider: bool = False
    widened: bool = False
    options: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identifier of the task among those of all engines."""
        return f"{self.backend}/{self.task}" + ("+wider" if self.widened else "")


class Job(BaseModel):
    """What a child process is told to do.

    Attributes:
        backend, task, options: as in the offer.
        scan: uncompressed NIfTI file of the scan in HU, in the axis order closest to RAS+.
        structures: canonical ids that are wanted; an engine may leave out the others.
        names: the engine's own names of those.
        device: processor or graphics card.
        wider: run it with a larger region of interest.
        out: folder for the result and for whatever the engine needs to write.
        memory_gib: limit of the address space.
    """

    model_config = ConfigDict(extra="forbid")

    backend: str = Field(pattern=r"[a-z_]+")
    task: str
    options: dict[str, JsonValue] = Field(default_factory=dict)
    scan: Path
    structures: tuple[str, ...]
    names: tuple[str, ...]
    device: Device = "auto"
    wider: bool = False
    out: Path
    memory_gib: float | None = None


@dataclass(frozen=True)
class Segmented:
    """What an engine made.

    Attributes:
        labels: (i, j, k) unsigned label values on the scan's grid, 0 = background.
        names: label value (1 to 65535) → the engine's name of the class, for every class that it has looked for, also
            those without voxels. A class that is not named counts as not looked for.
    """

    labels: NDArray[Any]
    names: Mapping[int, str]


class Backend(Protocol):
    """One engine. `offers` is cheap and imports nothing heavy; `run` is called in a child process only."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        ...

    def offers(self, settings: EngineSettings) -> Sequence[Offer]:
        """The tasks that it knows; those that cannot run here say what is missing."""
        ...

    def run(self, job: Job, tell: Tell) -> Segmented:
        """Do a job.

        Raises:
            ToolError: it cannot be done, with the reason as one clause.
        """
        ...


def no_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, says that memory ran out; torch says so in words only."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):
            return True
        error = error.__cause__
    return False


def offline_environment(folder: Path, lasting: Path) -> dict[str, str]:
    """Environment of a child process: nothing is fetched, nothing is reported, nothing is shown.

    Args:
        folder: work folder of this run.
        lasting: folder for what libraries keep between runs (a cache of fonts).
    """
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOTALSEG_HOME_DIR": str(folder),
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "MPLCONFIGDIR": str(lasting),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TQDM_DISABLE": "1",
    }
