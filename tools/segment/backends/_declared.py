"""What whoever installed a model says of it, in a `tumortrace.toml` beside its weights."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ToolError

DECLARED = "tumortrace.toml"
MAX_BYTES = 65_536


class Declared(BaseModel):
    """For which scans a model is valid, and how it is run.

    Attributes:
        title: the engine and its task in words, without digits.
        licence: licence of the weights.
        phases: contrast phases for which it is valid; any where empty.
        max_slice_mm: largest distance between slices for which it is valid.
        synthetic_only: whether it is valid for synthetic scans only.
        rank: smaller ones are preferred.
        classes: the engine's names of the classes that it has learned; all of its names where None.
        orientation: order of the axes in which the model has learned, as nibabel writes it (nnU-Net only).
        mirroring: whether the mean over mirrored inputs is taken: finer, and eight times slower (nnU-Net only).
        pickles: whether checkpoints that hold more than weights are loaded: that runs code of theirs (nnU-Net only).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str | None = Field(default=None, min_length=1, max_length=100, pattern=r"^\D+$")
    licence: str | None = Field(default=None, min_length=1, max_length=200)
    phases: tuple[str, ...] = ()
    max_slice_mm: float | None = Field(default=None, gt=0)
    synthetic_only: bool = False
    rank: int | None = None
    classes: tuple[str, ...] | None = None
    orientation: str = Field(default="RAS", pattern=r"^[RLAPSI]{3}$")
    mirroring: bool = False
    pickles: bool = False


def read_declared(folder: Path) -> Declared:
    """The declaration in a folder; defaults where there is none.

    Raises:
        ToolError: it cannot be read, as one clause.
    """
    path = folder / DECLARED
    if not path.is_file():
        return Declared()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ToolError(f"{path} is larger than {MAX_BYTES} bytes")
        return Declared.model_validate(tomllib.loads(content.decode("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise ToolError(f"{path} is not valid ({'.'.join(map(str, first['loc']))}: {first['msg']})") from error
    except (OSError, ValueError) as error:
        raise ToolError(f"{path} cannot be read ({type(error).__name__})") from error
