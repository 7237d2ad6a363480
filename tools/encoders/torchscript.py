"""Encoders in TorchScript files. Such a file is code: it is loaded from folders that the user trusts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

from agent.errors import UsageError
from tools.encoders.network import NetworkConfig, read_config, version_of, weights_file
from tools.encoders.network_encoder import checked
from tools.encoders.protocol import Backend, Encoder
from tools.encoders.torch_run import needed, runner


class TorchScriptConfig(NetworkConfig):
    """Configuration of a TorchScript file."""

    backend: Literal["torchscript"]


def _load(path: Path | None) -> Encoder:
    if path is None:
        raise UsageError("A TorchScript encoder needs a configuration; give its JSON file.")
    config = read_config(path, TorchScriptConfig)
    weights = weights_file(path, config.weights)
    torch = needed("torch")
    try:
        with warnings.catch_warnings():
            # torch advises new code to export in another format; files that exist are still opened this way.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(str(weights), map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        raise UsageError(f"{weights} cannot be opened as a TorchScript file; export the network again.") from error
    return checked(config, version_of(config, weights), runner(module))


TORCHSCRIPT = Backend("torchscript", _load)
