"""Masks for a viewer: which structures there are, in which layer, in which colour, and the lesions one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import BaseModel

from agent.wording import target_name
from tools.base import Case
from tools.lesion_list import lesion_list
from tools.ontology import load_ontology
from tools.overlay_style import palette
from tools.shape import centroid
from tools.volume import FloatArray, Grid, LabelSet, Region

MOST_LESIONS = 200
"""Lesions of one class that are listed, the largest first."""


class LayerOut(BaseModel):
    """One label map; its `labels` are numbered from 1."""

    layer: int
    labels: int


class StructureOut(BaseModel):
    """One structure with its labels.

    Attributes:
        id: canonical id.
        name: for display.
        kind: "organ", "lesion", "vessel", …
        colour: "#rrggbb".
        keys: (layer, value) pairs whose union is the structure.
        voxels: how many it has at full resolution.
        centre_mm: a point in its middle, RAS+ mm; null where it has no voxel.
        by: whose mask it is.
    """

    id: str
    name: str
    kind: str
    colour: str
    keys: tuple[tuple[int, int], ...]
    voxels: int
    centre_mm: tuple[float, float, float] | None
    by: Literal["labels", "engine", "reviewer"]


class LesionOut(BaseModel):
    """One lesion; `slice` is the one of its longest axis, as the file counts; not `counted` are specks.

    `centre_mm` is a voxel of the lesion in the middle of its section on that slice, RAS+ mm.
    """

    id: str
    structure: str
    name: str
    volume_cm3: float
    long_axis_mm: float
    short_axis_mm: float
    slice: int
    centre_mm: tuple[float, float, float]
    counted: bool


class AddableOut(BaseModel):
    """A class of lesions that a reviewer may add to in an organ that is seen; `organ` is its name."""

    id: str
    name: str
    organ: str


class MasksOut(BaseModel):
    """All masks of a scan, or of a run on it; `addable` are classes of lesions that have no voxel yet."""

    source: str
    notes: tuple[str, ...] = ()
    layers: tuple[LayerOut, ...] = ()
    structures: tuple[StructureOut, ...] = ()
    lesions: tuple[LesionOut, ...] = ()
    addable: tuple[AddableOut, ...] = ()


def masks_of(case: Case) -> MasksOut:
    """Describe the masks of a case; a case without labels has none."""
    labels = case.labels
    if labels is None:
        return MasksOut(source="no masks")
    ontology = load_ontology()
    names = sorted(labels.entries, key=lambda name: (ontology.get(name).kind != "lesion", name))
    colours = palette(names)
    structures = tuple(_structure(case, labels, name, colours[name]) for name in names)
    seen = tuple(one for one in structures if one.voxels)
    lesions = tuple(lesion for one in seen if one.kind == "lesion" for lesion in _lesions(case, one))
    layers = tuple(
        LayerOut(layer=number, labels=len(values_of(labels, number))) for number in range(len(labels.layers))
    )
    return MasksOut(
        source=labels.source, notes=labels.notes, layers=layers, structures=seen, lesions=lesions,
        addable=tuple(_addable(seen)),
    )  # fmt: skip


def _addable(seen: tuple[StructureOut, ...]) -> Iterable[AddableOut]:
    """Lesions of every type that an organ can have, for the organs that are seen."""
    ontology = load_ontology()
    known = {one.id for one in seen}
    for one in seen:
        organ = ontology.get(one.id)
        if organ.kind != "organ" or organ.part_of is not None:
            continue
        for kind, lesion in ontology.lesion_types.items():
            ident = ontology.lesion_id(kind, organ.id)
            if ident not in known and lesion.organ in {None, organ.base}:
                yield AddableOut(id=ident, name=target_name(ident), organ=one.name)


def values_of(labels: LabelSet, layer: int) -> tuple[int, ...]:
    """Values of a layer that belong to a structure; what no structure claims is not shown."""
    return tuple(sorted({value for keys in labels.entries.values() for one, value in keys if one == layer}))


def lesions_of(labels: LabelSet, layer: int) -> tuple[int, ...]:
    """Values of a layer that belong to lesions: they are never left out of a coarse picture."""
    ontology = load_ontology()
    found = [keys for name, keys in labels.entries.items() if ontology.get(name).kind == "lesion"]
    return tuple(sorted({value for keys in found for one, value in keys if one == layer}))


def _structure(case: Case, labels: LabelSet, name: str, colour: tuple[int, int, int]) -> StructureOut:
    keys = labels.entries[name]
    region = labels.region(keys)
    centre = _middle(region, case.scan.grid) if region is not None and region.voxels else None
    red, green, blue = colour
    by: Literal["labels", "engine", "reviewer"] = "engine" if name in labels.estimated else "labels"
    return StructureOut(
        id=name, name=target_name(name), kind=load_ontology().get(name).kind,
        colour=f"#{red:02x}{green:02x}{blue:02x}",
        keys=keys, voxels=region.voxels if region is not None else 0, centre_mm=centre,
        by="reviewer" if name in labels.reviewed else by,
    )  # fmt: skip


def _middle(region: Region, grid: Grid) -> tuple[float, float, float]:
    """A voxel of a mask near its middle: that of a curved structure may lie outside of it."""
    middle = centroid(region, grid)
    inverse = np.linalg.inv(grid.affine)
    at = inverse[2, :3] @ middle + inverse[2, 3] - region.box[2].start
    filled = np.flatnonzero(region.mask.any(axis=(0, 1)))
    # One slice only: all voxels of a large organ would take more memory than its mask.
    return _nearest(_section(region, grid, int(filled[np.argmin(np.abs(filled - at))])), middle)


def _section(region: Region, grid: Grid, k: int) -> FloatArray:
    """Places (voxels, 3) in RAS+ mm of what a mask has in slice `k` of its box."""
    plane = np.argwhere(region.mask[:, :, k])
    inside = np.column_stack([plane, np.full(len(plane), k)]) + np.array([part.start for part in region.box])
    return grid.world(inside)


def _nearest(places: FloatArray, middle: FloatArray) -> tuple[float, float, float]:
    x, y, z = (round(float(one), 3) for one in places[int(np.argmin(((places - middle) ** 2).sum(axis=1)))])
    return x, y, z


def _lesions(case: Case, one: StructureOut) -> Iterable[LesionOut]:
    found = lesion_list(case, one.id)
    counted = len(found.lesions)
    for number, lesion in enumerate(found.every[:MOST_LESIONS], start=1):
        # On the slice that is named, so that who goes there sees what was measured, and within the lesion.
        section = _section(lesion.region, case.scan.grid, lesion.axes.k - lesion.region.box[2].start)
        yield LesionOut(
            id=f"{one.id}#{number}", structure=one.id, name=f"{one.name} {number}",
            volume_cm3=round(lesion.volume, 4), long_axis_mm=round(lesion.axes.long_axis, 2),
            short_axis_mm=round(lesion.axes.short_axis, 2),
            slice=case.scan.orientation.file_slice(lesion.axes.k),
            centre_mm=_nearest(section, section.mean(axis=0)), counted=number <= counted,
        )  # fmt: skip
