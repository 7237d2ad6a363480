"""scikit-learn estimators stored by skops, which holds no code; its types are checked against a list."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from agent.errors import ToolError, UsageError
from tools.classifiers.config import ModelConfig, read_model
from tools.classifiers.model import Run
from tools.volume import FloatArray


def load(config: ModelConfig, folder: Path) -> Run:
    """Load an estimator with `predict_proba` or `decision_function`.

    Raises:
        UsageError: where skops isn't installed, or the file holds types that are not trusted.
    """
    if find_spec("skops") is None or find_spec("sklearn") is None:
        raise UsageError("A classifier of the backend skops needs it: pip install skops scikit-learn.")
    data = read_model(config, folder)
    reader = import_module("skops.io")
    unknown = sorted(set(reader.get_untrusted_types(data=data)) - set(config.trusted))
    if unknown:
        raise UsageError(
            f"{folder / config.file} holds the type {unknown[0]}, which its configuration doesn't list under trusted."
        )
    estimator = reader.loads(data, trusted=list(config.trusted))
    method = "predict_proba" if config.output == "probabilities" else "decision_function"
    if not hasattr(estimator, method):
        raise UsageError(f"{folder / config.file} holds no estimator with {method}.")

    def run(values: FloatArray) -> FloatArray:
        try:
            return np.asarray(getattr(estimator, method)(values[None]), dtype=np.float64)
        except ValueError as error:
            raise ToolError(f"the model of {config.source} could not be run") from error

    return run
