"""Volume, attenuation and in-plane size of one structure."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.attenuation import attenuation_of
from tools.base import Case, Maker, tool
from tools.lesion_list import nothing
from tools.look import Look, host_of, look, tissue
from tools.ontology import load_ontology
from tools.shape import BoolArray, eroded, in_plane_diameters, voxel_pitch
from tools.types import Evidence, State
from tools.volume import Region

_HU_QUANTITIES = ("hu_mean", "hu_sd", "hu_median")
_LONG = "The longest axial diameter of the {target} is {value}{pm}{on_slice}."
_SHORT = "The axial short axis of the {target}, perpendicular to its longest diameter, is {value}{pm}{on_slice}."
_ABSENT = "No {target} was found: {reason}."


def _says(what: str, verb: str = "is") -> dict[str, str]:
    return {
        "measured": f"The {what} of the {{target}} {verb} {{value}}{{pm}}.{{note}}",
        "not_measurable": f"The {what} of the {{target}} cannot be measured: {{reason}}.{{at_least}}",
        "not_assessed": f"The {what} of the {{target}} was not assessed: {{reason}}.",
        "absent": _ABSENT,
    }


@tool(
    version="5",
    reads=("scan", "labels"),
    says={
        "volume": _says("volume"),
        "volume_without_lesions": _says("volume without lesions"),
        "hu_mean": _says("mean attenuation"),
        "hu_sd": _says("standard deviation of the attenuation"),
        "hu_median": _says("median attenuation"),
        "complete": {
            "true": "The scan covers the {target} completely.",
            "false": "The scan does not cover the {target} completely: {reason}.",
            "not_assessed": "Whether the scan covers the {target} completely was not assessed: {reason}.",
            "absent": _ABSENT,
        },
    },
)
def measure_structure(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Volume, mean, standard deviation and median HU, and completeness of one structure.

    Volume is the voxel count times |det affine| and includes the lesions that lie in an organ; attenuation
    excludes them, and padding. A structure that touches the border of the scan, or padding, has only a lower
    bound for its volume. The uncertainty of the volume is half of the outermost voxel shell; that of the mean
    combines the standard error with half of the change on removing that shell (partial volume).

    Args:
        structure: canonical identifier.
    """
    lesion = load_ontology().get(structure).kind == "lesion"
    whole = look(case, structure, with_lesions=not lesion)
    if whole.region is None:
        state, reason = nothing(case, structure, whole)
        common: dict[str, Any] = {"state": state, "reason": reason, "method": "label look-up"}
        return [
            *(make(q, structure, unit="cm3" if q == "volume" else "HU", **common) for q in ("volume", *_HU_QUANTITIES)),
            make("complete", structure, **common),
        ]
    bare = whole.region if lesion else tissue(case, structure)
    inner = eroded(whole.region, case.scan.grid)
    same = bare is not None and bare.mask is whole.region.mask
    return [
        *_volumes(case, make, structure, whole, None if lesion else bare, inner),
        *_attenuation(case, make, structure, whole, bare, inner if same else None),
        make(
            "complete", structure, state=State.MEASURED, value=whole.whole, reason=whole.incomplete_reason,
            method="contact of the mask with the border of the scan or with padding",
            details={"cut_off_at": list(whole.cut), "unlabelled_parts": list(whole.missing)},
        ),
    ]  # fmt: skip


def _volumes(
    case: Case, make: Maker, structure: str, whole: Look, bare: Region | None, inner: BoolArray
) -> list[Evidence]:
    assert whole.region is not None
    per_voxel = case.scan.grid.voxel_volume / 1000.0
    shell = whole.region.voxels - int(np.count_nonzero(inner))
    volume = round(whole.region.voxels * per_voxel, 6)
    common: dict[str, Any] = {"unit": "cm3", "slice": None}
    if whole.whole:
        common |= {"state": State.MEASURED, "reason": _beyond(case, structure) or whole.narrow}
    else:
        common |= {"state": State.NOT_MEASURABLE, "reason": whole.incomplete_reason}
    method = "voxel count × |det affine|" + ("" if bare is None else ", lesions in the organ included")
    made = [
        make(
            "volume", structure, method=method,
            value=volume if whole.whole else None,
            lower_bound=None if whole.whole else volume,
            uncertainty=round(shell / 2 * per_voxel, 6) if whole.whole else None,
            details={"voxels": whole.region.voxels, "voxel_mm3": case.scan.grid.voxel_volume},
            **common,
        )
    ]  # fmt: skip
    if bare is not None and bare.voxels != whole.region.voxels:
        without = round(bare.voxels * per_voxel, 6)
        made.append(
            make(
                "volume_without_lesions", structure, method="voxel count × |det affine|, lesions left out",
                value=without if whole.whole else None, lower_bound=None if whole.whole else without,
                details={"voxels": bare.voxels}, **common,
            )
        )  # fmt: skip
    return made


