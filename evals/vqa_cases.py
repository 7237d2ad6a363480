"""The patients of a question suite: what each phantom is made to show, and which views of its labels are handed over.

Left to chance, few phantoms would have a T3 tumour, a spleen within the resolution of a threshold, or a cyst that is
large enough: every profile makes a case for some of the kinds. Seeds vary the anatomy around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from evals.phantom_options import LesionSpec, PhantomOptions
from evals.views import LESIONS, View

TRIES = 6
"""Patients of other seeds that are tried where a lesion does not fit into one."""


class Profile(BaseModel):
    """What a phantom is made to show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    options: dict[str, Any]
    lesions: tuple[LesionSpec, ...]
    views: tuple[str, ...]


@dataclass(frozen=True)
class CasePlan:
    """One case: a phantom through a view.

    Attributes:
        phantom: name of the phantom.
        candidates: options to make it from, the first that can be made.
        view: what is handed over.
        whole: whether all questions are asked, or only those that the view makes undecidable.
    """

    phantom: str
    candidates: tuple[PhantomOptions, ...]
    view: View
    whole: bool

    @property
    def name(self) -> str:
        """Identifier of the case, fit for a file name."""
        return f"{self.phantom}.{self.view.name}"


def _lesion(text: str) -> LesionSpec:
    """A lesion from "TYPE MM [SIDE or REGION] [VESSEL=DEGREES …]"."""
    kind, size, *rest = text.split()
    contacts = dict(one.split("=") for one in rest if "=" in one)
    place = next((one for one in rest if "=" not in one), None)
    side = place if place in {"left", "right"} else None
    return LesionSpec.model_validate(
        {"type": kind, "diameter_mm": size, "side": side, "region": None if side else place, "contacts": contacts}
    )


def _profile(name: str, views: str, *lesions: str, **options: Any) -> Profile:
    return Profile(name=name, options=options, lesions=tuple(map(_lesion, lesions)), views=tuple(views.split()))


PROFILES: tuple[Profile, ...] = (
    _profile("clustered", "typed no-spleen", "liver_metastasis 30 8", "liver_metastasis 14 8", "liver_metastasis 12 8",
             "liver_metastasis 12 3", "kidney_cyst 18 left", "pancreas_pdac 15 head"),
    _profile("fatty", "generic no-pancreas", "pancreas_pdac 32 tail", "kidney_cyst 20 right", "liver_cyst 22 6",
             phase="native", fatty_liver=True, tissue_hu={"pancreas": 22.0}),
    _profile("mild spleen", "no-arteries no-liver", "liver_hcc 45 7", "pancreas_pnet 20 body", "pancreas_pdac 16 tail",
             volumes={"spleen": 400.0}),
    _profile("plain", "generic no-kidneys", "kidney_rcc 32 left", "pancreas_cyst 14 body", "liver_hemangioma 20 5",
             phase="native"),
    _profile("encased", "no-arteries generic", "pancreas_pdac 30 head SMA=300", "liver_metastasis 20 4",
             "liver_metastasis 16 7", "kidney_cyst 25 left", "kidney_cyst 14 right"),
    _profile("arterial", "own typed no-liver-lesions", "pancreas_pnet 22 tail", "kidney_rcc 40 right",
             "kidney_cyst 16 left", phase="arterial"),
    _profile("large cyst", "generic no-spleen", "pancreas_cyst 36 tail", "liver_cyst 40 6", "liver_cyst 14 2",
             phase="native", tissue_hu={"liver": 45.0, "spleen": 51.0}),
    _profile("scattered", "own typed no-kidneys",
             *(f"liver_metastasis {14 + 2 * n} {n}" for n in (2, 3, 4, 5, 6, 7, 8)), spacing=(2.0, 2.0, 3.0)),
    _profile("cut above", "generic no-pancreas", "liver_metastasis 22 6", "kidney_cyst 18 right", cut_top_mm=110.0),
    _profile("large spleen", "no-arteries no-liver", "pancreas_pdac 26 body", "kidney_cyst 15 left",
             "kidney_cyst 16 right", volumes={"spleen": 640.0, "liver": 1500.0}),
    _profile("outlier", "generic no-spleen", "liver_metastasis 52 7", "liver_metastasis 16 3", "liver_metastasis 14 5",
             "kidney_rcc 45 left", phase="native", volumes={"spleen": 860.0}),
    _profile("healthy", "own typed no-kidneys"),
    _profile("large tumour", "no-arteries generic", "pancreas_pdac 48 tail", "colon_cancer 35",
             "liver_metastasis 18 5"),
    _profile("cut below", "typed no-liver-lesions", "kidney_rcc 30 left", "liver_cyst 20 8", cut_bottom_mm=200.0),
    _profile("moderate fat", "generic no-pancreas", "kidney_cyst 24 left", "pancreas_cyst 20 head", phase="native",
             tissue_hu={"liver": 30.0, "spleen": 50.0, "pancreas": 40.0}),
    _profile("borderline spleen", "no-spleen typed", "kidney_cyst 20 right", "pancreas_pnet 24 head",
             "liver_hemangioma 30 8", volumes={"spleen": 315.0}, spacing=(1.5, 1.5, 4.0)),
)  # fmt: skip


def _taken(*organs: str) -> frozenset[str]:
    """Classes of organs with their parts and lesions."""
    lesions = {label for label in LESIONS if label.startswith(tuple(one.split("_")[0] for one in organs))}
    parts = {f"liver_segment_{n}" for n in range(1, 9)} | {f"pancreas_{part}" for part in ("head", "body", "tail")}
    return frozenset(organs) | lesions | {one for one in parts if one.startswith(organs)}


VIEWS: dict[str, View] = {
    one.name: one
    for one in (
        View("full"),
        View("own", "own"),
        View("typed", "typed"),
        View("generic", "generic"),
        View("no-spleen", dropped=frozenset({"spleen"})),
        View("no-liver", dropped=_taken("liver")),
        View("no-pancreas", dropped=_taken("pancreas")),
        View("no-kidneys", dropped=_taken("kidney_left", "kidney_right")),
        View("no-liver-lesions", dropped=frozenset(label for label in LESIONS if label.startswith("liver"))),
        View(
            "no-arteries",
            dropped=frozenset({"superior_mesenteric_artery", "celiac_trunk", "common_hepatic_artery"}),
        ),
        View("blank", "blank"),
    )
}


def plan_cases(phantoms: int, seed: int) -> list[CasePlan]:
    """The cases of a suite: every phantom with all its labels, then through the views of its profile.

    The maps that a phantom writes itself take nothing away: of these, all questions are asked as well.

    Args:
        phantoms: how many.
        seed: of the first; each further one has the next.
    """
    plans = []
    for number in range(phantoms):
        profile = PROFILES[number % len(PROFILES)]
        name = f"{number + 1:02d}-{profile.name.replace(' ', '-')}"
        # The lesions asked for may not fit into every patient: then the next patient has them.
        candidates = tuple(
            PhantomOptions(seed=seed + number + 1000 * n, lesions=profile.lesions, **profile.options)
            for n in range(TRIES)
        )
        plans.append(CasePlan(name, candidates, VIEWS["full"], whole=True))
        plans += [CasePlan(name, candidates, VIEWS[view], whole=view == "own") for view in profile.views]
    return plans
