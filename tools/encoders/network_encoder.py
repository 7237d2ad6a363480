"""An encoder around any function from an input array to features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ToolError, UsageError
from tools.crop import Crop
from tools.encoders.network import NetworkConfig, input_size, network_input, pooled
from tools.encoders.protocol import CropArguments

Run = Callable[[NDArray[np.float32]], NDArray[Any]]


@dataclass(frozen=True)
class NetworkEncoder:
    """A network with its configuration.

    Attributes:
        config: how it wants its input.
        version: hash over configuration and weights.
        dimension: length of its vectors.
        run: (1, channels, …) float32 → features; raises RuntimeError or ValueError where it fails.
    """

    config: NetworkConfig
    version: str
    dimension: int
    run: Run

    @property
    def name(self) -> str:
        """As configured."""
        return self.config.name

    @property
    def crop(self) -> CropArguments:
        """As configured."""
        return self.config.crop

    def encode(self, crop: Crop) -> NDArray[np.float32]:
        """The pooled features of a crop.

        Raises:
            ToolError: the crop has not the network's size, or the network failed.
        """
        if crop.hu.shape != self.config.size:
            raise ToolError(f"the encoder {self.name} takes crops of {self.config.size} voxels, not {crop.hu.shape}")
        try:
            return pooled(self.run(network_input(crop, self.config)), self.config)
        except (RuntimeError, ValueError) as error:
            raise ToolError(f"the encoder {self.name} failed on the crop") from error


def checked(config: NetworkConfig, version: str, run: Run) -> NetworkEncoder:
    """An encoder whose network has been tried once, which also tells the length of its vectors.

    Raises:
        UsageError: the network does not take the configured input, or gives no vector.
    """
    try:
        vector = pooled(run(np.zeros((1, config.channels, *input_size(config)), np.float32)), config)
    except (RuntimeError, ValueError, TypeError, ToolError) as error:
        raise UsageError(
            f"The network of {config.name} cannot be used as configured ({_first_line(error)}); "
            "mend its size, mask, pool or layer."
        ) from error
    return NetworkEncoder(config, version, len(vector), run)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".").replace(". ", "; ")[:200]
