"""Lesions found, missed and invented: predicted pieces against true lesions, by overlap. Pure.

A true lesion is found if at least a tenth of it is covered by predicted lesions of the same organ, of whatever type.
A predicted piece is false unless it covers a tenth of some true lesion of its organ, or a tenth of it lies in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evals.segmentation.score import common
from tools.masks import connected
from tools.ontology import Ontology
from tools.volume import LabelSet, Region

LEAST = 0.1
"""Share of a lesion that has to be covered."""
SIZES = (0.0, 10.0, 20.0, 30.0, float("inf"))
"""Bounds of the size classes: longest axial diameter in mm, the lower one included."""


@dataclass(frozen=True)
class Piece:
    """One lesion: organ and type by the ontology's names (a paired organ with its side), and its voxels."""

    organ: str
    type: str
    region: Region


@dataclass(frozen=True)
class Fate:
    """What became of a true lesion.

    Attributes:
        covered: share of its voxels (0 to 1) that predicted lesions of its organ cover.
        found: whether that is enough.
        seen_as: type of the predicted piece that covers most of it; None where it was not found.
    """

    covered: float
    found: bool
    seen_as: str | None


@dataclass(frozen=True)
class Matched:
    """Outcome of a matching.

    Attributes:
        fates: of the true lesions, in their order.
        false: indices of predicted pieces that are none.
        merged: number of predicted pieces that cover several true lesions.
        split: number of true lesions that several predicted pieces lie in.
    """

    fates: tuple[Fate, ...]
    false: tuple[int, ...]
    merged: int
    split: int


def match(truth: Sequence[Piece], predicted: Sequence[Piece], least: float = LEAST) -> Matched:
    """Match predicted pieces with true lesions.

    Args:
        truth: lesions that do not overlap.
        predicted: pieces that do not overlap within an organ.
        least: share that has to be covered.
    """
    shared = [
        {n: both for n, p in enumerate(predicted) if p.organ == t.organ and (both := common(t.region, p.region))}
        for t in truth
    ]
    fates = []
    for one, found in zip(truth, shared, strict=True):
        covered = sum(found.values()) / one.region.voxels
        enough = bool(found) and covered >= least
        # Of equal pieces the first decides.
        fates.append(Fate(covered, enough, predicted[max(found, key=lambda n: found[n])].type if enough else None))
    covering, inside = _hits(truth, predicted, shared, least)
    false = tuple(n for n in range(len(predicted)) if not covering[n] and not inside[n])
    lying = [sum(found[n] >= least * predicted[n].region.voxels for n in found) for found in shared]
    return Matched(
        tuple(fates), false, merged=sum(count > 1 for count in covering.values()),
        split=sum(count > 1 for count in lying),
    )  # fmt: skip


def _hits(
    truth: Sequence[Piece], predicted: Sequence[Piece], shared: Sequence[Mapping[int, int]], least: float
) -> tuple[dict[int, int], dict[int, bool]]:
    """By predicted piece: how many true lesions it covers enough of, and whether enough of it lies in any."""
    covering, inside = {}, {}
    for n, piece in enumerate(predicted):
        covering[n] = sum(found.get(n, 0) >= least * t.region.voxels for t, found in zip(truth, shared, strict=True))
        inside[n] = sum(found.get(n, 0) for found in shared) >= least * piece.region.voxels
    return covering, inside


def size_class(long_axis_mm: float) -> str:
    """Name of the size class of a lesion."""
    low, high = next((a, b) for a, b in pairwise(SIZES) if a <= long_axis_mm < b)
    return f"{low:.0f} to {high:.0f} mm" if high < SIZES[-1] else f"{low:.0f} mm and more"


def predicted_pieces(labels: LabelSet, ontology: Ontology) -> list[Piece]:
    """Connected lesions in the labels, whatever the types of their voxels; each is of the type that most of them have.

    Lesions whose class names no organ are left out.
    """
    classes: dict[str, list[str]] = {}
    for name in sorted(labels.entries):
        organ = ontology.get(name).organ if ontology.get(name).kind == "lesion" else None
        if organ is not None:
            classes.setdefault(organ, []).append(name)
    made = []
    for organ, names in classes.items():
        whole = labels.region(tuple(key for name in names for key in labels.entries[name]))
        own = {name: labels.region(labels.entries[name]) for name in names}
        for part in connected(whole) if whole is not None else ():
            most = max(names, key=lambda name: common(own[name], part))
            made.append(Piece(organ, ontology.get(most).lesion_type or "lesion", part))
    return made
