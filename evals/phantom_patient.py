"""One individual: the anatomy table made concrete with seeded variation, in patient mm, free of any grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evals.phantom_anatomy import BONES, MUSCLES, ORGANS, Entry, LayerSpec, solid
from evals.phantom_shapes import Blob, Field, Lattice, Shape, Tube, Vector, Warp, Wave
from evals.phantom_skeleton import ribs, spine
from evals.phantom_tissue import CLASSES
from evals.phantom_torso import Column, Diaphragm, Lung
from evals.phantom_vessels import VESSEL_ENTRIES

PLAN_STEP = 4.0
"""mm between the points of the lattice on which volumes of the whole patient are counted."""
WALL = 255
"""Stands for unlabelled tissue that nothing grows into: all but the fat of the abdomen."""
SOFT = ("visceral_fat", "renal_sinus")
CROWN, HEADROOM = ("liver", "spleen", "stomach"), 12.0
"""The field of view ends this many mm above the highest of these."""
GROWTH_STEPS = (7.0, 6.0, 5.0)
"""mm between the points of the lattices on which sizes are fitted to volumes, one round each."""


@dataclass(frozen=True)
class Part:
    """A concrete structure: what it is called, its solid, its tissue layers, the solids that bound it."""

    name: str | None
    shape: Shape
    layers: tuple[LayerSpec, ...]
    clips: tuple[Shape, ...] = ()
    volume: float | None = None

    @property
    def code(self) -> int:
        """Its label value; 0 for unlabelled fat of the abdomen, `WALL` for other unlabelled tissue."""
        if self.name:
            return CLASSES[self.name]
        return 0 if self.layers[-1].tissue in SOFT else WALL


@dataclass(frozen=True)
class Patient:
    """A complete individual.

    Attributes:
        parts: structures in painting order.
        warps: smooth displacements of everything.
        low, high: corners in patient mm of the default field of view.
        origin: world mm of the patient's origin.
        volumes: cm³ of every structure in the whole patient, lesions included, counted on the plan lattice.
        table_top: patient y of the table's surface.
        scale: size of the patient relative to the nominal one.
        extents: corners in patient mm of the plan lattice's points in every structure.
    """

    parts: tuple[Part, ...]
    warps: tuple[Warp, ...]
    low: Vector
    high: Vector
    origin: Vector
    volumes: Mapping[str, float]
    table_top: float
    scale: float
    extents: Mapping[str, tuple[Vector, Vector]]


def make_patient(rng: np.random.Generator, volumes: Mapping[str, float] | None = None) -> Patient:
    """Draw an individual: size, fat, place, size and shape of every structure.

    Args:
        rng: source of everything that is drawn.
        volumes: cm³ of structures whose size is wanted.
    """
    volumes = volumes or {}
    scale = float(np.clip(rng.normal(1.0, 0.03), 0.94, 1.06))
    fat, wall = float(rng.uniform(9, 30)), float(rng.uniform(11, 15))
    parts: list[Part] = []
    heights = (-240.0, -170.0, -110.0, -40.0, 30.0, 90.0, 150.0, 230.0)
    cavity = _column(scale, heights, (92, 104, 122, 134, 140, 142, 139, 130), (62, 72, 86, 95, 100, 100, 96, 90),
                     (10, 12, 18, 28, 29, 27, 24, 18))  # fmt: skip
    chest = _widened(cavity, 5.0, 4.0, 0.0)
    outer = _widened(cavity, wall, wall * 0.6 + 8, -7.0)
    body = _widened(outer, fat, fat * 0.75, -fat * 0.08)
    # Over the pelvis the trunk keeps its width although the cavity narrows: buttocks and hips fill it.
    body = replace(body, half_widths=tuple(max(w, (158 + fat / 2) * scale) for w in body.half_widths),
                   half_depths=tuple(max(d, (104 + fat / 2) * scale) for d in body.half_depths))  # fmt: skip
    diaphragm = Diaphragm((float(rng.normal(134, 4)) * scale, float(rng.normal(128, 4)) * scale), 58 * scale, scale)
    bounds: dict[str, Shape] = {"cavity": cavity}

    parts.append(Part(None, body, (LayerSpec("skin"), LayerSpec("fat", 2.0))))
    parts.append(Part(None, outer, solid("muscle")))
    parts.append(Part(None, cavity, solid("visceral_fat")))
    for name, side, medial in (("lung_right", 1, 24.0), ("lung_left", -1, 24.0)):
        parts.append(Part(name, Lung(chest, diaphragm, side, medial * scale), solid("lung")))
    parts += _entries(rng, MUSCLES, scale, bounds)
    parts += _entries(rng, ORGANS, scale, bounds, volumes)
    parts += _entries(rng, VESSEL_ENTRIES, scale, bounds)
    parts += _entries(rng, BONES, scale, bounds)
    parts += [Part(*one) for one in (*spine(scale), *ribs(cavity, scale))]

    top, back = 190.0 * scale, max(body.half_depths)
    middle = float(np.mean(body.centers))
    low = (-max(body.half_widths) - 12.0, middle - back - 30.0, -214.0 * scale)
    high = (max(body.half_widths) + 12.0, middle + back + 12.0, top)
    origin = np.round(rng.uniform((-15, 60, -900), (15, 180, 400)), 2)
    patient = Patient(
        parts=tuple(parts),
        warps=_warps(rng),
        low=low,
        high=high,
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        volumes={},
        extents={},
        scale=scale,
        table_top=min(c - d for c, d in zip(body.centers, body.half_depths, strict=True)) - 3.0,
    )
    return _grown(patient)


def _column(
    scale: float,
    heights: tuple[float, ...],
    widths: tuple[float, ...],
    depths: tuple[float, ...],
    centers: tuple[float, ...],
) -> Column:
    return Column(
        tuple(h * scale for h in heights),
        tuple(w * scale for w in widths),
        tuple(d * scale for d in depths),
        tuple(c * scale for c in centers),
    )


def _widened(column: Column, sides: float, depth: float, shift: float) -> Column:
    return replace(
        column,
        half_widths=tuple(w + sides for w in column.half_widths),
        half_depths=tuple(d + depth for d in column.half_depths),
        centers=tuple(c + shift for c in column.centers),
    )


def _warps(rng: np.random.Generator) -> tuple[Warp, ...]:
    warps = []
    for axis in range(3):
        for _ in range(3):
            k, phase = 2 * np.pi / rng.uniform(120, 260, 3), rng.uniform(0, 2 * np.pi, 3)
            amplitude = float(np.clip(rng.normal(0, 2.2), -4, 4))
            warps.append(Warp(axis, amplitude, (float(k[0]), float(k[1]), float(k[2])),
                              (float(phase[0]), float(phase[1]), float(phase[2]))))  # fmt: skip
    return tuple(warps)


def _entries(
    rng: np.random.Generator,
    entries: tuple[Entry, ...],
    scale: float,
    bounds: Mapping[str, Shape],
    volumes: Mapping[str, float] = MappingProxyType({}),
) -> list[Part]:
    parts = []
    for entry in entries:
        for side, sign in (("right", 1.0), ("left", -1.0)) if entry.mirrored else (("", 1.0),):
            size = scale * float(np.clip(rng.normal(1.0, entry.vary), 0.85, 1.15))
            move = np.clip(rng.normal(0, max(entry.move, 1e-9), 3), -2 * entry.move, 2 * entry.move)
            move[2] += entry.left_higher * scale * (sign < 0)
            waves = tuple(_wave(rng, entry.wobble) for _ in range(3)) if entry.wobble else ()
            shape: Blob | Tube
            if entry.course:
                course = tuple(_placed(p, sign, scale, move) for p in entry.course)
                gas = any(layer.gas_above is not None for layer in entry.layers)
                shape = Tube(course, tuple(r * size for r in entry.course_radii), entry.ripple, gas)
            else:
                radii = (entry.radii[0] * size, entry.radii[1] * size, entry.radii[2] * size)
                degrees = (entry.degrees[0], sign * entry.degrees[1], sign * entry.degrees[2])
                shape = Blob(_placed(entry.center, sign, scale, move), radii, degrees, entry.exponent, waves)
            name = entry.name.format(side=side) if entry.name else None
            volume = _volume(rng, entry)
            if name is not None and name in volumes and volume is not None:
                volume = volumes[name]
            parts.append(Part(name, shape, entry.layers, tuple(bounds[c] for c in entry.clips), volume))
    return parts


def _volume(rng: np.random.Generator, entry: Entry) -> float | None:
    """Volume in cm³ drawn from the ranges of an entry."""
    if not entry.volume:
        return None
    weights = np.asarray([weight for *_, weight in entry.volume])
    low, high, _ = entry.volume[int(rng.choice(len(weights), p=weights / weights.sum()))]
    return float(rng.uniform(low, high))


def _placed(point: Vector, sign: float, scale: float, move: NDArray[np.float64]) -> Vector:
    return (
        sign * point[0] * scale + float(move[0]),
        point[1] * scale + float(move[1]),
        point[2] * scale + float(move[2]),
    )


def _wave(rng: np.random.Generator, amplitude: float) -> Wave:
    direction = rng.standard_normal(3)
    k = direction / np.linalg.norm(direction) * rng.uniform(1.6, 3.2)
    return Wave(float(amplitude * rng.uniform(0.4, 1.0)), (float(k[0]), float(k[1]), float(k[2])),
                float(rng.uniform(0, 2 * np.pi)))  # fmt: skip


def bounded(part: Part, lattice: Lattice) -> Field | None:
    """A part's field on a lattice, cut by the solids that bound it; None where it isn't."""
    found = lattice.once(part.shape) if isinstance(part.shape, Column) else part.shape.field(lattice)
    if found is None:
        return None
    distance = found.distance
    for clip in part.clips:
        bound = lattice.once(clip)
        if bound is not None:
            distance = np.maximum(distance, bound.distance[found.box])
    return found._replace(distance=distance)


def label_at(patient: Patient, lattice: Lattice, *, wall: bool = False) -> NDArray[np.uint8]:
    """Label values of the patient's structures (no lesions) at the points of a lattice.

    Args:
        patient: the patient.
        lattice: the points.
        wall: mark unlabelled tissue that is no abdominal fat with `WALL` instead of 0.
    """
    cavity = next(i for i, part in enumerate(patient.parts) if part.code == 0)
    labels = np.full(lattice.shape, WALL if wall else 0, dtype=np.uint8)
    for part in patient.parts[cavity if wall else cavity + 1 :]:
        found = bounded(part, lattice)
        if found is not None:
            labels[found.box][found.distance <= 0] = part.code if wall or part.name else 0
    return labels


def plan_lattice(patient: Patient, low: Vector, high: Vector, step: float) -> Lattice:
    """A lattice of the patient's points between two corners."""
    shape = [max(1, int(np.ceil((high[a] - low[a]) / step))) for a in range(3)]
    return Lattice(low, (step, step, step), (shape[0], shape[1], shape[2]), patient.warps)


