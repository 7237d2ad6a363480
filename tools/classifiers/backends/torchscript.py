"""TorchScript models. They are programs: only files of trusted makers belong into the folder of classifiers."""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from agent.errors import ToolError, UsageError
from tools.classifiers.config import ModelConfig, read_model
from tools.classifiers.model import Run
from tools.volume import FloatArray


def load(config: ModelConfig, folder: Path) -> Run:
    """Load a model from (1, n) floats to (1, types).

    Raises:
        UsageError: where torch isn't installed, or the file is no such model.
    """
    if find_spec("torch") is None:
        raise UsageError("A classifier of the backend torchscript needs torch: pip install torch.")
    import torch  # noqa: PLC0415

    data = read_model(config, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # for torch.export, which is no format for others' files
            model = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"{folder / config.file} is no TorchScript model.") from error

    def run(values: FloatArray) -> FloatArray:
        try:
            with torch.inference_mode():
                return np.asarray(model(torch.from_numpy(values[None].astype(np.float32))).numpy(), dtype=np.float64)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise ToolError(f"the model of {config.source} could not be run") from error

    return run
