"""Entries and vectors for tests of case bases."""

from __future__ import annotations

import numpy as np

from retrieval.case_model import CaseEntry, EncoderId
from retrieval.index_model import FloatRows

DIMENSION = 8
ENCODER = EncoderId(name="stand-in", version="1", dimension=DIMENSION)
ORGANS = ("liver", "kidney")
TYPES = ("cyst", "metastasis")


def entry(number: int, patient: str | None = None, scan: str | None = None, **more: str | None) -> CaseEntry:
    """An entry whose fields follow from its number unless they are given."""
    told: dict[str, object] = {
        "id": f"case-{number}", "patient": patient or f"p{number // 2}", "scan": scan or f"s{number}",
        "organ": ORGANS[number % 2], "structure": "lesion", "phase": ("portal", "native")[number // 2 % 2],
        "lesion_type": TYPES[number // 4 % 2], "label_source": "synthetic", "site": f"site {number % 3}",
        "size_mm": float(number), "extra": {"note": "x"}, **more,
    }  # fmt: skip
    return CaseEntry.model_validate(told)


def vectors(count: int, seed: int = 0) -> FloatRows:
    """Random vectors far from the origin."""
    return (np.random.default_rng(seed).normal(size=(count, DIMENSION)) + 3).astype(np.float32)
