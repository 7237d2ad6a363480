"""The truth of a phantom as a question needs it: what is there, and what of it the labels handed over can show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from evals.truth_rules import REGION_SHARE
from evals.views import LESIONS, View

SCHEMA = "tumortrace.phantom/2"
ORGANS: Mapping[str, tuple[str, ...]] = {
    "liver": ("liver",), "kidney": ("kidney_left", "kidney_right"), "pancreas": ("pancreas",), "colon": ("colon",),
}  # fmt: skip
"""Organs that lesions are asked of, with what makes them up."""
REGIONS: Mapping[str, tuple[str, ...]] = {
    "liver": tuple(f"liver_segment_{n}" for n in range(1, 9)),
    "pancreas": ("pancreas_head", "pancreas_body", "pancreas_tail"),
    "kidney": ("kidney_left", "kidney_right"),
}


@dataclass(frozen=True)
class StructureView:
    """One class: volume with its lesions (cm³), attenuation without them (HU), whether all of it is in the scan."""

    voxels: int
    volume: float
    hu_mean: float | None
    hu_sd: float | None
    whole: bool


@dataclass(frozen=True)
class LesionView:
    """One lesion as it is in the scan: cm³, mm, HU; region → share (0 to 1), vessel → degrees, neighbour → mm."""

    ident: str
    type: str
    organ: str
    label: str
    voxels: int
    volume: float
    long_axis: float
    slice: int
    hu_mean: float
    whole: bool
    regions: Mapping[str, float] = field(default_factory=dict)
    contacts: Mapping[str, float] = field(default_factory=dict)
    adjacent: Mapping[str, float] = field(default_factory=dict)

    @property
    def main_region(self) -> str | None:
        """The region with the largest share; None without regions, or where two share it about equally."""
        ordered = sorted(self.regions.items(), key=lambda item: -item[1])
        if not ordered or (len(ordered) > 1 and ordered[0][1] - ordered[1][1] < 0.05):
            return None
        return ordered[0][0]

    @property
    def held_by(self) -> tuple[str, ...]:
        """Every region that holds more than a tenth of it, main first."""
        ordered = sorted(self.regions.items(), key=lambda item: -item[1])
        return tuple(name for name, share in ordered if share > REGION_SHARE)

    @property
    def unclear_region(self) -> bool:
        """Whether some region holds so nearly a tenth that counting in regions depends on rounding."""
        return any(abs(share - REGION_SHARE) < 0.02 for share in self.regions.values())


@dataclass(frozen=True)
class Truth:
    """What is true of a phantom.

    Attributes:
        name: name of the phantom.
        phase: contrast phase.
        spacing: mm along left-right, back-front, feet-head.
        slices: number of axial slices.
        structures: by class.
        lesions: those with voxels.
        regions: volume in cm³ by region of an organ, lesions included.
    """

    name: str
    phase: str
    spacing: tuple[float, float, float]
    slices: int
    structures: Mapping[str, StructureView]
    lesions: tuple[LesionView, ...]
    regions: Mapping[str, float] = field(default_factory=dict)


def read_truth(path: Path, name: str) -> Truth:
    """The truth of a phantom from its truth.json.

    Raises:
        UsageError: not a truth file of this schema.
    """
    try:
        data = json.loads(path.read_bytes())
        if data["schema"] != SCHEMA:
            raise UsageError(f"{path} is of the schema {data['schema']!r} and not {SCHEMA!r}: make the phantom anew")
        return truth_from(data, name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no truth file of a phantom ({error}): make the phantom anew") from error


def truth_from(data: Mapping[str, Any], name: str) -> Truth:
    """The truth of a phantom from the content of its truth.json.

    Raises:
        KeyError: a field is missing.
    """
    structures = {
        key: StructureView(
            one["voxels"], one["volume_with_lesions_cm3"], one["hu_mean"], one["hu_sd"],
            not (one["truncated"] or one["touches_border"]),
        )
        for key, one in data["structures"].items()
    }  # fmt: skip
    lesions = tuple(_lesion(one) for one in data["lesions"] if one["voxels"] > 0)
    regions = {name: one["volume_cm3"] for table in data["regions"].values() for name, one in table.items()}
    x, y, z = data["spacing_mm"]
    return Truth(name, data["phase"], (x, y, z), data["shape"][2], structures, lesions, regions)


def _lesion(one: Mapping[str, Any]) -> LesionView:
    return LesionView(
        ident=str(one["id"]), type=one["type"], organ=one["organ"], label=one["label"], voxels=one["voxels"],
        volume=one["volume_cm3"], long_axis=one["long_axis_mm"], slice=one["slice"], hu_mean=one["hu_mean"],
        whole=one["in_field"], regions=one["regions"], contacts=one["contacts"], adjacent=one["adjacent"],
    )  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A phantom through a view: what the labels handed over declare.

    Attributes:
        truth: what is true.
        view: what is handed over.
        declared: names that the label maps declare.
    """

    truth: Truth
    view: View
    declared: frozenset[str]

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Classes of the phantom that are not handed over under any name."""
        return self.view.dropped

    def organ_parts(self, organ: str) -> tuple[str, ...]:
        """What makes an organ up: both kidneys, else itself."""
        return ORGANS.get(organ, (organ,))

    def shown(self, organ: str) -> bool:
        """Whether an organ (both of a pair) is labelled and there."""
        return all(
            part in self.declared and (one := self.truth.structures.get(part)) is not None and one.voxels > 0
            for part in self.organ_parts(organ)
        )

    def whole(self, organ: str) -> bool:
        """Whether all of an organ (both of a pair) is in the scan and labelled."""
        return self.shown(organ) and all(self.truth.structures[part].whole for part in self.organ_parts(organ))

    def lesions(self, organ: str, *labels: str) -> list[LesionView]:
        """Lesions of an organ whose voxels are handed over, largest first; of some label classes only, if given."""
        parts = self.organ_parts(organ)
        found = [
            one
            for one in self.truth.lesions
            if one.organ in parts and one.label not in self.hidden and (not labels or one.label in labels)
        ]
        return sorted(found, key=lambda one: -one.volume)

    def typed(self, label: str) -> bool:
        """Whether a label class of the phantom is handed over as what it is."""
        return label in self.declared

    @property
    def others(self) -> bool:
        """Whether the label maps say that there are no lesions of other types than the labelled ones."""
        return self.view.style == "own"

    def looked_for_any(self, organ: str) -> bool:
        """Whether a class was declared that would show a lesion of the organ of whatever type."""
        wanted = {LESIONS[label] for label in LESIONS if LESIONS[label].startswith(organ)}
        return bool(wanted) and wanted <= self.declared

    def all_lesions(self, organ: str) -> str | None:
        """Why the lesions of an organ may not be all that there are; None where they are."""
        if not self.looked_for_any(organ):
            return f"no class could show a {organ} lesion of whatever type"
        if not self.shown(organ):
            return f"the {organ} is not labelled"
        if not self.whole(organ) or not all(one.whole for one in self.lesions(organ)):
            return f"the {organ} is cut off"
        return None
