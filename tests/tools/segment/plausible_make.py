"""A small torso whose masks are right, and the ways in which a segmenter gets masks wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.case_make import Ellipsoid, affine_of, case_of, paint
from tools.base import Case
from tools.volume import LabelSet

SIZE = (73, 53, 85)
SPACING = (5.0, 5.0, 5.0)
_BODY = "body"
# Left is −x in RAS+. Liver, spleen and all below them lie wholly in the grid; the vessels do too.
TORSO = (
    Ellipsoid(_BODY, (0, 0, 0), (170, 120, 4000), hu=-100),
    Ellipsoid("lung_left", (-95, 0, 175), (50, 60, 50), hu=-830),
    Ellipsoid("lung_right", (95, 0, 175), (50, 60, 50), hu=-830),
    Ellipsoid("liver", (70, 20, 80), (75, 60, 65), hu=60),
    Ellipsoid("heart", (-20, 40, 175), (60, 45, 40), hu=45),
    Ellipsoid("spleen", (-105, -25, 85), (30, 40, 50), hu=48),
    Ellipsoid("stomach", (-50, 40, 85), (35, 35, 45), hu=25),
    Ellipsoid("kidney_left", (-60, -45, -5), (28, 25, 50), hu=32),
    Ellipsoid("kidney_right", (60, -45, -15), (28, 25, 50), hu=32),
    Ellipsoid("pancreas", (-10, 15, 35), (55, 13, 15), hu=38),
    Ellipsoid("duodenum", (30, 15, 5), (18, 14, 30), hu=30),
    Ellipsoid("gallbladder", (50, 65, 10), (14, 14, 25), hu=8),
    Ellipsoid("adrenal_gland_left", (-40, -35, 62), (9, 9, 14), hu=20),
    Ellipsoid("adrenal_gland_right", (35, -35, 60), (9, 9, 14), hu=20),
    Ellipsoid("aorta", (-10, -30, 0), (12, 12, 130), hu=42),
    Ellipsoid("inferior_vena_cava", (16, -25, 0), (12, 12, 130), hu=40),
    Ellipsoid("iliopsoas_left", (-50, -40, -90), (20, 20, 45), hu=55),
    Ellipsoid("iliopsoas_right", (50, -40, -90), (20, 20, 45), hu=55),
    *(Ellipsoid(f"vertebrae_L{n}", (0, -65, 85 - 35 * n), (24, 18, 16), hu=250) for n in range(1, 6)),
    Ellipsoid("sacrum", (0, -60, -130), (45, 25, 30), hu=250),
    Ellipsoid("hip_left", (-95, -10, -135), (40, 40, 45), hu=300),
    Ellipsoid("hip_right", (95, -10, -135), (40, 40, 45), hu=300),
    Ellipsoid("urinary_bladder", (0, 30, -140), (40, 35, 35), hu=8),
    Ellipsoid("liver_lesion", (95, 20, 95), (16, 16, 16), hu=30),
)


@dataclass(frozen=True)
class Arrays:
    """A case as a file holds it."""

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]
    numbers: dict[str, int]

    @property
    def case(self) -> Case:
        """The case in canonical order."""
        return case_of(self.hu, self.labels, self.affine, self.numbers)


def torso(turn: tuple[float, float, float] = (0, 0, 0), *, mirrored: bool = False, seed: int = 3) -> Arrays:
    """The torso; `turn` lays the grid obliquely, `mirrored` is situs inversus: the unpaired organs change sides."""
    affine = affine_of(SPACING, SIZE, turn=turn, centre=(0, 0, 25))
    paired = ("_left", "_right")
    shapes = [
        replace(one, centre=(-one.centre[0], *one.centre[1:])) if mirrored and not one.name.endswith(paired) else one
        for one in TORSO
    ]
    hu, labels, numbers = paint(shapes, SIZE, affine, background=-1000)
    labels[labels == numbers.pop(_BODY)] = 0
    noise = np.random.default_rng(seed).normal(0, 10, SIZE)
    return Arrays((hu + noise).astype(np.int16), labels, affine, numbers)


# -- ways to be wrong ----------------------------------------------------------------------------------------------

Mask = NDArray[np.bool_]


def mask_of(case: Case, ident: str) -> Mask:
    """The whole mask of a structure."""
    assert case.labels is not None
    found: Mask = np.zeros(case.labels.grid.shape, np.bool_)
    for layer, value in case.labels.entries[ident]:
        found |= case.labels.layers[layer] == value
    return found


def with_masks(case: Case, masks: dict[str, Mask]) -> Case:
    """The case with some masks replaced; each in a layer of its own, so that they may overlap others."""
    assert case.labels is not None
    layers = [layer.copy() for layer in case.labels.layers]
    entries = dict(case.labels.entries)
    for ident in masks:
        for layer, value in entries.get(ident, ()):
            layers[layer][layers[layer] == value] = 0
    for ident, mask in masks.items():
        entries[ident] = ((len(layers), 1),)
        layers.append(mask.astype(np.uint8))
    return replace(case, labels=LabelSet(case.labels.grid, tuple(layers), entries))


def _moved(mask: Mask, mm: tuple[float, float, float], spacing: tuple[float, float, float]) -> Mask:
    moved = mask
    for axis, (way, size) in enumerate(zip(mm, spacing, strict=True)):
        steps = round(way / size)
        moved = np.roll(moved, steps, axis)
        if steps:
            gone: list[Any] = [slice(None)] * 3
            gone[axis] = slice(0, steps) if steps > 0 else slice(steps, None)
            moved[tuple(gone)] = False
    return moved


def moved(ident: str, mm: tuple[float, float, float]) -> Callable[[Case], Case]:
    """One mask shifted."""
    return lambda case: with_masks(case, {ident: _moved(mask_of(case, ident), mm, case.scan.grid.spacing)})


def all_moved(mm: tuple[float, float, float]) -> Callable[[Case], Case]:
    """The whole label map shifted against the scan."""

    def change(case: Case) -> Case:
        assert case.labels is not None
        return with_masks(case, {
            ident: _moved(mask_of(case, ident), mm, case.scan.grid.spacing) for ident in case.labels.entries
        })  # fmt: skip

    return change


def swapped(first: str, second: str) -> Callable[[Case], Case]:
    """Two names exchanged."""
    return lambda case: with_masks(case, {first: mask_of(case, second), second: mask_of(case, first)})


def named(wrong: str, true: str) -> Callable[[Case], Case]:
    """One organ's mask put where another one is."""
    return lambda case: with_masks(case, {wrong: mask_of(case, true)})


