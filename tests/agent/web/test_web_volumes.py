"""Voxels, masks and places for a viewer: on one grid, in the world of the file, however its axes lie."""

from __future__ import annotations

import gzip
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.web.volumes import Volumes, voxel_at
from tests.agent.loop_make import AFFINE, VALUES, arrays
from tests.agent.web.web_make import NAMES, Json, Server, refusal, serving
from tests.case_make import case_of
from tests.label_make import save, scan_of
from tools.base import Case

SHEAR = np.array([[0.96, 0.2, -0.1, 5.0], [-0.2, 0.97, 0.15, -7.0], [0.1, -0.14, 0.98, 11.0], [0, 0, 0, 1]])
ORDERS = [(0, 1, 2), (2, 0, 1), (2, 1, 0)]
FLIPS = [(1, 1, 1), (-1, 1, -1)]
Array = NDArray[Any]


def volume(server: Server, path: str, **query: str | int) -> tuple[Array, Array]:
    """Array and affine of a volume of the server."""
    answer = server.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/gzip"
    image = nib.Nifti1Image.from_bytes(gzip.decompress(answer.content))
    assert image.affine is not None
    return np.asanyarray(image.dataobj), image.affine


def test_the_whole_volume(served: Server, scan: Json) -> None:
    seen, affine = volume(served, f"/api/scans/{scan['id']}/volume", level=scan["preview"])
    assert np.array_equal(seen, arrays()[0])
    assert np.allclose(affine, AFFINE)


def test_a_box_is_the_same_voxels(served: Server, scan: Json) -> None:
    whole, affine = volume(served, f"/api/scans/{scan['id']}/volume")
    part, moved = volume(served, f"/api/scans/{scan['id']}/volume", box="3,10,-5,7,20,99")
    assert np.array_equal(part, whole[3:10, 0:7, 20:26])
    assert np.allclose(moved[:3, 3], (affine @ [3, 0, 20, 1])[:3])
    masks, grid = volume(served, f"/api/scans/{scan['id']}/masks/0", box="3,10,-5,7,20,99")
    assert np.allclose(grid, moved)
    assert masks.shape == part.shape


@pytest.mark.parametrize(
    "box", ["", "1,2,3", "1,2,3,4,5,six", "5,5,0,9,0,9", "9,1,0,9,0,9", "44,50,0,9,0,9", "-5,0,0,9,0,9",
            "0,9,0,9,0,9,0,9", "1e9,2,3,4,5,6", "9" * 40, "0,1,0,1,0,999999999999999",
            "０,1,0,1,0,1" * 20, "nan,1,0,1,0,1"],
)  # fmt: skip
def test_boxes_that_are_none(served: Server, scan: Json, box: str) -> None:
    for path in ("volume", "masks/0"):
        refusal(served.client.get(f"/api/scans/{scan['id']}/{path}", params={"box": box}), 422, "bad_input")


@pytest.mark.parametrize(("level", "status"), [("1", 404), ("-1", 422), ("99", 422), ("x", 422), ("9" * 30, 422)])
def test_levels_that_are_none(served: Server, scan: Json, level: str, status: int) -> None:
    refusal(served.client.get(f"/api/scans/{scan['id']}/volume", params={"level": level}), status)


