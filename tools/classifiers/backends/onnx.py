"""ONNX models, run by onnxruntime on the processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.errors import ToolError, UsageError
from tools.classifiers.config import ModelConfig, read_model
from tools.classifiers.model import Run
from tools.volume import FloatArray


def load(config: ModelConfig, folder: Path) -> Run:
    """Load a model with one float input (1, n).

    Raises:
        UsageError: where the file is no such model.
    """
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    data = read_model(config, folder)
    try:
        # From bytes: a model can't draw in other files.
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UsageError(f"{folder / config.file} is no ONNX model that onnxruntime can run.") from error
    inputs, outputs = session.get_inputs(), [one.name for one in session.get_outputs()]
    name = config.output_name or outputs[-1]
    fits = len(inputs) == 1 and inputs[0].type == "tensor(float)" and len(inputs[0].shape) == 2
    width = inputs[0].shape[1] if fits else None
    if not fits or name not in outputs or (isinstance(width, int) and width != config.width):
        raise UsageError(
            f"{folder / config.file} has to have one float input of shape (1, {config.width}) and the output {name!r}."
        )

    def run(values: FloatArray) -> FloatArray:
        try:
            (output,) = session.run([name], {inputs[0].name: values[None].astype(np.float32)})
            return np.asarray(output, dtype=np.float64)
        except Exception as error:  # the engine's own errors have no common base
            raise ToolError(f"the model of {config.source} could not be run") from error

    return run
