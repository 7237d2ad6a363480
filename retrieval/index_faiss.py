"""The one place where faiss is imported."""

from __future__ import annotations

from typing import Any


def library() -> Any:
    """The faiss module, untyped: its stubs lack arguments that its Python wrappers take."""
    import faiss  # noqa: PLC0415

    return faiss
