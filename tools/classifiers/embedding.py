"""Embedding of a lesion's crop as a classifier's input."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.errors import ToolError
from tools.classifiers.base import Described
from tools.classifiers.config import EmbeddingInput
from tools.encode import embed, load_encoder
from tools.encoders.registry import backends
from tools.volume import FloatArray


def embedding_of(lesion: Described, spec: EmbeddingInput, folder: Path) -> FloatArray:
    """Embedding (n,) of a lesion with its surroundings.

    Args:
        lesion: the lesion.
        spec: which encoder, and whether it sees the organ as well.
        folder: the classifier's folder, where an encoder of its own lies.

    Raises:
        ToolError: for an embedding of another length than the classifier reads.
        UsageError: where the encoder is not available.
    """
    built_in = spec.encoder in backends()
    encoder = load_encoder(spec.encoder if built_in else folder / spec.encoder)
    vector = embed(lesion.scan, lesion.region, encoder, None, lesion.organ if spec.with_organ else None)
    if vector.shape != (spec.size,):
        raise ToolError(
            f"the encoder {spec.encoder} gives {vector.size} numbers where the classifier reads {spec.size}"
        )
    return np.asarray(vector, dtype=np.float64)
