"""Lesions lie where they are wanted, look like what they are, and are what the truth says."""

from __future__ import annotations

import functools
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from evals.commands import parse_lesion
from evals.phantom import Phantom, make_phantom
from evals.phantom_cases import draw_specs
from evals.phantom_options import PhantomOptions
from evals.phantom_tissue import CLASSES, LESION_CLASSES, PARTS, Phase

pytestmark = pytest.mark.slow


@functools.cache
def with_lesions(*texts: str, seed: int = 2, spacing: float = 2.5, phase: Phase = Phase.PORTAL) -> Phantom:
    lesions = tuple(parse_lesion(text) for text in texts)
    return make_phantom(PhantomOptions(seed=seed, spacing=(spacing,) * 3, lesions=lesions, phase=phase))


MIXED = ("liver_hcc:34:7", "liver_metastasis:18:4", "liver_metastasis:15:6", "liver_cyst:20:2",
         "pancreas_pdac:32:head:sma=130", "kidney_rcc:45:left:lower", "kidney_cyst:20:right:upper",
         "colon_cancer:30")  # fmt: skip


def test_every_lesion_lies_in_the_region_it_was_wanted_in() -> None:
    truth = with_lesions(*MIXED).truth
    wanted = ("liver_segment_7", "liver_segment_4", "liver_segment_6", "liver_segment_2", "pancreas_head",
              "kidney_lower_pole_left", "kidney_upper_pole_right", None)  # fmt: skip
    for lesion, region in zip(truth.lesions, wanted, strict=True):
        assert lesion.voxels > 0
        if region is not None:
            assert next(iter(lesion.regions)) == region, lesion.id
            assert lesion.regions[region] > 0.5
        assert sum(lesion.regions.values()) == pytest.approx(1 if region else 0)
    assert [lesion.id for lesion in truth.lesions[1:3]] == ["liver_metastasis#1", "liver_metastasis#2"]


