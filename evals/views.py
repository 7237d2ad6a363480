"""Which labels of a phantom are handed to the agent, and under which names.

A phantom labels every lesion with its type. Scans of patients rarely come that way: a view hands over the same voxels
under broader names, or leaves classes out, so that what can be decided changes while the truth stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from evals.phantom_tissue import OTHER_LESIONS

Source = Literal["labels", "parts"]
Styles = Literal["own", "full", "typed", "generic", "blank"]
LESIONS: Mapping[str, str] = {
    "liver_cyst": "liver_lesion", "liver_hemangioma": "liver_lesion", "liver_hcc": "liver_lesion",
    "liver_metastasis": "liver_lesion", "pancreas_pdac": "pancreas_lesion", "pancreas_pnet": "pancreas_lesion",
    "pancreas_cyst": "pancreas_lesion", "kidney_cyst_left": "kidney_lesion_left",
    "kidney_cyst_right": "kidney_lesion_right", "kidney_rcc_left": "kidney_lesion_left",
    "kidney_rcc_right": "kidney_lesion_right", "colon_cancer": "colon_lesion",
}  # fmt: skip
"""Label class of every lesion type → the class that says no more than its organ."""
TUMORS: Mapping[str, str] = {
    "kidney_rcc_left": "kidney_tumor_left", "kidney_rcc_right": "kidney_tumor_right", "pancreas_pdac": "pancreas_tumor",
    "pancreas_pnet": "pancreas_tumor",
}  # fmt: skip
"""Label class of the tumours → the class that says that it is a tumour and not which."""


@dataclass(frozen=True)
class Layer:
    """One label map that is handed over.

    Attributes:
        name: name of its file, without suffix.
        source: file of the phantom that it is made from.
        names: class of the source → name handed over; None leaves all names; classes that are not in it are left out.
    """

    name: str
    source: Source
    names: Mapping[str, str] | None = None

    def handed(self, classes: Iterable[str], dropped: frozenset[str]) -> dict[str, str]:
        """Class of the source → name handed over, without the dropped ones."""
        kept = [name for name in classes if name not in dropped]
        return {name: name for name in kept} if self.names is None else {
            name: self.names[name] for name in kept if name in self.names
        }  # fmt: skip


@dataclass(frozen=True)
class View:
    """What is handed over of a phantom's labels.

    Attributes:
        name: identifier.
        style: "own" is what the phantom writes, with empty classes for lesions of other types; "full" gives every
            lesion its type and the broader classes as well, "typed" the type alone, "generic" the organ alone,
            "blank" empty classes.
        dropped: classes of the phantom that nothing looked for.
    """

    name: str
    style: Styles = "full"
    dropped: frozenset[str] = frozenset()

    def layers(self, classes: Iterable[str]) -> tuple[Layer, ...]:
        """The label maps that are handed over.

        Args:
            classes: classes of the phantom's own label map.
        """
        if self.style == "generic":
            broad = {name: LESIONS.get(name, name) for name in classes if name not in OTHER_LESIONS}
            own = Layer("generic", "labels", broad)
            return (own, Layer("parts", "parts"))
        if self.style == "own":
            return (Layer("labels", "labels"), Layer("parts", "parts"))
        typed = {name: name for name in classes if name not in OTHER_LESIONS}
        plain = (Layer("labels", "labels", typed), Layer("parts", "parts"))
        if self.style == "full":
            return (*plain, Layer("lesions", "labels", LESIONS), Layer("tumors", "labels", TUMORS))
        return plain

    def declared(self, classes: Mapping[Source, Iterable[str]]) -> frozenset[str]:
        """Every name that the label maps handed over declare, with voxels or without."""
        return frozenset(
            name
            for layer in self.layers(classes["labels"])
            for name in layer.handed(classes[layer.source], self.dropped).values()
        )
