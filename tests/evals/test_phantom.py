"""The phantom: reproducible, plausible, and its truth equal to an independent recount."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import UsageError
from evals.phantom import Phantom, make_phantom
from evals.phantom_options import LesionSpec, PhantomOptions
from evals.phantom_patient import make_patient
from evals.phantom_place import place_lesions
from evals.phantom_tissue import CLASSES, LESION_CLASSES, OTHER_LESIONS, PARTS, VESSELS, Phase, patient_hu
from evals.phantom_truth_model import PhantomTruth

pytestmark = pytest.mark.slow

REAL = Path(__file__).resolve().parents[2] / "../shared/data/abdomen-native"
ORGANS = {
    "liver": (1150, 1950),
    "spleen": (115, 850),
    "kidney_left": (115, 230),
    "kidney_right": (115, 230),
    "pancreas": (56, 114),
    "gallbladder": (14, 60),
    "urinary_bladder": (120, 460),
}


def load(path: Path) -> Any:
    return nib.load(path)


@functools.cache
def coarse(**options: Any) -> Phantom:
    return make_phantom(PhantomOptions(**{"spacing": (4.5, 4.5, 4.5), **options}))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    lesions = (
        LesionSpec(type="liver_metastasis", diameter_mm=40),
        LesionSpec(type="liver_cyst", diameter_mm=24),
        LesionSpec(type="kidney_cyst", diameter_mm=15, side="left"),
        LesionSpec(type="pancreas_pnet", diameter_mm=16, region="tail"),
    )
    return make_phantom(PhantomOptions(seed=7, spacing=(2.5, 2.5, 2.5), lesions=lesions))


@pytest.fixture(scope="module")
def native() -> Phantom:
    return coarse(seed=5, phase=Phase.NATIVE, lesions=0)


def centroid(labels: NDArray[Any], affine: NDArray[Any], value: int) -> NDArray[Any]:
    mean = np.argwhere(labels == value).mean(axis=0)
    return np.asarray(affine[:3, :3] @ mean + affine[:3, 3])


def label_names(path: Path) -> dict[int, str]:
    extension = load(path).header.extensions[0]
    assert extension.get_code() == 0
    root = ElementTree.fromstring(extension.get_content().decode().strip("\0 "))  # noqa: S314
    assert root.tag == "CaretExtension"
    return {int(label.attrib["Key"]): str(label.text) for label in root.iter("Label")}


def test_equal_options_give_equal_voxels_and_another_seed_does_not(native: Phantom) -> None:
    again = make_phantom(native.truth.options)
    assert again.hu.tobytes() == native.hu.tobytes()
    assert again.labels.tobytes() == native.labels.tobytes()
    assert again.truth == native.truth
    other = coarse(seed=1)
    assert other.hu.shape != native.hu.shape or other.hu.tobytes() != native.hu.tobytes()


def test_truth_equals_a_recount(phantom: Phantom) -> None:
    truth = phantom.truth
    assert phantom.hu.dtype == np.int16
    assert phantom.hu.min() >= -1024
    assert phantom.hu.max() <= 3071
    assert {*truth.structures, *OTHER_LESIONS} == set(phantom.names)
    assert np.isin(phantom.labels, [0, *phantom.names.values()]).all()
    voxel = abs(np.linalg.det(phantom.affine[:3, :3]))
    for name, value in phantom.names.items():
        found = phantom.hu[np.nonzero(phantom.labels == value)].astype(float)
        if name in OTHER_LESIONS:
            assert not len(found)
            continue
        stated = truth.structures[name]
        assert stated.label == value
        assert stated.voxels == len(found)
        assert stated.volume_cm3 == pytest.approx(len(found) * voxel / 1000)
        assert (stated.hu_mean is None) == (len(found) == 0)
        if len(found):
            assert stated.hu_mean == pytest.approx(sum(found) / len(found))
            assert stated.hu_sd == pytest.approx(math.sqrt(sum((found - found.mean()) ** 2) / len(found)))
            assert stated.hu_median == pytest.approx(np.percentile(found, 50))
        inner = phantom.labels[1:-1, 1:-1, 1:-1]
        assert stated.touches_border == (np.count_nonzero(inner == value) < len(found))


def test_lesions_are_smooth_solids_of_their_size_inside_their_organs(phantom: Phantom) -> None:
    truth = phantom.truth
    assert [lesion.type for lesion in truth.lesions] == [
        "liver_metastasis", "liver_cyst", "kidney_cyst", "pancreas_pnet"
    ]  # fmt: skip
    for lesion in truth.lesions:
        assert lesion.in_field
        assert lesion.components == 1
        slack = 3 * 2.5 / lesion.diameter_mm / 3.5
        assert lesion.voxel_volume_cm3 == pytest.approx(lesion.solid_volume_cm3, rel=slack)
        own = phantom.labels == CLASSES[lesion.label]
        assert np.count_nonzero(own) == lesion.voxels
        assert ndimage.label(own, np.ones((3, 3, 3)))[1] == 1
        shell = set(np.unique(phantom.labels[ndimage.binary_dilation(own) & ~own]))
        if lesion.organ == "liver":
            assert shell == {CLASSES["liver"]}
        else:
            assert CLASSES[lesion.organ] in shell
        # A ball of the same volume is 0.8 to 1 times as long as a solid whose axes differ by a quarter.
        ball = 20 * (lesion.volume_cm3 * 3 / 4 / math.pi) ** (1 / 3)
        assert 0.72 < ball / lesion.diameter_mm < 1.1
        assert lesion.long_axis_mm == pytest.approx(lesion.diameter_mm, abs=2.6)
    liver = truth.structures["liver"]
    inside = sum(truth.structures[name].volume_cm3 for name, organ in LESION_CLASSES.items() if organ == "liver")
    assert liver.volume_with_lesions_cm3 == pytest.approx(liver.volume_cm3 + inside)


@pytest.mark.parametrize("seed", [1, 2])
def test_sizes_and_places_are_plausible(seed: int) -> None:
    phantom = coarse(seed=seed)
    structures = phantom.truth.structures
    for name, (least, most) in ORGANS.items():
        assert least <= structures[name].volume_with_lesions_cm3 <= most, name
        assert not structures[name].truncated, name
        if not any(lesion.organ == name for lesion in phantom.truth.lesions):
            assert structures[name].whole_volume_cm3 == pytest.approx(structures[name].volume_cm3, rel=0.05), name
    at = {name: centroid(phantom.labels, phantom.affine, phantom.names[name])
          for name in structures if structures[name].voxels}  # fmt: skip
    assert at["liver"][0] > at["spleen"][0] + 100
    assert at["kidney_right"][0] > at["aorta"][0] > at["kidney_left"][0]
    assert at["inferior_vena_cava"][0] > at["aorta"][0]
    assert at["kidney_right"][2] < at["kidney_left"][2] + 12
    assert at["liver"][1] > at["vertebrae_T12"][1]
    assert at["urinary_bladder"][2] < at["vertebrae_L5"][2] < at["vertebrae_L1"][2] < at["liver"][2]
    assert structures["aorta"].truncated


@pytest.mark.realdata
def test_sides_agree_with_a_real_scan(phantom: Phantom) -> None:
    if not REAL.exists():
        pytest.skip(f"no real scan at {REAL}")
    image = load(REAL / "labels.nii.gz")
    real, names = np.asarray(image.dataobj), label_names(REAL / "labels.nii.gz")
    keys = {name: key for key, name in names.items()}
    assert all(names[key] == name for name, key in CLASSES.items() if key < 200)
    for one, other in (("liver", "spleen"), ("kidney_right", "kidney_left"), ("inferior_vena_cava", "aorta")):
        gap_real, gap = (
            centroid(labels, affine, table[one])[0] - centroid(labels, affine, table[other])[0]
            for labels, affine, table in (
                (real, image.affine, keys),
                (phantom.labels, phantom.affine, phantom.names),
            )
        )
        assert np.sign(gap_real) == np.sign(gap) == 1


def test_attenuation_follows_the_phase(native: Phantom) -> None:
    arterial = coarse(seed=5, phase=Phase.ARTERIAL, lesions=0)
    assert arterial.labels.tobytes() == native.labels.tobytes()
    before, after = native.truth.structures, arterial.truth.structures

    def median(truth: dict[str, Any], name: str) -> float:
        return float(truth[name].hu_median)

    assert 22 < median(before, "aorta") < 55
    assert median(after, "aorta") > 250
    assert median(before, "liver") > median(before, "spleen") + 2
    assert median(after, "spleen") > median(after, "liver") + 20
    assert median(after, "urinary_bladder") < 30
    fatty = coarse(seed=5, phase=Phase.NATIVE, lesions=0, fatty_liver=True).truth
    assert fatty.fatty_liver
    assert median(fatty.structures, "liver") < median(fatty.structures, "spleen") - 5


def test_no_patient_has_a_liver_on_the_wrong_side_of_the_spleen() -> None:
    for seed in range(300):
        hu = patient_hu(np.random.default_rng(seed), Phase.NATIVE, fatty_liver=False)
        fatty = patient_hu(np.random.default_rng(seed), Phase.NATIVE, fatty_liver=True)
        assert hu["liver"] > hu["spleen"]
        assert fatty["liver"] < fatty["spleen"]


def test_cutting_the_field_of_view_truncates_the_same_patient(native: Phantom) -> None:
    cut = coarse(seed=5, phase=Phase.NATIVE, lesions=0, cut_top_mm=90)
    planes = cut.labels.shape[2]
    assert planes < native.labels.shape[2]
    assert np.array_equal(cut.labels, native.labels[:, :, :planes])
    for name in ("liver", "spleen"):
        assert cut.truth.structures[name].touches_border
        assert cut.truth.structures[name].truncated
        assert cut.truth.structures[name].volume_cm3 < native.truth.structures[name].volume_cm3
        assert cut.truth.structures[name].whole_volume_cm3 == native.truth.structures[name].whole_volume_cm3
    assert not cut.truth.structures["urinary_bladder"].truncated
    feet = coarse(seed=5, phase=Phase.NATIVE, lesions=0, cut_bottom_mm=90)
    assert np.array_equal(feet.labels, native.labels[:, :, -feet.labels.shape[2] :])
    assert feet.truth.structures["urinary_bladder"].truncated


def test_no_lesions_padding_and_metal(native: Phantom) -> None:
    assert native.truth.lesions == ()
    assert all(native.truth.structures[name].voxels == 0 for name in LESION_CLASSES)
    changed = coarse(seed=5, phase=Phase.NATIVE, lesions=0, padding=True, metal=True)
    assert (changed.hu[0, 0] == -2000).all()
    assert ((changed.labels > 0) & (changed.hu == -2000)).sum() == 0
    assert changed.hu.max() > 2500 > native.hu.max()


def test_noise_has_the_wanted_strength_and_grain() -> None:
    cut = {"seed": 5, "spacing": (1.5, 1.5, 2.0), "cut_bottom_mm": 330, "lesions": 0}
    clean, noisy = coarse(noise=0, **cut), coarse(noise=15, **cut)
    liver = ndimage.binary_erosion(clean.labels == CLASSES["liver"], np.ones((5, 5, 1), dtype=bool))
    noise = (noisy.hu - clean.hu).astype(float)
    assert noise[liver].std() == pytest.approx(15, rel=0.15)
    assert abs(noise[liver].mean()) < 1
    both = liver[1:] & liver[:-1]
    assert np.corrcoef(noise[1:][both], noise[:-1][both])[0, 1] > 0.2


@settings(max_examples=2, deadline=None)
@given(spacing=st.tuples(*[st.floats(4.0, 9.0)] * 3))
def test_the_patient_does_not_depend_on_the_grid(spacing: tuple[float, float, float]) -> None:
    lesions = (LesionSpec(type="liver_cyst", diameter_mm=40),)
    phantom = make_phantom(PhantomOptions(seed=9, spacing=spacing, lesions=lesions))
    truth, liver = phantom.truth, phantom.truth.structures["liver"]
    assert np.allclose(np.abs(np.diag(phantom.affine)[:3]), spacing)
    assert liver.volume_with_lesions_cm3 == pytest.approx(liver.whole_volume_cm3, rel=0.05)
    (lesion,) = truth.lesions
    assert lesion.voxel_volume_cm3 == pytest.approx(lesion.solid_volume_cm3, rel=0.2)
    seen = centroid(phantom.labels, phantom.affine, CLASSES["liver_cyst"])
    assert np.abs(seen - lesion.center_mm).max() < 2


def test_requests_that_cannot_be_met_are_refused() -> None:
    rng = np.random.default_rng(1)
    patient, hu = make_patient(rng), patient_hu(rng, Phase.PORTAL, fatty_liver=False)
    with pytest.raises(UsageError, match="does not fit into the liver segment 1"):
        place_lesions(rng, patient, (LesionSpec(type="liver_hcc", diameter_mm=90, region="1"),), hu, Phase.PORTAL)
    with pytest.raises(UsageError, match="no left side"):
        place_lesions(rng, patient, (LesionSpec(type="liver_cyst", side="left"),), hu, Phase.PORTAL)
    with pytest.raises(UsageError, match="cut less"):
        coarse(seed=1, lesions=0, cut_top_mm=200, cut_bottom_mm=200)
    with pytest.raises(UsageError, match="coarser"):
        make_phantom(PhantomOptions(seed=1, lesions=0, spacing=(0.3, 0.3, 0.3)))


def test_the_truth_survives_json(phantom: Phantom) -> None:
    text = phantom.truth.model_dump_json()
    assert json.loads(text)["schema"] == "tumortrace.phantom/2"
    assert PhantomTruth.model_validate_json(text) == phantom.truth


def test_a_patient_has_every_class_that_is_no_lesion(phantom: Phantom) -> None:
    missing = {name for name, truth in phantom.truth.structures.items() if truth.whole_volume_cm3 is None}
    assert missing == set(LESION_CLASSES)
    assert all(phantom.truth.structures[name].voxels for name in (*VESSELS, "pancreatic_duct", "common_bile_duct"))
    assert set(PARTS.values()) - set(np.unique(phantom.parts)) <= {PARTS["lung_upper_lobe_right"]}


def test_wanted_volumes_and_attenuations_come_out() -> None:
    truth = coarse_with(lesions=0, volumes={"spleen": 560.0, "liver": 1300.0}, tissue_hu={"liver": 41.0}).truth
    assert truth.structures["spleen"].volume_cm3 == pytest.approx(560, rel=0.05)
    assert truth.structures["liver"].volume_cm3 == pytest.approx(1300, rel=0.05)
    assert truth.structures["liver"].hu_median == pytest.approx(41, abs=1.5)


def coarse_with(**options: Any) -> Phantom:
    return make_phantom(PhantomOptions(seed=3, spacing=(4.5, 4.5, 4.5), phase=Phase.NATIVE, **options))
