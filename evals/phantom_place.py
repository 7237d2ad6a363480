"""Where lesions go: inside an organ or bulging out of it, apart from each other, in a region, against vessels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from agent.errors import UsageError
from evals.phantom_cases import draw_specs
from evals.phantom_course import Course, vessel_courses
from evals.phantom_lesions import KINDS, Lesion, LesionKind, draw_core, draw_solid, lesion_hu
from evals.phantom_options import LesionSpec, lesion_class
from evals.phantom_patient import Patient
from evals.phantom_shapes import Blob, Vector
from evals.phantom_site import Site, make_site, settle_against, settle_inside
from evals.phantom_tissue import Phase

SMALLEST_MM = 9.0
"""Random lesions that would have to be smaller are left out."""
SHRINK = 0.82
"""A random lesion that does not fit is tried this much smaller."""


def place_lesions(
    rng: np.random.Generator,
    patient: Patient,
    wanted: int | tuple[LesionSpec, ...] | None,
    tissue_hu: Mapping[str, float],
    phase: Phase,
) -> tuple[Lesion, ...]:
    """Find a place for every lesion, apart from the others.

    Args:
        rng: source of types, sizes, shapes and places; the phase changes none of them.
        patient: whose organs they go into.
        wanted: their number, or a list; None draws what the patient has.
        tissue_hu: HU of the patient's tissues in this phase.
        phase: contrast phase.

    Raises:
        UsageError: a lesion that was asked for does not fit where it is wanted.
    """
    asked = isinstance(wanted, tuple)
    specs = wanted if isinstance(wanted, tuple) else draw_specs(rng, wanted)
    sites: dict[str, Site] = {}
    courses: dict[str, tuple[Course, ...]] = {}
    placed: list[Lesion] = []
    for spec in specs:
        kind = KINDS[spec.type]
        if spec.side is not None and "{side}" not in kind.organ:
            raise UsageError(f"a {spec.type} lies in the {kind.organ}, which has no {spec.side} side: leave it out")
        own = np.random.default_rng(rng.integers(2**63))
        side = spec.side or ("left", "right")[int(own.integers(2))]
        organ = kind.organ.format(side=side)
        if organ not in sites:
            courses = courses or vessel_courses(patient)
            sites[organ] = make_site(patient, organ, courses, bulging=kind.bulges)
        shift = float(own.choice((-1.0, 1.0)) * own.uniform(0.3, 1.0) * kind.spread)
        diameter = spec.diameter_mm or round(float(np.exp(own.uniform(*np.log(kind.diameters)))), 1)
        found = _settled(own, sites[organ], spec, kind, diameter, placed)
        if found is None and not asked and spec.contacts:
            found = _settled(own, sites[organ], spec.model_copy(update={"contacts": {}}), kind, diameter, placed)
        while found is None and not asked and diameter * SHRINK >= SMALLEST_MM:
            diameter = round(diameter * SHRINK, 1)
            found = _settled(own, sites[organ], spec.model_copy(update={"contacts": {}}), kind, diameter, placed)
        if found is None:
            if asked:
                place = (spec.region or organ).replace("_", " ")
                raise UsageError(
                    f"a {spec.type} of {diameter:g} mm does not fit into the {place} of this patient beside its "
                    "other lesions: ask for fewer or smaller lesions, or another seed"
                )
            continue
        hu, core_hu = lesion_hu(kind, tissue_hu, phase, shift)
        core = draw_core(own, kind, found) if kind.core else None
        placed.append(
            Lesion(spec.type, organ, lesion_class(spec.type, side), found, diameter, hu, kind.softness, core, core_hu)
        )
    return tuple(placed)


def _settled(
    rng: np.random.Generator, site: Site, spec: LesionSpec, kind: LesionKind, diameter: float, placed: list[Lesion]
) -> Blob | None:
    """The solid of a lesion in its place; None where there is no room."""
    solid = draw_solid(rng, kind, diameter)
    region = spec.region and site.region_named(spec.region)
    others = [(lesion.center, lesion.reach + spec.gap_mm) for lesion in placed]
    settle = settle_against if kind.bulges or spec.contacts else settle_inside
    center: Vector | None = settle(rng, site, solid, region or None, others, spec.contacts)
    return None if center is None else replace(solid, center=center)
