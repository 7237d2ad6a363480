"""Which masks show what a piece of evidence is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.base import Case
from tools.lesion_list import Lesion, lesion_list
from tools.look import host_of
from tools.ontology import load_ontology
from tools.seen import seen
from tools.structures import resolve
from tools.types import Evidence, State
from tools.volume import LabelSet, Region

_Which = Literal["whole", "largest", "longest"]

_ONE_LESION: tuple[tuple[str, _Which], ...] = (
    ("largest_lesion_", "largest"),
    ("largest_to_second_", "largest"),
    ("nodule_mean_", "largest"),
    ("longest_lesion_", "longest"),
)
"""How the quantities begin that are those of a single lesion of the class."""


@dataclass(frozen=True)
class Shown:
    """A mask to show.

    Attributes:
        region: the mask.
        structures: ids of the labels that it is made of; of a single lesion, the label's with its number.
    """

    region: Region
    structures: tuple[str, ...]

    @property
    def single(self) -> str | None:
        """Id of the single lesion that it is; None for a whole structure."""
        return next((one for one in self.structures if "#" in one), None)


def shown_by(case: Case, labels: LabelSet, one: Evidence) -> Shown | None:
    """The mask that shows the target of a piece of evidence; of an absent lesion, the organ it was looked for in."""
    which: _Which = next((which for begin, which in _ONE_LESION if one.quantity.startswith(begin)), "whole")
    if which != "whole" and one.state is not State.ABSENT:
        number = _number(lesion_list(case, one.target).lesions, which)
        if number is not None:
            return shown_one(case, labels, f"{one.target}#{number}")
    if "#" in one.target:
        return shown_one(case, labels, one.target)
    target = one.target
    found = seen(case, target)
    if found.region is None and load_ontology().get(target).kind == "lesion" and one.state is State.ABSENT:
        host = host_of(case, target)
        if host is None:
            return None
        target, found = host[0].id, host[1]
    if found.region is None or not found.region.voxels:
        return None
    return Shown(found.region, labels_of(labels, target))


def shown_one(case: Case, labels: LabelSet, numbered: str) -> Shown | None:
    """The mask of a single lesion, under the number that it has in its own label class."""
    found = seen(case, numbered).region
    if found is None:
        return None
    for name in labels_of(labels, numbered.partition("#")[0]):
        for number, lesion in enumerate(lesion_list(case, name).lesions, start=1):
            if lesion.region.box == found.box and lesion.region.voxels == found.voxels:
                return Shown(found, (f"{name}#{number}",))
    return Shown(found, (numbered,))


def _number(lesions: tuple[Lesion, ...], which: _Which) -> int | None:
    if not lesions:
        return None
    if which == "largest":
        return 1
    return 1 + max(range(len(lesions)), key=lambda n: lesions[n].axes.long_axis)


def labels_of(labels: LabelSet, structure: str) -> tuple[str, ...]:
    """Ids of the labels with voxels that a structure is made of; the structure itself where it has a label."""
    for lesions in (False, True):  # an organ may be all lesion
        found = resolve(labels, structure, with_lesions=lesions)
        names = [
            name for name in dict.fromkeys((*found.classes, *found.shared))
            if any(key in labels.boxes for key in labels.entries[name])
        ]  # fmt: skip
        if names:
            return (structure,) if structure in names else tuple(names)
    return (structure,)