def _beyond(case: Case, structure: str) -> str | None:
    """What limits the volume of lesions that lie wholly in the scan, in an organ that does not."""
    host = host_of(case, structure) if load_ontology().get(structure).kind == "lesion" else None
    if host is not None and host[1].cut:
        return "only what is seen counts: the organ is cut off by the field of view, and there may be more beyond it"
    return None


def _attenuation(
    case: Case, make: Maker, structure: str, whole: Look, bare: Region | None, inner: BoolArray | None
) -> list[Evidence]:
    found = attenuation_of(case, bare, inner)
    method = "statistics over the mask's voxels, lesions and padding excluded"
    if found is None:
        reason = "no voxel is left after lesions and padding are excluded"
        return [
            make(q, structure, unit="HU", state=State.NOT_MEASURABLE, reason=reason, method=method)
            for q in _HU_QUANTITIES
        ]
    # Only the visible part of a structure that is cut off contributes; the mean is that part's.
    note = whole.incomplete_reason
    common: dict[str, Any] = {
        "unit": "HU",
        "state": State.MEASURED,
        "method": method,
        "reason": f"only the visible part counts: {note}" if note else None,
        "details": {"voxels": found.voxels},
    }
    error = round(found.error, 4)
    return [
        make("hu_mean", structure, value=round(found.mean, 4), uncertainty=error, **common),
        make("hu_sd", structure, value=round(found.sd, 4), **common),
        make("hu_median", structure, value=round(found.median, 4), uncertainty=error, **common),
    ]  # fmt: skip


@tool(
    version="2",
    reads=("scan", "labels"),
    says={
        "long_axis": {**_says("longest axial diameter"), "measured": _LONG},
        "short_axis": {**_says("axial short axis"), "measured": _SHORT},
    },
)  # fmt: skip
def measure_axes(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Longest axial diameter of a structure and the short axis perpendicular to it, in mm.

    Args:
        structure: canonical identifier.
    """
    method = "longest distance within the outline over all axial slices, and its longest perpendicular chord"
    asked = load_ontology().get(structure)
    lesion = asked.kind == "lesion"
    found = look(case, structure, with_lesions=not lesion)
    if found.region is None:
        return [
            make(q, structure, unit="mm", state=found.state, reason=found.reason, method=method)
            for q in ("long_axis", "short_axis")
        ]
    if any(load_ontology().get(part).side for part in asked.parts) and asked.side is None:
        reason = "it is a pair; each side has its own"
        return [
            make(q, structure, unit="mm", state=State.NOT_MEASURABLE, reason=reason, method=method)
            for q in ("long_axis", "short_axis")
        ]
    axes = in_plane_diameters(found.region, case.scan.grid)
    assert axes is not None
    made = []
    for quantity, length in (("long_axis", axes.long_axis), ("short_axis", axes.short_axis)):
        made.append(
            make(
                quantity, structure, unit="mm", method=method,
                state=State.MEASURED if found.whole else State.NOT_MEASURABLE,
                value=round(length, 4) if found.whole else None,
                # A short axis belongs to a long axis: of a cut structure neither's slice is certain.
                lower_bound=round(length, 4) if not found.whole and quantity == "long_axis" else None,
                reason=found.incomplete_reason,
                uncertainty=round(voxel_pitch(case.scan.grid), 4) if found.whole else None,
                slice=case.scan.orientation.file_slice(axes.k),
            )
        )  # fmt: skip
    return made