@pytest.mark.slow
def test_more_than_is_sent_at_once(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    large = np.full((400, 300, 150), -1000, np.int16)
    large[50:300, 50:250] = 40
    save(root / "ct.nii", large, np.diag([1.0, 1, 1, 1]))
    with serving(tmp_path / "server", root) as server:
        scan = server.open("ct.nii", labelled=False)
        assert scan["preview"] == 1
        refusal(server.client.get(f"/api/scans/{scan['id']}/volume"), 422, "bad_input")
        half, affine = volume(server, f"/api/scans/{scan['id']}/volume", level=1)
        assert half.shape == tuple(scan["levels"][1]["shape"]) == (200, 150, 75)
        assert np.allclose(np.diag(affine)[:3], 2)
        again, _ = volume(server, f"/api/scans/{scan['id']}/volume", level=1)
        assert np.array_equal(half, again)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("shear", [np.eye(4), SHEAR], ids=["straight", "oblique"])
def test_masks_lie_on_the_scan_however_both_were_stored(
    tmp_path: Path, order: tuple[int, ...], flips: tuple[int, ...], shear: Array
) -> None:
    values, labels = arrays()
    affine = shear @ AFFINE
    root = tmp_path / "scans"
    root.mkdir()
    turn = np.column_stack([order, flips])
    other = np.column_stack([order[::-1], flips[::-1]])
    _save_turned(root / "ct.nii.gz", values, affine, turn)
    _save_turned(root / "labels.nii.gz", labels, affine, other)
    with serving(tmp_path / "server", root) as server:
        scan = server.open()
        assert scan["state"] == "ready", scan
        shown, grid = volume(server, f"/api/scans/{scan['id']}/volume")
        masks = server.get(f"/api/scans/{scan['id']}/masks")
        layer, same = volume(server, f"/api/scans/{scan['id']}/masks/0")
        assert np.allclose(grid, same, atol=1e-3)
        assert layer.shape == shown.shape
        for structure in masks["structures"]:
            (key,) = structure["keys"]
            here = np.argwhere(layer == key[1])
            there = np.argwhere(labels == VALUES[structure["id"]])
            assert len(here) == len(there) == structure["voxels"]
            assert np.allclose(_middle(here, grid), _middle(there, affine), atol=0.02)
            assert np.allclose(sorted(shown[tuple(here.T)]), sorted(values[tuple(there.T)]))
            x, y, z = structure["centre_mm"]
            voxel = server.get(f"/api/scans/{scan['id']}/voxel", params={"x": x, "y": y, "z": z})
            assert structure["id"] in voxel["structures"]
            assert voxel["hu"] == shown[tuple(voxel["ijk"])]


def _save_turned(path: Path, array: Array, affine: Array, turn: Array) -> None:
    moved = nib.orientations.apply_orientation(array, turn)
    names = NAMES if array.dtype == np.uint8 else None
    save(path, moved, affine @ nib.orientations.inv_ornt_aff(turn, array.shape), names)


def _middle(voxels: Array, affine: Array) -> Array:
    centre: Array = affine[:3, :3] @ voxels.mean(axis=0) + affine[:3, 3]
    return centre


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((1, -1), repeat=3)))
def test_points_in_all_48_orders(order: tuple[int, ...], flips: tuple[int, ...]) -> None:
    """A point of the world has its value, whatever the order of the axes, and those outside have none."""
    values = np.arange(14 * 12 * 10, dtype=np.int16).reshape(14, 12, 10)
    turn = np.column_stack([order, flips])
    affine = SHEAR @ np.diag([2.0, 1.5, 3.0, 1.0])
    moved = nib.orientations.apply_orientation(values, turn)
    case = Case(scan=scan_of(moved, affine @ nib.orientations.inv_ornt_aff(turn, values.shape)))
    for ijk in ((0, 0, 0), (13, 11, 9), (5, 7, 2)):
        x, y, z = (affine @ [*ijk, 1])[:3]
        assert voxel_at(case, (float(x), float(y), float(z))).hu == values[ijk]
    for ijk in ((-1, 0, 0), (14, 0, 0), (0, 12, 0), (0, 0, 10)):
        x, y, z = (affine @ [*ijk, 1])[:3]
        assert voxel_at(case, (float(x), float(y), float(z))).model_dump(exclude_defaults=True) == {"inside": False}


@pytest.mark.parametrize("point", [{"x": "nan"}, {"x": "inf"}, {"x": "1e9"}, {"x": "a"}, {"x": ""}])
def test_points_that_are_none(served: Server, scan: Json, point: Json) -> None:
    query = {"x": 0, "y": 0, "z": 0, **point}
    refusal(served.client.get(f"/api/scans/{scan['id']}/voxel", params=query), 422, "bad_input")


