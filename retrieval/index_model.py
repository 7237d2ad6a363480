"""What is known of a vector index besides its vectors, and the limits that shape it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

FloatRows = NDArray[np.float32]
Ids = NDArray[np.int64]
Blocks = Callable[[], Iterator[tuple[Ids, FloatRows]]]
"""A stream of (ids (n,), raw vectors (n, dimension)) that can be started again; no block need fit with another."""

MAX_DIMENSION = 8192
MAX_VECTORS = 50_000_000


@dataclass(frozen=True)
class IndexLimits:
    """What decides on the kind of index, and when it is made anew.

    Attributes:
        flat_up_to: up to so many vectors the search is exact.
        target_recall: recall@`neighbours` that an approximate index has to reach, less one standard error.
        neighbours: at which depth recall is measured.
        queries: number of held vectors that recall is measured with.
        grow: an index that holds so many times what it was built with is built anew.
    """

    flat_up_to: int = 100_000
    target_recall: float = 0.95
    neighbours: int = 10
    queries: int = 400
    grow: float = 2.0


class IndexAbout(BaseModel):
    """How an index was built, and how good its search was measured to be.

    Attributes:
        kind: exact search ("flat"), or inverted lists of vectors in 8 bits a dimension ("ivf-sq8").
        dimension: length of a vector.
        built: number of vectors at the last build.
        mean: what is subtracted from every vector before it is brought to unit length.
        lists: number of inverted lists.
        probes: how many of them a search looks through.
        recall: share of the true nearest that the search finds; 1 for exact search.
        recall_error: standard error of `recall`.
        recall_queries: number of held vectors it was measured with; 0 for exact search.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["flat", "ivf-sq8"]
    dimension: int = Field(ge=1, le=MAX_DIMENSION)
    built: int = Field(ge=0, le=MAX_VECTORS)
    mean: tuple[float, ...] = Field(max_length=MAX_DIMENSION)
    lists: int = Field(default=0, ge=0)
    probes: int = Field(default=0, ge=0)
    recall: float = Field(default=1.0, ge=0, le=1)
    recall_error: float = Field(default=0.0, ge=0, le=1)
    recall_queries: int = Field(default=0, ge=0)
