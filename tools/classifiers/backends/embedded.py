"""The backend without any engine: a linear model for each organ, numpy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from agent.errors import ToolError
from tools.classifiers.base import Described, Probabilities, ValidFor, shared_out, softmax
from tools.classifiers.config import LinearConfig

_TOLD = 3


class LinearClassifier:
    """Multinomial logistic regressions, one an organ, with weights for each phase.

    Args:
        name: its registered name.
        config: its configuration.
    """

    def __init__(self, name: str, config: LinearConfig) -> None:
        self.name, self.version, self.source = name, config.version, config.source
        self.valid_for: ValidFor = config.valid_for
        self.smallest_mm = config.smallest_mm
        self.organs: Mapping[str, tuple[str, ...]] = {
            **{organ: (only,) for organ, only in config.alone.items()},
            **{organ: tuple(dict.fromkeys(one.types)) for organ, one in config.organs.items()},
        }
        self._config = config

    def predict(self, lesion: Described) -> Probabilities:
        """Probabilities of the types.

        Raises:
            ToolError: for a phase or an organ that it wasn't trained on.
        """
        features = lesion.features
        model, phase = self._config.organs.get(features.organ), features.phase
        if model is None or phase not in model.ood:
            raise ToolError(f"the classifier {self.name} was not trained on the {phase} phase of the {features.organ}")
        values = (features.vector(model.features) - np.array(model.mean)) / np.array(model.scale)
        weights = np.array(model.weights[phase])
        odds = softmax((weights @ values + np.array(model.bias[phase])) / model.temperature)
        # What speaks for the likeliest type: how much more each input gives to it than to the others on average.
        top = int(odds.argmax())
        shares = (weights[top] - np.delete(weights, top, axis=0).mean(axis=0)) * values
        order = sorted(range(len(shares)), key=lambda at: (-shares[at], model.features[at]))
        mattered = tuple(model.features[at] for at in order[:_TOLD] if shares[at] > 0)
        ood = model.ood[phase]
        return Probabilities(shared_out(model.types, odds), ood.distance(values), ood.limit, mattered)
