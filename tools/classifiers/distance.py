"""Distance of a lesion from those that a classifier was trained on (Mahalanobis).

With several means the nearest counts, all sharing one covariance (Lee et al., A simple unified framework for detecting
out-of-distribution samples, NeurIPS 2018, arXiv:1807.03888).
"""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.volume import FloatArray

Number = Annotated[float, Field(allow_inf_nan=False)]
Row = Annotated[tuple[Number, ...], Field(min_length=1, max_length=4096)]


class Mahalanobis(BaseModel):
    """A cloud of training lesions.

    Attributes:
        means: centres (m, n), of all of them or of each sort.
        precision: inverse covariance (n, n), symmetric and positive definite.
        limit: largest distance at which a lesion counts as one like them.
        quantile: share of held-out lesions that lie within the limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: Annotated[tuple[Row, ...], Field(min_length=1, max_length=256)]
    precision: Annotated[tuple[Row, ...], Field(min_length=1, max_length=4096)]
    limit: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    quantile: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        size = len(self.precision)
        if any(len(row) != size for row in (*self.precision, *self.means)):
            raise ValueError("the means and the precision have to be of one size")
        matrix = np.array(self.precision)
        # A direction without any weight would take whatever lies along it for one like the training lesions.
        if not np.allclose(matrix, matrix.T, rtol=1e-4, atol=1e-6) or np.linalg.eigvalsh(matrix).min() <= 0:
            raise ValueError("the precision has to be symmetric and positive")
        return self

    def distance(self, values: FloatArray) -> float:
        """Distance of a vector (n,) from the nearest centre; infinite where that is no number."""
        away = values - np.array(self.means)
        squares = np.einsum("mi,ij,mj->m", away, np.array(self.precision), away)
        nearest = float(squares.min())
        return math.sqrt(max(0.0, nearest)) if math.isfinite(nearest) else math.inf
