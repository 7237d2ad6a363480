"""The table of TotalSegmentator's tasks, and which of them the weights of a folder allow."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tools.segment.backends._nnunet_predict import CHECKPOINT
from tools.segment.class_maps import load_class_map

TABLE = "totalsegmentator_tasks.toml"
ROUGH, ROBUST = 298, 297
"""Data sets of the models that find organs to crop to, at 6 and at 3 mm."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(_Row):
    """Where weights lie, and under which name they are downloaded."""

    folder: str
    download: str


class Variant(_Row):
    """A task at one resolution; see the head of the table."""

    name: str
    call: dict[str, str | bool]
    datasets: tuple[int, ...] = Field(min_length=1)
    crops: tuple[int, ...] = ()
    subset: bool = False
    spacing: float | None = Field(default=None, gt=0)


class Task(_Row):
    """What a task can see, and for which scans it is valid; see the head of the table."""

    name: str
    title: str = Field(pattern=r"^\D+$")
    classes: tuple[str, ...] = ()
    class_map: str | None = None
    rank: int
    licensed: bool = False
    phases: tuple[str, ...] = ()
    max_slice_mm: float | None = None
    variant: tuple[Variant, ...] = Field(min_length=1)

    def class_names(self) -> tuple[str, ...]:
        """TotalSegmentator's names of its classes."""
        if self.class_map is None:
            return self.classes
        return tuple(name for _, name in load_class_map(self.class_map).rows)


class Table(_Row):
    """All tasks and the weights that they need."""

    datasets: dict[int, Dataset]
    task: tuple[Task, ...]


@cache
def load_table() -> Table:
    """The table that comes with the program."""
    text = files("tools.segment.backends").joinpath(TABLE).read_text(encoding="utf-8")
    return Table.model_validate(tomllib.loads(text))


@dataclass(frozen=True)
class Chosen:
    """A variant of a task and what is there of it.

    Attributes:
        variant: the first one whose weights are all there, else the first one.
        datasets: folders that it needs, those for cropping included.
        missing: data sets that are not there.
        robust: whether it has to crop by the finer of the two models.
    """

    variant: Variant
    datasets: tuple[int, ...]
    missing: tuple[int, ...]
    robust: bool


def choose(task: Task, weights: Path) -> Chosen:
    """The best variant of a task that the weights allow."""
    found = [_look(variant, weights) for variant in task.variant]
    return next((one for one in found if not one.missing), found[0])


def _look(variant: Variant, weights: Path) -> Chosen:
    crop = next((one for one in variant.crops if has_weights(one, weights)), None)
    crops = (crop,) if crop is not None else variant.crops[:1]
    needed = (*variant.datasets, *crops)
    missing = tuple(one for one in needed if not has_weights(one, weights))
    return Chosen(variant, needed, missing, robust=crop == ROBUST)


def has_weights(dataset: int, weights: Path) -> bool:
    """Whether the weights of a data set lie in a folder."""
    folder = weights / load_table().datasets[dataset].folder
    return any(True for _ in folder.glob(f"*/fold_*/{CHECKPOINT}"))


def what_is_missing(chosen: Chosen, weights: Path) -> str:
    """What to put where, as one clause."""
    rows = [load_table().datasets[one] for one in chosen.missing]
    folders = ", ".join(one.folder for one in rows)
    commands = " and ".join(dict.fromkeys(f"totalseg_download_weights -t {one.download}" for one in rows))
    return f"{weights} lacks {folders} (on a machine with a network, run {commands}, and copy the folders there)"
