"""What a classifier of lesion types is, what it is told of a lesion, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from agent.errors import UsageError
from tools.classifiers.features import Features
from tools.ontology import load_ontology
from tools.volume import FloatArray, Region, Scan

ValidFor = Literal["synthetic", "real", "any"]


@dataclass(frozen=True)
class Described:
    """A lesion as a classifier sees it: its features, or the scan with its mask for those that look themselves."""

    features: Features
    scan: Scan
    region: Region
    organ: Region | None = None


@dataclass(frozen=True)
class Probabilities:
    """A classifier's answer.

    Attributes:
        types: probability of each lesion type of the ontology; they sum to 1.
        distance: distance from the lesions that it was trained on, None where it can't tell.
        limit: largest distance at which its answer counts, None with `distance`.
        mattered: names of the features that spoke most for the likeliest type, most first; may be empty.
    """

    types: Mapping[str, float]
    distance: float | None = None
    limit: float | None = None
    mattered: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The likeliest type; of equal ones the first by name."""
        return min(self.types, key=lambda name: (-self.types[name], name))

    @property
    def in_distribution(self) -> bool | None:
        """Whether the lesion is like those it was trained on, None where it can't tell."""
        if self.distance is None or self.limit is None:
            return None
        return math.isfinite(self.distance) and self.distance <= self.limit


class Classifier(Protocol):
    """A classifier of lesion types.

    Attributes:
        name, version: the version changes with whatever changes its answers.
        source: its name in words without digits, as sentences give it.
        valid_for: the scans whose lesions it was made for.
        organs: types that it tells apart, by organ (identifier without side).
        smallest_mm: least longest extent of a lesion that it was made for.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def valid_for(self) -> ValidFor: ...  # noqa: D102
    @property
    def organs(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def smallest_mm(self) -> float: ...  # noqa: D102

    def predict(self, lesion: Described) -> Probabilities:
        """Probabilities of the types of the lesion's organ, which is one of `organs`.

        Raises:
            ToolError: where it can't answer for this lesion.
        """
        ...


def ontology_type(name: str, where: str) -> str:
    """Identifier of a lesion type by its identifier, name or synonym.

    Raises:
        UsageError: for a name that is no lesion type of the ontology.
    """
    ontology = load_ontology()
    if name in ontology.lesion_types:
        return name
    # "pNET" is taken for two words where capitals part them.
    ident = ontology.normalise(name) or ontology.normalise(name.lower())
    found = ontology.get(ident).lesion_type if ident is not None else None
    if found is None:
        raise UsageError(
            f"{where} names the lesion type {name[:60]!r}, which the ontology doesn't know; give one of "
            f"{', '.join(sorted(ontology.lesion_types))}."
        )
    return found


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities (n,) from logits (n,)."""
    shifted = np.exp(logits - logits.max())
    return np.asarray(shifted / shifted.sum(), dtype=np.float64)


def shared_out(types: Sequence[str], probabilities: FloatArray) -> dict[str, float]:
    """Probability by type; outputs that are of one type by the ontology are added."""
    found = dict.fromkeys(types, 0.0)
    for name, value in zip(types, probabilities, strict=True):
        found[name] += float(value)
    return found
