"""Lesion masks: tissue that no lesion of a soft organ has, specks, components far from their organ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tools.masks import connected, voxels_of
from tools.ontology import load_ontology
from tools.segment.plausible_facts import Facts
from tools.segment.plausible_flag import Flag
from tools.structures import region
from tools.volume import Grid, LabelSet, Region

LEAST_VOXELS = 3
HOST_MM = 20.0
"""Exophytic lesions begin at their organ: a component that is farther away belongs to something else."""
AIR_HU, BONE_HU = -300.0, 700.0
"""Medians of lesions in soft organs: fat in angiomyolipomas has -100 HU, calcification seldom above 500 HU."""
MOST_COMPONENTS = 2000


def check_lesions(facts: Facts) -> Iterator[Flag]:
    """Judge every lesion class that has voxels."""
    ontology = load_ontology()
    for ident, mask in facts.lesions():
        host = mask.structure.organ
        soft = host is not None and ontology.get(host).tissue == "soft"
        if soft and mask.hu.size and not AIR_HU <= mask.median <= BONE_HU:
            yield Flag(
                ident, "hu", "refuse",
                f"its median is {mask.median:.0f} HU, and {AIR_HU:.0f} to {BONE_HU:.0f} HU are possible in soft organs",
                {"hu": round(mask.median, 1), "least_hu": AIR_HU, "most_hu": BONE_HU},
            )  # fmt: skip
        specks = sum(piece.voxels < LEAST_VOXELS for piece in mask.pieces)
        if specks:
            yield Flag(
                ident, "fragments", "note",
                f"{specks} of its {len(mask.pieces)} components have fewer than {LEAST_VOXELS} voxels, "
                "too few to be told from noise", {"specks": specks, "pieces": len(mask.pieces)},
            )  # fmt: skip
        distances = far_components(facts.labels, facts.scan.grid, ident)
        far = [away for _, away in distances if away > HOST_MM]
        if far:
            yield Flag(
                ident, "position", "refuse",
                f"{len(far)} of its {len(distances)} components lie more than {HOST_MM:.0f} mm from the "
                f"{facts.name(str(host))} (up to {max(far):.0f} mm), and a lesion begins at its organ",
                {"far": len(far), "pieces": len(distances), "mm": round(max(far), 1), "most_mm": HOST_MM},
            )  # fmt: skip


def far_components(labels: LabelSet, grid: Grid, ident: str) -> list[tuple[Region, float]]:
    """Components of a lesion class, each with its distance in mm from the organ; empty where no organ is labelled."""
    organ = load_ontology().get(ident).organ
    host = region(labels, organ) if organ is not None else None
    own = labels.region(labels.entries[ident])
    if host is None or own is None:
        return []
    points = grid.world(_surface(host))
    tree = cKDTree(points)
    found = []
    for part in connected(own)[:MOST_COMPONENTS]:
        at = grid.world(voxels_of(part))
        distances, _ = tree.query(at[:: max(1, len(at) // 500)])
        found.append((part, float(np.min(distances))))
    return found


def _surface(host: Region) -> NDArray[np.intp]:
    """Indices (n, 3) of the voxels of a mask that are not surrounded by it."""
    mask = host.mask
    inner = mask.copy()
    for axis in range(3):
        low, source = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        low[1:] &= source[:-1]
        low[:-1] &= source[1:]
        low[0] = low[-1] = False
    return voxels_of(Region(host.box, mask & ~inner))
