"""scikit-learn estimators stored by skops, which holds no code; its types are checked against a list."""

from __future__ import annotations

import io
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from agent.errors import ToolError, UsageError
from tools.classifiers.config import MAX_MODEL, ModelConfig, read_model
from tools.classifiers.model import Run
from tools.volume import FloatArray


def load(config: ModelConfig, folder: Path) -> Run:
    """Load an estimator with `predict_proba` or `decision_function`.

    Raises:
        UsageError: where skops isn't installed, or the file is no estimator or holds types that are not trusted.
    """
    if find_spec("skops") is None or find_spec("sklearn") is None:
        raise UsageError("A classifier of the backend skops needs it: pip install skops scikit-learn.")
    data = read_model(config, folder)
    _small(data, folder / config.file)
    reader = import_module("skops.io")
    try:
        unknown = sorted(set(reader.get_untrusted_types(data=data)) - set(config.trusted))
        estimator = None if unknown else reader.loads(data, trusted=list(config.trusted))
    except Exception as error:  # whatever a file can break in a reader
        raise UsageError(f"{folder / config.file} is no estimator that skops can read.") from error
    if unknown:
        raise UsageError(
            f"{folder / config.file} holds the type {unknown[0]}, which its configuration doesn't list under trusted."
        )
    method = "predict_proba" if config.output == "probabilities" else "decision_function"
    if not hasattr(estimator, method):
        raise UsageError(f"{folder / config.file} holds no estimator with {method}.")

    def run(values: FloatArray) -> FloatArray:
        try:
            return np.asarray(getattr(estimator, method)(values[None]), dtype=np.float64)
        except Exception as error:  # estimators raise what they like
            raise ToolError(f"the model of {config.source} could not be run") from error

    return run


def _small(data: bytes, path: Path) -> None:
    """Refuse an archive that unpacks to more than a model may hold, before anything is unpacked."""
    try:
        size = sum(one.file_size for one in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UsageError(f"{path} is no file of skops, which are zip archives.") from error
    if size > MAX_MODEL:
        raise UsageError(f"{path} unpacks to more than {MAX_MODEL >> 20} MB, which no model may hold.")
