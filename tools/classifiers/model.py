"""A classifier whose model is a file: inputs, temperature and distance are ours, the model itself is a backend's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from agent.errors import ToolError
from tools.classifiers.base import Described, Probabilities, ValidFor, shared_out, softmax
from tools.classifiers.config import ModelConfig
from tools.classifiers.embedding import embedding_of
from tools.volume import FloatArray

Run = Callable[[FloatArray], FloatArray]
"""From inputs (n,) to the model's output (types,)."""
_SUM = 1e-3


class ModelClassifier:
    """A classifier by configuration.

    Args:
        name: its registered name.
        config: its configuration.
        run: the model.
        folder: its folder.
    """

    def __init__(self, name: str, config: ModelConfig, run: Run, folder: Path) -> None:
        self.name, self.version, self.source = name, config.version, config.source
        self.valid_for: ValidFor = config.valid_for
        self.smallest_mm = config.smallest_mm
        self.organs: Mapping[str, tuple[str, ...]] = dict.fromkeys(config.organs, tuple(dict.fromkeys(config.types)))
        self._config, self._run, self._folder = config, run, folder

    def predict(self, lesion: Described) -> Probabilities:
        """Probabilities of the types.

        Raises:
            ToolError: where the model's output is no set of probabilities, or the encoder can't be used.
        """
        config = self._config
        if config.embedding is not None:
            values = embedding_of(lesion, config.embedding, self._folder)
        else:
            values = lesion.features.vector(config.features or ())
        if config.mean is not None and config.scale is not None:
            values = (values - np.array(config.mean)) / np.array(config.scale)
        output = np.asarray(self._run(values), dtype=np.float64).ravel()
        if output.shape != (len(config.types),) or not np.isfinite(output).all():
            raise ToolError(f"the classifier {self.name} did not give one finite number for each of its types")
        odds = self._probabilities(output)
        far = config.ood.distance(values) if config.ood is not None else None
        limit = config.ood.limit if config.ood is not None else None
        return Probabilities(shared_out(config.types, odds), far, limit)

    def _probabilities(self, output: FloatArray) -> FloatArray:
        temperature = self._config.temperature
        if self._config.output == "logits":
            return softmax(output / temperature)
        if output.min() < 0 or abs(float(output.sum()) - 1) > _SUM:
            raise ToolError(f"the classifier {self.name} gave numbers that are no probabilities")
        return softmax(np.log(np.maximum(output, 1e-12)) / temperature)
