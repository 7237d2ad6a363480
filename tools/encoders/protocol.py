"""What an encoder is, and what a file has to define to be a backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tools.crop import Crop, Size


@dataclass(frozen=True)
class CropArguments:
    """How an encoder wants its crops; see `tools.crop.crop_roi`."""

    margin_mm: float = 15.0
    spacing_mm: float | None = 1.5
    size: Size | None = None


class Encoder(Protocol):
    """Turns a crop into a vector.

    Vectors of encoders with another name, version or dimension must never be compared.
    """

    @property
    def name(self) -> str:
        """Which encoder, for people and for the index."""

    @property
    def version(self) -> str:
        """Changes with everything that the vector depends on: code, weights and configuration."""

    @property
    def dimension(self) -> int:
        """Length of the vector."""

    @property
    def crop(self) -> CropArguments:
        """How it wants its crops."""

    def encode(self, crop: Crop) -> NDArray[np.float32]:
        """The vector of a crop: float32, shape (dimension,), all finite.

        Raises:
            ToolError: the crop cannot be encoded.
        """


@dataclass(frozen=True)
class Backend:
    """A kind of encoder.

    Attributes:
        name: what a configuration calls it.
        load: makes an encoder from a configuration file; None stands for the built-in one.
        built_in: whether it works without a configuration file, by its name alone.
    """

    name: str
    load: Callable[[Path | None], Encoder]
    built_in: bool = False
