"""Encoders that are MONAI networks: a class from a fixed list, its arguments, and a file of tensors.

Weights are read as tensors only (safetensors, or a torch file without pickled objects).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from agent.errors import UsageError
from tools.encoders.network import NetworkConfig, read_config, version_of, weights_file
from tools.encoders.network_encoder import checked
from tools.encoders.protocol import Backend, Encoder
from tools.encoders.torch_run import needed, runner

NetworkName = Literal[
    "DenseNet121", "DynUNet", "SegResNet", "SegResNetDS", "SwinUNETR", "UNet", "ViT",
    "resnet10", "resnet18", "resnet34", "resnet50", "resnet101",
]  # fmt: skip
"""Members of monai.networks.nets; a configuration can name nothing else."""
_MAX_ARGUMENTS = 40


class Network(BaseModel):
    """The network.

    Attributes:
        target: its name in monai.networks.nets.
        arguments: arguments by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: NetworkName = Field(alias="_target_")
    arguments: dict[str, JsonValue] = Field(default_factory=dict, max_length=_MAX_ARGUMENTS)

    @field_validator("arguments")
    @classmethod
    def _offline(cls, given: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if "pretrained" in given:
            raise ValueError("pretrained would download weights")
        return given


class MonaiConfig(NetworkConfig):
    """Configuration of a MONAI network.

    Attributes:
        network: which network.
        layer: dotted name of the submodule whose features are pooled; null for the network's output.
        state: key under which the file holds the state dictionary; null if it is the whole file.
        prefix: what the names in the file begin with and the network's do not; others are left out.
    """

    backend: Literal["monai"]
    network: Network
    layer: str | None = None
    state: str | None = None
    prefix: str = ""


def _load(path: Path | None) -> Encoder:
    if path is None:
        raise UsageError("A MONAI encoder needs a configuration; give its JSON file.")
    config = read_config(path, MonaiConfig)
    weights = weights_file(path, config.weights)
    nets = needed("monai.networks.nets", "monai")
    try:
        module = getattr(nets, config.network.target)(**config.network.arguments)
    except (TypeError, ValueError, RuntimeError, KeyError) as error:
        raise UsageError(f"{path} gives {config.network.target} arguments that it does not take; mend them.") from error
    state = {
        name.removeprefix(config.prefix): tensor
        for name, tensor in _tensors(weights, config.state).items()
        if name.startswith(config.prefix)
    }
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise UsageError(f"{weights} does not fit {config.network.target} as configured in {path}; mend it.") from error
    return checked(config, version_of(config, weights), runner(module, config.layer))


def _tensors(path: Path, key: str | None) -> dict[str, Any]:
    """Tensors by name."""
    torch = needed("torch")
    if path.suffix == ".safetensors":
        safetensors = needed("safetensors.torch", "safetensors")
        try:
            return dict(safetensors.load_file(str(path)))
        except (OSError, ValueError, needed("safetensors").SafetensorError) as error:
            raise UsageError(f"{path} cannot be read as safetensors; save the weights again.") from error
    import pickle  # noqa: PLC0415  (only for the name of the error that a refused file raises)

    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UsageError(f"{path} holds more than tensors or is damaged; save its state dictionary alone.") from error
    state = held.get(key) if key is not None and isinstance(held, dict) else held
    if not isinstance(state, dict) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise UsageError(f'{path} holds no state dictionary{f" under {key!r}" if key else ""}; set "state" to its key.')
    return {str(name): tensor for name, tensor in state.items()}


MONAI = Backend("monai", _load)
