"""Entries and vectors for tests of case bases."""

from __future__ import annotations

import numpy as np

from retrieval.case_model import NUMBER, CaseEntry, EncoderId
from retrieval.index_model import FloatRows

DIMENSION = 8
ENCODER = EncoderId(name="stand-in", version="1", dimension=DIMENSION)
ORGANS = ("liver", "kidney")
TYPES = ("cyst", "metastasis")


def entry(
    at: int, patient: str | None = None, scan: str | None = None, *, number: str | None = None, **more: str | None
) -> CaseEntry:
    """An entry whose fields follow from its place unless they are given; `number` is the one of a DICOM header."""
    told: dict[str, object] = {
        "id": f"case-{at}", "patient": patient or f"p{at // 2}", "scan": scan or f"s{at}",
        "organ": ORGANS[at % 2], "structure": "lesion", "phase": ("portal", "native")[at // 2 % 2],
        "lesion_type": TYPES[at // 4 % 2], "label_source": "synthetic", "site": f"site {at % 3}",
        "size_mm": float(at), "extra": {"note": "x", **({NUMBER: number} if number is not None else {})}, **more,
    }  # fmt: skip
    return CaseEntry.model_validate(told)


def vectors(count: int, seed: int = 0) -> FloatRows:
    """Random vectors far from the origin."""
    return (np.random.default_rng(seed).normal(size=(count, DIMENSION)) + 3).astype(np.float32)
