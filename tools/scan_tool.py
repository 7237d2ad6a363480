"""The scan's checks as a tool."""

from __future__ import annotations

from tools.base import Case, Maker, tool
from tools.scan_checks import check_scan
from tools.types import Evidence


def _says(what: str) -> dict[str, str]:
    return {
        "measured": f"The {what} is {{value}}.",
        "not_measurable": f"The {what} is not known: {{reason}}.",
        "not_assessed": f"The {what} was not assessed: {{reason}}.",
    }


@tool(
    version="3",
    reads=("scan",),
    says={
        "slice_thickness": _says("declared slice thickness"),
        "slice_spacing": _says("distance between slices"),
        "spacing": {**_says("voxel spacing"), "measured": "The voxel spacing is {value} mm."},
        "gantry_tilt": _says("gantry tilt"),
        "metal": {"true": "There is metal in the scan.", "false": "No metal was found in the scan."},
        "*": _says("result of this check of the scan"),
    },
)
def scan_checks(case: Case, make: Maker) -> list[Evidence]:
    """Modality, HU scale, padding, spacing, slice thickness, tilt, gaps, and metal of the scan."""
    return check_scan(case.scan)
