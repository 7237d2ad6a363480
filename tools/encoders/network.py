"""What encoders that are networks share: their configuration, their input, and the pooling of their output."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import ToolError, UsageError
from tools.crop import Crop, Size
from tools.crop_window import WINDOWS
from tools.encoders.protocol import CropArguments
from tools.types import content_hash

MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 4 << 30
MAX_INPUT_VOXELS = 256**3
MAX_DIMENSION = 1 << 16
_CODE = 1
"""Raised whenever the same configuration and weights may give another vector."""
Float32 = NDArray[np.float32]
Side = Annotated[int, Field(ge=8, le=512)]


class NetworkConfig(BaseModel):
    """Configuration of a network, as JSON beside its weights.

    Attributes:
        backend: which kind of file it is.
        name: what vectors of this encoder are filed under.
        weights: file of the network, in the same folder.
        size: voxels along i, j, k of the input.
        spacing_mm: isotropic spacing of the input; null for the one at which the lesion with its margin fits.
        margin_mm: margin around the lesion, where the spacing is null.
        window: name of a window, or the HU that become the least and the greatest value.
        values: the least and the greatest value of the input.
        axes: what the input's axes run towards, e.g. "RAS" or "SPL".
        mask: whether the lesion's mask goes unseen, as a second channel, or blanks what is outside of it.
        pool: null if the output is one vector, or "mean" for features averaged over space.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str
    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9._-]+$")
    weights: str = Field(min_length=1, max_length=255)
    size: tuple[Side, Side, Side] = (64, 64, 64)
    spacing_mm: float | None = Field(default=1.5, ge=0.1, le=20)
    margin_mm: float = Field(default=15.0, ge=0, le=200)
    window: str | tuple[float, float] = (-160.0, 240.0)
    values: tuple[float, float] = (0.0, 1.0)
    axes: str = Field(default="RAS", pattern=r"^[RLAPSI]{3}$")
    mask: Literal["ignore", "channel", "blank"] = "ignore"
    pool: Literal["mean"] | None = "mean"

    @model_validator(mode="after")
    def _sound(self) -> NetworkConfig:
        if isinstance(self.window, str) and self.window not in WINDOWS:
            raise ValueError(f"there is no window {self.window!r}")
        if not self.bounds[0] < self.bounds[1] or not np.isfinite([*self.bounds, *self.values]).all():
            raise ValueError("the window is empty")
        if len({"RLAPSI".index(letter) // 2 for letter in self.axes}) != 3:
            raise ValueError(f"the axes {self.axes!r} are not three different ones")
        if self.size[0] * self.size[1] * self.size[2] > MAX_INPUT_VOXELS:
            raise ValueError("the input is too large")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """HU that become the least and the greatest value."""
        return WINDOWS[self.window].bounds if isinstance(self.window, str) else self.window

    @property
    def crop(self) -> CropArguments:
        """How the crops are to be made."""
        return CropArguments(self.margin_mm, self.spacing_mm, self.size)

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return 2 if self.mask == "channel" else 1


Config = TypeVar("Config", bound=NetworkConfig)


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read and check a configuration.

    Raises:
        UsageError: it cannot be read, or a setting is wrong.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise UsageError(f"{path} is too large for the configuration of an encoder; give its JSON file.")
        return kind.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"{path} is no usable configuration: at {where}, {first['msg']}; mend it.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as the JSON configuration of an encoder; mend the file.") from error


def weights_file(config: Path, name: str) -> Path:
    """The file of the weights, which must lie in the configuration's own folder.

    Raises:
        UsageError: it lies elsewhere, is missing, or is too large.
    """
    if Path(name).name != name:
        raise UsageError(f"{config} names weights outside of its folder ({name}); put them beside it.")
    path = config.parent / name
    if not path.is_file():
        raise UsageError(f"{config} names weights that are missing ({path}); put the file there.")
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise UsageError(
            f"{path} is larger than the {MAX_WEIGHTS_BYTES >> 30} GB that weights may have; use a smaller network."
        )
    return path


def version_of(config: NetworkConfig, weights: Path) -> str:
    """Hash of the configuration and the bytes of the weights, 16 hexadecimal digits."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return content_hash([_CODE, config.model_dump(mode="json"), digest])[:16]


def network_input(crop: Crop, config: NetworkConfig) -> Float32:
    """The input of a network: float32, shape (1, channels, …), its axes in the configured order."""
    low, high = config.bounds
    least, greatest = config.values
    share = np.clip((crop.hu - np.float32(low)) / np.float32(high - low), 0, 1)
    if config.mask == "blank":
        share = np.where(crop.mask, share, 0)
    layers = [share * np.float32(greatest - least) + np.float32(least)]
    if config.mask == "channel":
        layers.append(crop.mask.astype(np.float32))
    turn = nib.orientations.axcodes2ornt(tuple("RAS"))
    wanted = nib.orientations.ornt_transform(turn, nib.orientations.axcodes2ornt(tuple(config.axes)))
    turned = [nib.orientations.apply_orientation(layer, wanted) for layer in layers]
    return np.ascontiguousarray(np.stack(turned)[None], dtype=np.float32)


def input_size(config: NetworkConfig) -> Size:
    """Size of the input along its own axes, which may be in another order than i, j, k."""
    order = ["RLAPSI".index(letter) // 2 for letter in config.axes]
    return config.size[order[0]], config.size[order[1]], config.size[order[2]]


def pooled(output: NDArray[Any], config: NetworkConfig) -> Float32:
    """One vector from a network's output of shape (1, channels) or (1, channels, …).

    Raises:
        ToolError: the output has another shape, or is not finite.
    """
    if output.ndim > 2 and config.pool == "mean" and output.shape[0] == 1:
        output = output.astype(np.float32).mean(axis=tuple(range(2, output.ndim)))
    if output.ndim != 2 or output.shape[0] != 1 or not 0 < output.shape[1] <= MAX_DIMENSION:
        shape = " × ".join(map(str, output.shape)) or "one number"
        raise ToolError(f"the encoder {config.name} gave no vector but {shape}")
    vector = np.ascontiguousarray(output[0], dtype=np.float32)
    if not np.isfinite(vector).all():
        raise ToolError(f"the encoder {config.name} gave values that are not finite")
    return vector
