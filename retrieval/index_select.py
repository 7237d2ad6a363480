"""Which vectors a search may return, in the form that faiss wants it."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrieval.index_faiss import library
from retrieval.index_model import Ids

_SMALL = 4096
"""Beyond so many ids a bitmap is both smaller and faster than a hash set."""


def selector(allowed: Ids | None, excluded: Ids | None) -> Any:
    """A faiss selector for ids that are allowed (None: all) and not excluded; None where everything is."""
    faiss = library()

    within = _among(allowed) if allowed is not None else None
    without = faiss.IDSelectorNot(_among(excluded)) if excluded is not None and len(excluded) else None
    if within is not None and without is not None:
        return faiss.IDSelectorAnd(within, without)
    return within if within is not None else without


def _among(ids: Ids) -> Any:
    faiss = library()

    plain = np.ascontiguousarray(ids, dtype=np.int64)
    if len(plain) <= _SMALL:
        return faiss.IDSelectorBatch(plain)
    flags = np.zeros(int(plain.max()) + 1, dtype=np.bool_)
    flags[plain] = True
    return faiss.IDSelectorBitmap(np.packbits(flags, bitorder="little"))
