"""What the honesty suite counts in voxels, against boxes whose sizes are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evals.honesty.facts import Facts
from evals.honesty.load import load_facts
from evals.honesty.names import identifier, lesions_of, members, split_lesion
from tests.agent.loop_make import AFFINE, arrays
from tests.evals.honesty_make import NAMES, boxes
from tests.label_make import save

VOXEL = 7 * 7 * 5 / 1000


@pytest.fixture(scope="module")
def facts() -> Facts:
    values, labels = arrays()
    return Facts(values.astype(np.float32), AFFINE, ((labels, NAMES),))


def test_volumes_and_means(facts: Facts) -> None:
    liver, left = facts.get("liver"), facts.get("kidney_left")
    assert liver is not None
    assert left is not None
    assert liver.volume == pytest.approx(14 * 16 * 14 * VOXEL)  # its lesions included
    assert liver.hu_mean == pytest.approx(58, abs=0.3)  # and left out
    assert left.volume == pytest.approx(5 * 4 * 11 * VOXEL)
    assert left.slices == frozenset(range(4, 15))
    both = facts.get("kidney")
    right = facts.get("kidney_right")
    assert both is not None
    assert right is not None
    assert both.volume == pytest.approx(left.volume + right.volume)
    assert right.volume == pytest.approx(5 * 4 * 10 * VOXEL)  # with its cyst


def test_lesions(facts: Facts) -> None:
    found = facts.get("liver_lesion")
    assert found is not None
    assert [one.voxels for one in found.pieces] == [4 * 4 * 3, 2 * 2 * 2]
    # Half a pixel on either side along one axis at a time.
    assert found.pieces[0].long_axis == pytest.approx(np.hypot(4 * 7, 3 * 7))
    assert found.pieces[0].hu_mean == pytest.approx(12, abs=3)
    assert found.pieces[0].slices == {12, 13, 14}
    assert (cyst := facts.get("kidney_lesion_right")) is not None
    assert cyst.voxels == 2 * 2 * 2
    assert facts.get("pancreas_lesion") is None
    assert (empty := facts.get("spleen_lesion")) is not None
    assert not empty.voxels


def test_cut_off_at_a_face_or_beside_padding(facts: Facts) -> None:
    cut = {name for name in NAMES if (one := facts.get(name)) is not None and one.cut}
    assert cut == {"aorta", "stomach"}
    values, labels = arrays()
    values[:6] = -2000
    beside = Facts(values.astype(np.float32), AFFINE, ((labels, NAMES),))
    assert (spleen := beside.get("spleen")) is not None
    assert spleen.cut
    assert (kidney := beside.get("kidney_left")) is not None
    assert not kidney.cut


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flip", [(), (0,), (1, 2), (0, 1, 2)])
def test_any_order_of_axes_gives_the_same(facts: Facts, axes: tuple[int, ...], flip: tuple[int, ...]) -> None:
    def turned(data: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.flip(data.transpose(axes), flip)

    values, labels = arrays()
    columns = AFFINE[:, [*axes, 3]].copy()
    for axis in flip:
        columns[:, 3] += columns[:, axis] * (values.shape[axes[axis]] - 1)
        columns[:, axis] *= -1
    other = Facts(turned(values).astype(np.float32), columns, ((turned(labels), NAMES),))  # type: ignore[arg-type]
    for name in ("liver", "kidney_right", "aorta"):
        one, same = facts.get(name), other.get(name)
        assert one is not None
        assert same is not None
        assert (one.volume, one.cut) == pytest.approx((same.volume, same.cut))
        assert one.hu_mean == pytest.approx(same.hu_mean)
        assert len(one.slices) == len(same.slices)
    a, b = facts.get("liver_lesion"), other.get("liver_lesion")
    assert a is not None
    assert b is not None
    assert [one.long_axis for one in a.pieces] == pytest.approx([one.long_axis for one in b.pieces])


def test_labels_on_another_grid(tmp_path: Path, facts: Facts) -> None:
    values, labels = arrays()
    scan = save(tmp_path / "scan.nii.gz", values, AFFINE)
    flipped = AFFINE.copy()
    flipped[:, 3] += flipped[:, 1] * (values.shape[1] - 1)
    flipped[:, 1] *= -1
    map_ = save(tmp_path / "labels.nii.gz", labels[:, ::-1], flipped, {value: name for name, value in NAMES.items()})
    found = load_facts(scan, (map_,))
    for name in ("liver", "kidney_left", "stomach"):
        one, same = facts.get(name), found.get(name)
        assert one is not None
        assert same is not None
        assert one.volume == pytest.approx(same.volume)
        assert one.hu_mean == pytest.approx(same.hu_mean, abs=0.01)
        assert one.cut == same.cut


def test_reads_files_with_named_classes(tmp_path: Path) -> None:
    case = boxes(tmp_path)
    assert case.facts().declared == frozenset(NAMES)


def test_names() -> None:
    declared = frozenset({"kidney_left", "kidney_right", "kidney_cyst_left", "pancreas_pdac", "liver_hemangioma"})
    assert members("kidney", declared) == {"kidney_left", "kidney_right"}
    assert members("kidney_lesion", declared) == {"kidney_cyst_left"}
    assert members("kidney_tumor", declared) == frozenset()
    assert members("pancreas_cancer", declared) == {"pancreas_pdac"}
    assert members("liver_cancer", declared) == frozenset()
    assert members("tumor", declared) == {"pancreas_pdac", "liver_hemangioma"}
    assert members("spleen", declared) == frozenset()
    assert lesions_of("kidney_left", declared) == {"kidney_cyst_left"}
    assert lesions_of("kidney_right", declared) == frozenset()
    assert split_lesion("kidney_benign_tumor_left") == ("kidney", "benign_tumor", "left")
    assert split_lesion("vertebrae_L1") is None
    assert identifier("the left kidney") == "kidney_left"
    assert identifier("pancreatic ductal adenocarcinomas") == "pdac"
    assert identifier("left kidney cyst") == "kidney_cyst_left"