def _grown(patient: Patient) -> Patient:
    """Grow and shrink structures until each has its drawn volume after all overlaps."""
    low = (patient.low[0], patient.low[1], patient.low[2] - 25.0)
    high = (patient.high[0], patient.high[1], patient.high[2] + 45.0)
    parts = list(patient.parts)
    for step in GROWTH_STEPS:
        counts = np.bincount(label_at(patient, plan_lattice(patient, low, high, step)).ravel(), minlength=256)
        for index, part in enumerate(parts):
            if part.volume is not None and part.name is not None:
                now = max(float(counts[CLASSES[part.name]]) * step**3 / 1000, 1.0)
                ratio = float(np.clip(part.volume / now, 0.4, 2.2))
                parts[index] = replace(part, shape=part.shape.scaled(ratio))
        patient = replace(patient, parts=tuple(parts))
    plan = plan_lattice(patient, low, high, PLAN_STEP)
    labels = label_at(patient, plan)
    counts = np.bincount(labels.ravel(), minlength=256)
    boxes = ndimage.find_objects(labels, max_label=255)
    volumes, extents = {}, {}
    for name, key in CLASSES.items():
        box = boxes[key - 1]
        if box is not None:
            volumes[name] = float(counts[key]) * PLAN_STEP**3 / 1000
            starts = [float(plan.axes[a][box[a].start]) for a in range(3)]
            stops = [float(plan.axes[a][box[a].stop - 1]) for a in range(3)]
            extents[name] = ((starts[0], starts[1], starts[2]), (stops[0], stops[1], stops[2]))
    top = max(extents[name][1][2] for name in CROWN) + HEADROOM
    return replace(patient, volumes=volumes, extents=extents, high=(*patient.high[:2], top))