def test_the_truth_about_lesions_equals_a_recount() -> None:
    phantom = with_lesions(*MIXED)
    truth, pixel = phantom.truth, np.array(phantom.truth.spacing_mm)
    for lesion in truth.lesions:
        numbered, count = ndimage.label(phantom.labels == CLASSES[lesion.label], np.ones((3, 3, 3)))
        centers = ndimage.center_of_mass(numbered > 0, numbered, range(1, count + 1))
        world = [phantom.affine[:3, :3] @ np.array(c) + phantom.affine[:3, 3] for c in centers]
        mine = numbered == 1 + int(np.argmin([np.linalg.norm(w - lesion.center_mm) for w in world]))
        index = np.argwhere(mine)
        assert lesion.voxels == len(index)
        assert lesion.centroid_mm == pytest.approx(index.mean(axis=0) @ phantom.affine[:3, :3] + phantom.affine[:3, 3])
        values = phantom.hu[mine].astype(float)
        assert (lesion.hu_mean, lesion.hu_sd) == pytest.approx((values.mean(), values.std()))
        longest = {}
        for k in np.unique(index[:, 2]):
            pixels = index[index[:, 2] == k, :2]
            ends = np.concatenate([pixels + half for half in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
            longest[int(k)] = float(pdist(ends * pixel[:2]).max())
        assert lesion.long_axis_mm == pytest.approx(max(longest.values()))
        assert lesion.slice == min(k for k, length in longest.items() if length > max(longest.values()) - 1e-6)
        parts = phantom.parts[mine]
        for region, share in lesion.regions.items():
            if region in PARTS:
                assert share == pytest.approx(np.mean(parts == PARTS[region]))
        touching = phantom.labels[ndimage.binary_dilation(mine, np.ones((3, 3, 3)))]
        zero = {name for name, gap in lesion.adjacent.items() if gap == 0}
        assert zero == {name for name, key in CLASSES.items() if key in touching and name not in LESION_CLASSES}
        organ = truth.structures[lesion.organ]
        assert organ.hu_mean is not None
        assert organ.hu_sd is not None
        off = values.mean() - organ.hu_mean
        word = (
            "isoattenuating" if abs(off) < 0.1 * organ.hu_sd else "hyperattenuating" if off > 0 else "hypoattenuating"
        )
        assert lesion.attenuation == word


def test_regions_hold_what_their_voxels_say() -> None:
    phantom = with_lesions(*MIXED)
    voxel = phantom.truth.voxel_volume_mm3 / 1000
    lesion_keys = [CLASSES[name] for name in LESION_CLASSES]
    organs = {"liver": 8, "pancreas": 3, "lung_left": 2, "lung_right": 3}
    for organ, number in organs.items():
        regions = phantom.truth.regions[organ]
        assert len(regions) == number
        for region, stated in regions.items():
            own = phantom.parts == PARTS[region]
            assert stated.volume_cm3 == pytest.approx(np.count_nonzero(own) * voxel)
            assert stated.lesion_volume_cm3 == pytest.approx(
                np.count_nonzero(np.isin(phantom.labels[own], lesion_keys)) * voxel
            )
            counted = sum(one.organ == organ and one.regions.get(region, 0) > 0.1 for one in phantom.truth.lesions)
            assert stated.lesion_count == counted
        whole = phantom.truth.structures[organ].volume_with_lesions_cm3
        assert sum(one.volume_cm3 for one in regions.values()) == pytest.approx(whole)
    for side in ("left", "right"):
        thirds = phantom.truth.regions[f"kidney_{side}"]
        whole = phantom.truth.structures[f"kidney_{side}"].volume_with_lesions_cm3
        assert phantom.truth.regions["kidney"][f"kidney_{side}"].volume_cm3 == pytest.approx(whole)
        assert sum(one.volume_cm3 for one in thirds.values()) == pytest.approx(whole)


@pytest.mark.parametrize(
    ("text", "vessel", "wanted"),
    [
        ("pancreas_pdac:35:head:sma=120", "superior_mesenteric_artery", 120),
        ("pancreas_pdac:32:body:sma=250", "superior_mesenteric_artery", 250),
        ("pancreas_pdac:28:head:smv=100:sma=0", "superior_mesenteric_vein", 100),
        ("pancreas_pdac:28:head:smv=100:sma=0", "superior_mesenteric_artery", 0),
        ("pancreas_pdac:30:ca=200", "celiac_trunk", 200),
        ("pancreas_pnet:20:tail:sma=0:smv=0:pv=0:ca=0", "celiac_trunk", 0),
    ],
)
def test_contact_comes_out_as_wanted(text: str, vessel: str, wanted: float) -> None:
    phantom = with_lesions(text)
    (lesion,) = phantom.truth.lesions
    # 30 degrees are left to the search, and half a voxel at either end of the arc to the grid.
    assert lesion.contacts[vessel] == pytest.approx(wanted, abs=60 if wanted else 0)
    index = np.argwhere(phantom.labels == CLASSES[lesion.label])
    wall = np.argwhere(phantom.labels == CLASSES[vessel])
    gap = cKDTree(index).query(wall)[0].min()
    assert (gap < 1.8) == (wanted > 0)


def test_contact_agrees_between_grids() -> None:
    coarse, fine = (
        with_lesions("pancreas_pdac:32:body:sma=250", spacing=spacing).truth.lesions[0].contacts
        for spacing in (2.5, 1.8)
    )
    for name, angle in fine.items():
        assert coarse[name] == pytest.approx(angle, abs=60), name


def test_lesions_stay_apart_on_coarse_grids() -> None:
    phantom = with_lesions(*["liver_metastasis:16:6"] * 4, *["liver_cyst:14"] * 3, spacing=5.0, seed=3)
    for label, number in (("liver_metastasis", 4), ("liver_cyst", 3)):
        pieces, count = ndimage.label(phantom.labels == CLASSES[label], np.ones((3, 3, 3)))
        assert count == number
        for one, other in combinations(range(1, count + 1), 2):
            gaps = cKDTree(np.argwhere(pieces == one)).query(np.argwhere(pieces == other))[0]
            assert gaps.min() > 2


def test_the_phase_changes_how_lesions_look_and_not_where_they_are() -> None:
    texts = ("liver_hcc:40", "liver_hemangioma:40", "pancreas_pnet:24:tail", "kidney_rcc:45")
    arterial, portal, delayed = (
        with_lesions(*texts, phase=phase, spacing=4.0) for phase in (Phase.ARTERIAL, Phase.PORTAL, Phase.DELAYED)
    )
    assert np.array_equal(arterial.labels, portal.labels)
    assert np.array_equal(arterial.parts, delayed.parts)

    def words(phantom: Phantom) -> list[str | None]:
        return [lesion.attenuation for lesion in phantom.truth.lesions]

    assert words(arterial)[:3] == ["hyperattenuating"] * 3
    assert words(delayed)[0] == "hypoattenuating"
    assert words(portal)[3] == "hypoattenuating"
    hemangioma = arterial.truth.lesions[1]
    own = arterial.labels == CLASSES["liver_hemangioma"]
    core = ndimage.binary_erosion(own, iterations=3)
    rim = own & ~ndimage.binary_erosion(own, iterations=1)
    assert arterial.hu[rim].mean() > arterial.hu[core].mean() + 40
    assert hemangioma.hu_sd is not None
    assert hemangioma.hu_sd > 25


def test_a_pancreatic_cancer_widens_the_duct_behind_it() -> None:
    with_cancer, without = with_lesions("pancreas_pdac:28:head:smv=100:sma=0"), with_lesions(spacing=2.5)
    assert (
        with_cancer.truth.structures["pancreatic_duct"].volume_cm3
        > 1.8 * without.truth.structures["pancreatic_duct"].volume_cm3
    )


def test_random_patients_give_every_question_something_to_ask_about() -> None:
    sets = [draw_specs(np.random.default_rng(seed), None) for seed in range(40)]
    types = {spec.type for one in sets for spec in one}
    assert len(types) == 10
    liver = [sum(spec.type.startswith("liver") for spec in one) for one in sets]
    assert min(liver) == 0
    assert max(liver) >= 7
    sizes = [[s.diameter_mm or 0 for s in one if s.type.startswith("liver")] for one in sets]
    assert any(len(one) >= 3 and min(one) > 0 and max(one) > 2 * sorted(one)[-2] for one in sizes)
    homes = [[s.region for s in one if s.region and s.type.startswith("liver")] for one in sets]
    assert any(len(one) >= 3 and len(set(one)) == 1 for one in homes)
    sides = [[s.side for s in one if s.type.startswith("kidney")] for one in sets]
    assert any(one.count("left") != one.count("right") and {"left", "right"} <= set(one) for one in sides)


@pytest.mark.parametrize("seed", [9])
def test_random_lesions_are_whole_and_apart(seed: int) -> None:
    truth = make_phantom(PhantomOptions(seed=seed, spacing=(3.0, 3.0, 3.0))).truth
    assert truth.lesions
    for lesion in truth.lesions:
        assert lesion.components == 1
        assert lesion.in_field
        assert lesion.diameter_mm >= 9
    for one, other in combinations(truth.lesions, 2):
        assert one.centroid_mm is not None
        assert other.centroid_mm is not None
        apart = np.linalg.norm(np.subtract(one.centroid_mm, other.centroid_mm))
        assert apart > (one.long_axis_mm or 0) / 3 + (other.long_axis_mm or 0) / 3
