"""One lesion as a row of a table: the evidence of its size with all that is told beside it, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.base import Maker
from tools.lesion_list import Lesion
from tools.ontology import load_ontology
from tools.types import Evidence, State

MEASURED = (
    "The {target} has a volume of {value}{pm}; its longest axial diameter is {num.long_axis_mm}{on_slice} and the "
    "short axis there {num.short_axis_mm}, its longest extent in space {num.feret_mm}, its mean attenuation "
    "{num.hu_mean}. {detail.where}.{note}"
)
"""The sentence of a lesion that was measured as a whole."""
NO_ORGAN = "no organ"
"""The place of a lesion whose label names no organ."""


def row_evidence(
    make: Maker, target: str, one: Lesion, details: dict[str, Any], number: int, note: str | None = None
) -> Evidence:
    """The evidence of one lesion; of one that is cut off the volume is a lower bound.

    Args:
        make: of the tool.
        target: lesion class with its number.
        one: the lesion.
        details: what is told beside the volume.
        number: slice, in the order of the file.
        note: what else is to be said.
    """
    whole = not one.cut
    return make(
        "lesion", target, unit="cm3", method="voxel count × |det affine| of one component",
        state=State.MEASURED if whole else State.NOT_MEASURABLE,
        value=round(one.volume, 6) if whole else None,
        lower_bound=None if whole else round(one.volume, 6),
        uncertainty=round(one.volume_pm, 6) if whole else None,
        reason="; ".join(part for part in (cut_off(one), note) if part) or None, slice=number, details=details,
    )  # fmt: skip


def cut_off(one: Lesion) -> str | None:
    """Why a lesion can't be measured as a whole; None where it can."""
    return f"it is cut off by the field of view ({', '.join(one.cut)})" if one.cut else None


def place_of_row(row: Mapping[str, Any], *, apart: bool) -> tuple[str, str]:
    """Where a lesion lies: the name of the place, and words that complete "it lies …".

    Args:
        row: with the ids of `organ` and `region`, None where they are not known.
        apart: whether it lies apart from its organ.
    """
    ontology = load_ontology()
    if row["organ"] is None:
        return NO_ORGAN, "in no organ that its label names"
    organ = ontology.get(row["organ"]).name
    if apart:
        return f"apart from the {organ}", f"apart from the {organ} as labelled"
    name = ontology.get(row["region"] or row["organ"]).name
    # What bears a number takes no article: "in liver segment 6".
    return name, f"in {'' if name[-1].isdigit() else 'the '}{name}"
