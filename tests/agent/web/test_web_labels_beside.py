"""Labels that lie in the folder of a DICOM series, below it, or in another folder beside it."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from agent.web.dicom_peek import plane_of
from agent.web.peek import peek
from agent.web.sources import Sources
from tests.agent.web.web_make import serving
from tests.dicom_make import write_ct_series
from tests.label_make import save
from tests.scan_make import body_hu
from tests.tools.segment.test_labels_dicomseg import describe, two_masks, write_seg
from tools.readers.scan import read_scan
from tools.volume import Grid

SHAPE = (16, 14, 6)
OBLIQUE = (0.9, 0.3, np.sqrt(1 - 0.81 - 0.09), -0.3162277660168379, 0.9486832980505138, 0.0)


def labels_of(scan: Path, path: Path) -> Path:
    """A label map on a series' own grid."""
    grid = read_scan(scan).grid
    values = np.zeros(grid.shape, np.uint8)
    values[4:12, 3:11, 1:5] = 1
    return save(path, values, grid.affine, {1: "liver"})


def suggested(root: Path, series: str = "series") -> set[str]:
    """Names of what is suggested with a series."""
    listed, _ = Sources((root,), root / "none").every()
    (found,) = [one for one in listed if (one.name, one.kind) == (series, "dicom")]
    return {one.name for one in found.labels}


def test_labels_in_the_folder_of_the_series(root: Path, tmp_path: Path) -> None:
    write_ct_series(tmp_path / "series", body_hu(SHAPE))
    write_seg(tmp_path, two_masks(2), [describe(1, "Liver"), describe(2, "Liver tumor")])
    (tmp_path / "series").rename(root / "series")
    (tmp_path / "seg" / "seg.dcm").rename(root / "series" / "aaa")
    labels_of(root / "series", tmp_path / "made.nii.gz").rename(root / "series" / "zzz.nii.gz")
    (root / "series" / "notes.txt").write_text("nothing to open")
    listed, _ = Sources((root,), root / "none").every()
    assert {one.name: one.kind for one in listed} == {
        "series": "dicom", "series/aaa": "labels", "series/zzz.nii.gz": "labels",
    }  # fmt: skip
    assert suggested(root) == {"series/aaa", "series/zzz.nii.gz"}
    with serving(tmp_path / "server", root) as server:
        source = server.source("series")
        for one in source["labels"]:
            opened = server.post("/api/scans", {"source": source["id"], "labels": [one["id"]]})
            assert server.settled(opened["id"])["state"] == "ready", one
            names = {mask["id"] for mask in server.get(f"/api/scans/{opened['id']}/masks")["structures"]}
            assert "liver" in names


@pytest.mark.parametrize("count", [2, 6], ids=["few", "many"])
def test_masks_below_the_series(root: Path, count: int) -> None:
    write_ct_series(root / "series", body_hu(SHAPE))
    for number in range(count):
        (root / "series" / "segmentations").mkdir(exist_ok=True)
        labels_of(root / "series", root / "series" / "segmentations" / f"{number}.nii.gz")
    few = {f"series/segmentations/{number}.nii.gz" for number in range(count)}
    assert suggested(root) == (few if count == 2 else {"series/segmentations"})


def test_many_masks_among_the_slices_are_a_source_of_their_own(root: Path, tmp_path: Path) -> None:
    write_ct_series(root / "series", body_hu(SHAPE))
    made = labels_of(root / "series", tmp_path / "made.nii.gz").read_bytes()
    for name in ("liver", "spleen", "aorta", "pancreas"):
        (root / "series" / f"{name}.nii.gz").write_bytes(made)
    with serving(tmp_path / "server", root) as server:
        both = server.get("/api/sources")["sources"]
        assert sorted(one["kind"] for one in both) == ["dicom", "masks"]
        assert len({one["id"] for one in both}) == 2
        (source,) = [one for one in both if one["kind"] == "dicom"]
        assert [one["id"] for one in source["labels"]] == [one["id"] for one in both if one["kind"] == "masks"]
        opened = server.post("/api/scans", {"source": source["id"], "labels": [source["labels"][0]["id"]]})
        assert server.settled(opened["id"])["state"] == "ready"
        assert len(server.get(f"/api/scans/{opened['id']}/masks")["structures"]) == 4


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE], ids=["straight", "oblique"])
def test_labels_in_a_folder_beside_the_series_if_its_slices_are_theirs(
    root: Path, orientation: tuple[float, ...]
) -> None:
    along = np.cross(orientation[:3], orientation[3:]) * 3.0
    step = (float(along[0]), float(along[1]), float(along[2]))
    write_ct_series(root / "one", body_hu(SHAPE), orientation=orientation, step=step)
    write_ct_series(root / "two", body_hu(SHAPE), orientation=orientation, step=step, origin=(-20.5, -30.0, 100.0))
    (root / "segmentations").mkdir()
    for name in ("one", "two"):
        labels_of(root / name, root / "segmentations" / f"{name}.nii.gz")
    assert suggested(root, "one") == {"segmentations/one.nii.gz"}
    assert suggested(root, "two") == {"segmentations/two.nii.gz"}