def test_masks_and_lesions(served: Server, scan: Json) -> None:
    masks = served.get(f"/api/scans/{scan['id']}/masks")
    names = {one["id"] for one in masks["structures"]}
    # Those that are empty or that no label names are not shown.
    assert names == set(VALUES) - {"gallbladder", "spleen_lesion"}
    assert {one["by"] for one in masks["structures"]} == {"labels"}
    assert len({one["colour"] for one in masks["structures"]}) == len(names)
    lesions = [one for one in masks["lesions"] if one["structure"] == "liver_lesion"]
    assert [one["id"] for one in lesions] == ["liver_lesion#1", "liver_lesion#2"]
    assert lesions[0]["volume_cm3"] == pytest.approx(48 * 7 * 7 * 5 / 1000)
    assert lesions[0]["long_axis_mm"] >= lesions[0]["short_axis_mm"] > 0
    for path in ("masks/1", "masks/-1", "masks/99"):
        refusal(served.client.get(f"/api/scans/{scan['id']}/{path}"), 404, "not_found")


def test_a_scan_without_masks(served: Server) -> None:
    scan = served.open(labelled=False)
    assert served.get(f"/api/scans/{scan['id']}/masks")["structures"] == []
    refusal(served.client.get(f"/api/scans/{scan['id']}/masks/0"), 404, "not_found")


def test_masks_of_a_run_are_on_the_same_grid(served: Server, scan: Json, run: Json) -> None:
    assert served.get(f"/api/runs/{run['id']}/masks") == served.get(f"/api/scans/{scan['id']}/masks")
    mine, grid = volume(served, f"/api/runs/{run['id']}/masks/0")
    theirs, same = volume(served, f"/api/scans/{scan['id']}/masks/0")
    assert np.array_equal(mine, theirs)
    assert np.array_equal(grid, same)


def test_evidence_has_its_place(served: Server, scan: Json, run: Json) -> None:
    placed = 0
    layer, grid = volume(served, f"/api/scans/{scan['id']}/masks/0")
    for ident, evidence in run["report"]["evidence"].items():
        told = served.get(f"/api/runs/{run['id']}/evidence/{ident}")
        assert (told["id"], told["evidence"]) == (ident, evidence)
        assert told["text"]
        place = told["place"]
        if place is None:
            continue
        placed += 1
        ends = [one[side] for one in place["lines"] for side in ("from", "to")]
        for mm in ([place["mm"]] if place["mm"] else []) + ends:
            i, j, k = np.linalg.solve(grid[:3, :3], np.array(mm) - grid[:3, 3])
            assert all(-0.51 <= one <= count - 0.49 for one, count in zip((i, j, k), layer.shape, strict=True))
        if place["box_mm"] is not None:
            low, high = place["box_mm"]
            assert all(a <= b for a, b in zip(low, high, strict=True))
    assert placed
    axis = [one for one in run["report"]["evidence"] if served.get(f"/api/runs/{run['id']}/evidence/{one}")["place"]]
    assert axis


@pytest.mark.slow
def test_evidence_without_its_scan(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder) as server:
        run = server.ask(server.open()["id"], "What is the volume of the spleen?")
    with serving(tmp_path, case_folder) as server:
        for ident in run["report"]["evidence"]:
            told = server.get(f"/api/runs/{run['id']}/evidence/{ident}")
            assert told["text"]
            assert told["place"] is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_what_is_small_is_not_lost_at_a_coarse_level(tmp_path: Path, order: tuple[int, int, int]) -> None:
    shape = tuple((200, 160, 140)[axis] for axis in order)
    labels = np.zeros(shape, np.uint8)
    labels[20:90, 20:90, 20:90] = 1
    for value, at in ((2, (41, 41, 41)), (3, (77, 30, 60)), (4, (121, 101, 101))):
        labels[at] = value
    # Of a large structure, what is thinner than a quarter of a coarse voxel is not drawn.
    labels[20, 91, 91] = 1
    values = {"liver": 1, "liver_lesion": 2, "liver_cyst": 3, "adrenal_gland_left": 4}
    affine = np.diag([0.8, 0.8, 0.8, 1.0])
    case = case_of(np.zeros(shape, np.int16), labels, affine, values)
    made = Volumes(tmp_path).labels(case, 0, 1, None)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(made))
    shown = np.asanyarray(image.dataobj)
    assert max(shown.shape) == 100
    assert image.affine is not None
    for value in (2, 3, 4):
        assert [int(n) for n in np.argwhere(shown == value).ravel()] == [
            int(n) // 2 for n in np.argwhere(labels == value).ravel()
        ]
    assert not shown[10, 45, 45]