def emptied(*idents: str) -> Callable[[Case], Case]:
    """Masks without voxels."""
    return lambda case: with_masks(case, {one: np.zeros(case.scan.grid.shape, np.bool_) for one in idents})


def cropped(ident: str, axis: int, share: float) -> Callable[[Case], Case]:
    """The mask cut off at a plane, as by a crop: `share` of its extent is left, from the low end."""

    def change(case: Case) -> Case:
        mask = mask_of(case, ident)
        at = np.flatnonzero(mask.any(axis=tuple(one for one in range(3) if one != axis)))
        cut: list[Any] = [slice(None)] * 3
        cut[axis] = slice(at[0] + round(share * (at[-1] - at[0])), None)
        mask[tuple(cut)] = False
        return with_masks(case, {ident: mask})

    return change


def sprinkled(ident: str, count: int, seed: int = 0) -> Callable[[Case], Case]:
    """Single stray voxels anywhere."""

    def change(case: Case) -> Case:
        mask = mask_of(case, ident)
        at = np.random.default_rng(seed).integers(0, mask.shape, (count, 3))
        mask[at[:, 0], at[:, 1], at[:, 2]] = True
        return with_masks(case, {ident: mask})

    return change


def mirrored_labels(case: Case) -> Case:
    """The label map flipped along x against the scan."""
    assert case.labels is not None
    return with_masks(case, {ident: np.flip(mask_of(case, ident), 0) for ident in case.labels.entries})


