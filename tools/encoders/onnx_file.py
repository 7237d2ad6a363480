"""Encoders in ONNX files, run by onnxruntime on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.errors import UsageError
from tools.encoders.network import NetworkConfig, read_config, version_of, weights_file
from tools.encoders.network_encoder import checked
from tools.encoders.protocol import Backend, Encoder


class OnnxConfig(NetworkConfig):
    """Configuration of an ONNX file.

    Attributes:
        output: name of the output; null for the first.
        threads: threads of one call; 0 for as many as there are cores.
    """

    backend: Literal["onnx"]
    output: str | None = None
    threads: int = Field(default=0, ge=0, le=256)


def _load(path: Path | None) -> Encoder:
    if path is None:
        raise UsageError("An ONNX encoder needs a configuration; give its JSON file.")
    import onnxruntime  # noqa: PLC0415  (heavy import, only where it is used)
    from onnxruntime.capi import onnxruntime_pybind11_state as states  # noqa: PLC0415

    config = read_config(path, OnnxConfig)
    weights = weights_file(path, config.weights)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.log_severity_level = 4
    try:
        # From bytes: a model cannot draw in other files, so that the hash covers all of it.
        session = onnxruntime.InferenceSession(weights.read_bytes(), options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError, states.Fail, states.InvalidProtobuf, states.InvalidGraph) as error:
        raise UsageError(f"{weights} cannot be opened as an ONNX file; export the network again.") from error
    outputs = [one.name for one in session.get_outputs()]
    if config.output is not None and config.output not in outputs:
        raise UsageError(f"{weights} has no output {config.output!r}; choose one of {', '.join(outputs)}.")
    if len(session.get_inputs()) != 1:
        raise UsageError(f"{weights} takes {len(session.get_inputs())} inputs; an encoder has to take one.")
    entry, chosen = session.get_inputs()[0].name, config.output or outputs[0]

    def run(array: NDArray[np.float32]) -> NDArray[Any]:
        try:
            return np.asarray(session.run([chosen], {entry: array})[0])
        except (states.Fail, states.InvalidArgument, states.RuntimeException) as error:
            raise RuntimeError(str(error)) from error

    return checked(config, version_of(config, weights), run)


ONNX = Backend("onnx", _load)
