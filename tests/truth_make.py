"""Hand-made truth of a phantom, for tests of the question suite: plain numbers, no phantom behind them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evals.questions_truth import Seen, truth_from
from evals.views import LESIONS, View

VOLUMES = {
    "liver": 1500.0, "spleen": 200.0, "pancreas": 75.0, "kidney_left": 180.0, "kidney_right": 160.0,
    "gallbladder": 30.0, "colon": 600.0, "stomach": 300.0, "duodenum": 80.0, "superior_mesenteric_artery": 3.0,
    "celiac_trunk": 2.0, "common_hepatic_artery": 1.0, "superior_mesenteric_vein": 6.0, "portal_vein": 9.0,
}  # fmt: skip
HU = {"liver": 108.0, "spleen": 120.0, "pancreas": 92.0, "kidney_left": 180.0, "kidney_right": 182.0}
PARTS = (*(f"liver_segment_{n}" for n in range(1, 9)), "pancreas_head", "pancreas_body", "pancreas_tail")


def lesion(label: str, volume: float, **more: Any) -> dict[str, Any]:
    """A lesion of the truth file; its place, size and neighbours are plausible unless given."""
    organ = label.split("_", maxsplit=1)[0]
    organ = f"kidney_{label.rsplit('_', maxsplit=1)[1]}" if organ == "kidney" else organ
    region = {"liver": {"liver_segment_8": 1.0}, "pancreas": {"pancreas_head": 1.0}}.get(organ, {})
    return {
        "id": f"{label}#1", "type": label, "organ": organ, "label": label, "voxels": round(volume * 64),
        "volume_cm3": volume, "long_axis_mm": 12.4 * volume ** (1 / 3), "short_axis_mm": 10.0, "slice": 40,
        "hu_mean": 60.0, "hu_sd": 11.0, "in_field": True, "regions": region, "contacts": {}, "adjacent": {}, **more,
    }  # fmt: skip


def truth_data(
    *lesions: dict[str, Any], phase: str = "portal", cut: Iterable[str] = (), hu: dict[str, float] | None = None,
    **volumes: float,
) -> dict[str, Any]:  # fmt: skip
    """Content of a truth file.

    Args:
        lesions: made by `lesion`.
        phase: contrast phase.
        cut: structures that are not wholly in the scan.
        hu: attenuations that differ from those of a healthy patient.
        volumes: cm³ that differ from those of a healthy patient.
    """
    attenuation = HU | (hu or {})
    structures = {
        name: {
            "voxels": round(volume * 64), "volume_with_lesions_cm3": volume, "hu_mean": attenuation.get(name, 100.0),
            "hu_sd": 15.0, "truncated": name in set(cut), "touches_border": name in set(cut),
        }
        for name, volume in (VOLUMES | volumes).items()
    }  # fmt: skip
    regions = {f"liver_segment_{n}": {"volume_cm3": 45.0 if n == 1 else 210.0} for n in range(1, 9)}
    return {
        "schema": "tumortrace.phantom/2", "phase": phase, "spacing_mm": [2.5, 2.5, 2.5], "shape": [140, 110, 120],
        "structures": structures, "lesions": list(lesions), "regions": {"liver": regions},
    }  # fmt: skip


def seen(data: dict[str, Any], view: View | None = None, name: str = "p1") -> Seen:
    """A truth through a view (all labels if none is given)."""
    view = view or View("full")
    classes = [*VOLUMES, *LESIONS]
    return Seen(truth_from(data, name), view, view.declared({"labels": classes, "parts": PARTS}))
