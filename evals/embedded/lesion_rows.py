"""Lesions of training phantoms as rows of features, made by the code that describes lesions at run time.

A segmenter's masks differ from the truth: every phantom is also seen with lesions that lost or won voxels at their
border, and now and then with slices twice as thick.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import UsageError
from evals.embedded.data import SPACING, load_sample, training_options
from evals.phantom_tissue import CLASSES, LESION_CLASSES, OTHER_LESIONS
from tools.base import Case
from tools.classifiers.features import Features, lesion_features
from tools.lesion_facts import LesionFacts
from tools.lesion_list import lesion_list
from tools.ontology import load_ontology
from tools.volume import LabelSet, Scan, ScanHeader, to_canonical

PLAIN = "plain"
JITTERS = ("shrunk", "grown", "eroded", "dilated")
"""How a mask may differ: half of its border voxels lost or won, or all of them."""
_HALF = 0.5
_THICK = 0.3


@dataclass(frozen=True)
class Row:
    """One lesion.

    Attributes:
        seed: of its phantom.
        type: of the ontology.
        variant: how its mask was made.
        features: what it looks like.
    """

    seed: int
    type: str
    variant: str
    features: Features


def phantom_case(hu: NDArray[Any], labels: NDArray[np.uint8], spacing: tuple[float, float, float]) -> Case:
    """A case from a phantom's arrays (i, j, k) on a straight grid, with the classes of lesions and of their organs."""
    affine = np.diag([*spacing, 1.0])
    voxels, grid, orientation = to_canonical(np.round(hu).astype(np.int16), affine)
    scan = Scan(voxels, grid, orientation, ScanHeader(source="nifti"))
    kept = {**CLASSES, **OTHER_LESIONS}
    named = {*LESION_CLASSES, *LESION_CLASSES.values(), *OTHER_LESIONS}
    names: dict[str, tuple[tuple[int, int], ...]] = {name: ((0, kept[name]),) for name in sorted(named)}
    return Case(scan=scan, labels=LabelSet(grid, (to_canonical(labels, affine)[0],), names))


def rows_of(path: Path) -> Iterator[Row]:
    """Rows of one training phantom, each lesion with its own mask and with one that differs from it."""
    seed = int(path.stem)
    hu, labels = load_sample(path)
    rng = np.random.default_rng([seed, 13])
    spacing = (SPACING,) * 3
    if rng.random() < _THICK:
        even = hu.shape[2] // 2 * 2
        hu = (hu[..., :even:2] + hu[..., 1:even:2]) * np.float32(0.5)
        labels = np.ascontiguousarray(labels[..., :even:2])
        spacing = (SPACING, SPACING, 2 * SPACING)
    phase = training_options(seed).phase.value
    for variant in (PLAIN, rng.choice(JITTERS)):
        seen = labels if variant == PLAIN else jittered(labels, str(variant), rng)
        case = phantom_case(hu, seen, spacing)
        there = set(np.unique(seen).tolist())
        for name in (one for one in LESION_CLASSES if CLASSES[one] in there):
            yield from of_class(case, name, phase, seed, str(variant))


def jittered(labels: NDArray[np.uint8], variant: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Labels whose lesions lost border voxels to their organ, or won some from what is around them."""
    changed = labels.copy()
    lesions = np.isin(np.arange(256), [CLASSES[name] for name in LESION_CLASSES])
    boxes = ndimage.find_objects(labels)
    for name, organ in LESION_CLASSES.items():
        box = boxes[CLASSES[name] - 1] if len(boxes) >= CLASSES[name] else None
        if box is None:
            continue
        wide = tuple(slice(max(0, one.start - 1), one.stop + 1) for one in box)
        mask = labels[wide] == CLASSES[name]
        if variant in {"shrunk", "eroded"}:
            border, value = mask & ~ndimage.binary_erosion(mask), CLASSES[organ]
        else:
            border, value = ndimage.binary_dilation(mask) & ~lesions[labels[wide]], CLASSES[name]
        if variant in {"shrunk", "grown"}:
            border &= rng.random(mask.shape) < _HALF
        changed[wide][border] = value
    return changed


def of_class(case: Case, name: str, phase: str, seed: int, variant: str) -> Iterator[Row]:
    """Rows of the lesions of one class that are wholly in the scan."""
    found = lesion_list(case, name)
    if not found.lesions:
        return
    facts = LesionFacts(case, name)
    for one in found.lesions:
        features = None if one.cut else lesion_features(facts, one, phase)
        if isinstance(features, Features):
            yield Row(seed, str(load_ontology().get(name).lesion_type), variant, features)


def collect(folders: list[Path], kept: Path | None) -> list[Row]:
    """Rows of all training phantoms in some folders; those that a file holds already are not made again."""
    known: dict[int, list[Row]] = {}
    if kept is not None and kept.exists():
        for line in kept.read_text("utf-8").splitlines():
            told = json.loads(line)
            known[told["seed"]] = [
                Row(told["seed"], kind, variant, Features(organ, phase, values))
                for kind, variant, organ, phase, values in told["rows"]
            ]
    made: list[Row] = []
    for path in sorted(one for folder in folders for one in folder.glob("*.npz") if one.stem.isdecimal()):
        seed = int(path.stem)
        if seed not in known:
            known[seed] = list(rows_of(path))
            if kept is not None:
                plain = [
                    [one.type, one.variant, one.features.organ, one.features.phase, dict(one.features.values)]
                    for one in known[seed]
                ]
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"seed": seed, "rows": plain}) + "\n")
        made += known[seed]
    if not made:
        raise UsageError(f"There are no training phantoms in {', '.join(map(str, folders))}.")
    return made