CORRUPTIONS: dict[str, tuple[Callable[[Case], Case], frozenset[str], frozenset[str]]] = {
    name: (change, frozenset(structures.split()), frozenset(kinds.split()))
    for name, change, structures, kinds in (
        ("liver empty", emptied("liver"), "liver", "empty"),
        ("pancreas empty", emptied("pancreas"), "pancreas", "empty"),
        ("both kidneys empty", emptied("kidney_left", "kidney_right"), "kidney_left kidney_right", "empty"),
        ("vertebra empty", emptied("vertebrae_L3"), "vertebrae_L3", "empty"),
        ("liver cropped from above", cropped("liver", 2, 0.6), "liver", "clipped_by_roi"),
        ("liver cropped from the side", cropped("liver", 0, 0.6), "liver", "clipped_by_roi"),
        ("spleen cropped", cropped("spleen", 2, 0.6), "spleen", "clipped_by_roi"),
        ("kidney cropped", cropped("kidney_left", 2, 0.6), "kidney_left", "clipped_by_roi"),
        ("bladder cropped", cropped("urinary_bladder", 2, 0.6), "urinary_bladder", "clipped_by_roi"),
        ("kidneys swapped", swapped("kidney_left", "kidney_right"), "kidney_left kidney_right", "swapped_sides"),
        ("one kidney twice", named("kidney_left", "kidney_right"), "kidney_left kidney_right", "duplicated_side"),
        ("kidney on the other side", moved("kidney_left", (110, 0, 90)), "kidney_left",
         "duplicated_side swapped_sides"),
        ("liver and spleen swapped", swapped("liver", "spleen"), "liver spleen", "position volume"),
        ("bladder and stomach swapped", swapped("urinary_bladder", "stomach"), "urinary_bladder stomach", "position"),
        ("bladder is the stomach", named("urinary_bladder", "stomach"), "urinary_bladder", "position overlap"),
        ("gallbladder is the left kidney", named("gallbladder", "kidney_left"), "gallbladder", "overlap position"),
        ("spleen is the liver", named("spleen", "liver"), "spleen", "overlap position"),
        ("adrenal is the bladder", named("adrenal_gland_left", "urinary_bladder"), "adrenal_gland_left",
         "position overlap volume"),
        ("kidney is a lung", named("kidney_left", "lung_left"), "kidney_left", "hu overlap"),
        ("liver is a lung", named("liver", "lung_right"), "liver", "hu overlap"),
        ("vertebra is the aorta", named("vertebrae_L2", "aorta"), "vertebrae_L2", "hu"),
        ("spleen shifted by 80 mm", moved("spleen", (-80, 0, 0)), "spleen", "outside_body hu"),
        ("bladder shifted by 300 mm", moved("urinary_bladder", (0, 0, 300)), "urinary_bladder", "position hu overlap"),
        ("gallbladder shifted by 150 mm", moved("gallbladder", (0, 0, -150)), "gallbladder", "position hu"),
        ("lesion shifted to the pelvis", moved("liver_lesion", (-70, 0, -200)), "liver_lesion", "position"),
        ("all shifted by 60 mm", all_moved((60, 0, 0)), "", "hu outside_body"),
        ("all shifted by 60 mm up", all_moved((0, 0, 60)), "", "hu outside_body"),
        ("map mirrored", mirrored_labels, "", "swapped_sides"),
        ("islands in the liver's mask", sprinkled("liver", 60), "liver", "fragments"),
        ("noise for a spleen", sprinkled("spleen", 20_000), "spleen", "fragments hu outside_body"),
    )
}  # fmt: skip
"""What is done, the structures of which at least one is to be flagged (none: any), and the kinds that may tell."""