def test_a_segmentation_beside_the_series_if_it_names_the_same_frame(root: Path, tmp_path: Path) -> None:
    write_ct_series(tmp_path / "series", body_hu(SHAPE))
    made = write_seg(tmp_path, two_masks(2)[..., :1], [describe(1, "Liver")])
    segmentation, plane = plane_of(made)
    assert segmentation and plane.frame

    def framed(dataset: FileDataset, k: int) -> None:
        dataset.FrameOfReferenceUID = plane.frame

    write_ct_series(root / "series", body_hu(SHAPE), edit=framed)
    write_ct_series(root / "other", body_hu(SHAPE))
    (root / "seg").mkdir()
    made.rename(root / "seg" / "seg.dcm")
    assert (suggested(root), suggested(root, "other")) == ({"seg/seg.dcm"}, set())


def turned(grid: Grid, order: tuple[int, ...], flips: tuple[int, ...]) -> Grid:
    """The same voxels in another order of axes."""
    how = np.column_stack([order, flips])
    affine = grid.affine @ nib.orientations.inv_ornt_aff(how, grid.shape)
    shape = [0, 0, 0]
    for axis, place in enumerate(order):
        shape[place] = grid.shape[axis]
    return Grid((shape[0], shape[1], shape[2]), affine)


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE], ids=["straight", "oblique"])
def test_a_slice_fits_its_grid_in_all_48_orders_and_no_other(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    along = np.cross(orientation[:3], orientation[3:]) * 3.0
    step = (float(along[0]), float(along[1]), float(along[2]))
    paths = write_ct_series(tmp_path / "series", body_hu(SHAPE), orientation=orientation, step=step)
    grid = read_scan(tmp_path / "series").grid
    _, plane = plane_of(paths[2])
    for order in permutations(range(3)):
        for flips in product((1, -1), repeat=3):
            assert plane.fits(turned(grid, order, flips)), (order, flips)

    def other(move: NDArray[np.float64] | None = None, shape: tuple[int, int, int] = grid.shape) -> Grid:
        affine = grid.affine.copy()
        if move is not None:
            affine[:3, 3] += affine[:3, :3] @ move
        return Grid(shape, affine)

    assert not plane.fits(other(np.array([0.3, 0, 0])))
    assert not plane.fits(other(np.array([0, 0, 0.4])))
    for axis in range(2):
        smaller = list(grid.shape)
        smaller[axis] += 1
        assert not plane.fits(other(shape=(smaller[0], smaller[1], smaller[2])))
    assert not plane.fits(other(np.array([0, 0, 50.0])))


@pytest.mark.parametrize(
    "name", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows"], ids=str
)  # fmt: skip
def test_a_slice_without_a_place_fits_nothing(tmp_path: Path, name: str) -> None:
    def without(dataset: FileDataset, k: int) -> None:
        delattr(dataset, name)

    path = write_ct_series(tmp_path, body_hu((8, 9, 1)), edit=without)[0]
    found = peek(path, place=True)
    assert found.what == "dicom" and found.plane is not None and found.plane.corners is None
    assert not found.plane.fits(Grid((8, 9, 1), np.eye(4)))


def test_a_broken_segmentation_is_a_file_like_others(tmp_path: Path) -> None:
    path = write_ct_series(tmp_path, body_hu((8, 9, 1)))[0]
    data = path.read_bytes()
    path.write_bytes(data[:132] + b"1.2.840.10008.5.1.4.1.1.66.4" + data[160:])
    assert peek(path).what in {"dicom", None}
    assert plane_of(path)[0] is False
