"""What random patients have: sets of lesions that give every question something to ask about."""

from __future__ import annotations

import numpy as np

from evals.phantom_lesions import KINDS
from evals.phantom_options import LesionSpec, LesionType, Side

LIVER: tuple[LesionType, ...] = ("liver_cyst", "liver_hemangioma", "liver_hcc", "liver_metastasis")
VESSEL_WISHES: tuple[dict[str, float], ...] = (
    {},
    {"superior_mesenteric_artery": 0, "celiac_trunk": 0, "common_hepatic_artery": 0, "superior_mesenteric_vein": 0,
     "portal_vein": 0},
    {"superior_mesenteric_artery": 100},
    {"superior_mesenteric_artery": 250},
    {"superior_mesenteric_vein": 110, "superior_mesenteric_artery": 0},
    {"celiac_trunk": 230},
    {"common_hepatic_artery": 120},
    {"portal_vein": 120, "superior_mesenteric_artery": 0},
)  # fmt: skip
"""Contacts that random pancreatic cancers are drawn from."""


def draw_specs(rng: np.random.Generator, count: int | None) -> tuple[LesionSpec, ...]:
    """Lesions of a random patient: `count` of any type, or None for what fits together."""
    if count is not None:
        kinds = list(KINDS)
        return tuple(LesionSpec(type=kinds[int(rng.integers(len(kinds)))]) for _ in range(count))
    liver = (_none, _few, _clustered, _outlier, _many)[int(rng.choice(5, p=(0.2, 0.3, 0.2, 0.15, 0.15)))](rng)
    return (*_pancreas(rng), *_kidneys(rng), *_colon(rng), *liver)


def _size(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 1)


def _liver_type(rng: np.random.Generator) -> LesionType:
    return LIVER[int(rng.integers(len(LIVER)))]


def _none(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    del rng
    return ()


def _few(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    return tuple(LesionSpec(type=_liver_type(rng)) for _ in range(int(rng.integers(1, 4))))


def _clustered(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    """Most of them in one segment."""
    kind, home = _liver_type(rng), int(rng.choice((4, 5, 6, 7, 8)))
    inside = int(rng.integers(3, 5))
    own = tuple(LesionSpec(type=kind, diameter_mm=_size(rng, 11, 18), region=str(home)) for _ in range(inside))
    away = tuple(LesionSpec(type=kind, diameter_mm=_size(rng, 11, 20)) for _ in range(int(rng.integers(0, 3))))
    return (*own, *away)


def _outlier(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    """One that is far larger than the others."""
    kind = _liver_type(rng)
    small = tuple(LesionSpec(type=kind, diameter_mm=_size(rng, 12, 20)) for _ in range(int(rng.integers(2, 5))))
    return (LesionSpec(type=kind, diameter_mm=_size(rng, 42, 62)), *small)


def _many(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    return tuple(
        LesionSpec(type=_liver_type(rng), diameter_mm=_size(rng, 11, 24)) for _ in range(int(rng.integers(5, 10)))
    )


def _pancreas(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    which = rng.choice(["none", "pdac", "pnet", "cyst", "two"], p=(0.25, 0.35, 0.15, 0.15, 0.1))
    parts = ("head", "body", "tail")
    if which == "pdac":
        wish = VESSEL_WISHES[int(rng.integers(len(VESSEL_WISHES)))]
        touching = any(angle > 0 for angle in wish.values())
        region = None if touching else parts[int(rng.choice(3, p=(0.6, 0.2, 0.2)))]
        return (LesionSpec(type="pancreas_pdac", region=region, contacts=wish),)
    if which == "pnet":
        return (LesionSpec(type="pancreas_pnet", region=parts[int(rng.integers(3))]),)
    if which == "cyst":
        return (LesionSpec(type="pancreas_cyst", region=parts[int(rng.integers(3))]),)
    if which == "two":
        return (LesionSpec(type="pancreas_pdac", region="head"), LesionSpec(type="pancreas_cyst", region="tail"))
    return ()


def _kidneys(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    """Nothing, a cyst or two, a tumour, or a burden that differs between the sides."""
    first: Side = ("left", "right")[int(rng.integers(2))]
    other: Side = "left" if first == "right" else "right"
    which = rng.choice(["none", "cysts", "tumour", "unequal", "both"], p=(0.25, 0.25, 0.2, 0.15, 0.15))
    cyst, tumour = LesionSpec(type="kidney_cyst", side=first), LesionSpec(type="kidney_rcc", side=first)
    sets: dict[str, tuple[LesionSpec, ...]] = {
        "none": (),
        "cysts": (cyst,) * int(rng.integers(1, 4)),
        "tumour": (tumour,),
        "unequal": (tumour, cyst, LesionSpec(type="kidney_cyst", side=other, diameter_mm=_size(rng, 10, 15))),
        "both": (LesionSpec(type="kidney_cyst", side=first), LesionSpec(type="kidney_cyst", side=other)),
    }
    return sets[str(which)]


def _colon(rng: np.random.Generator) -> tuple[LesionSpec, ...]:
    return (LesionSpec(type="colon_cancer"),) if rng.random() < 0.4 else ()
