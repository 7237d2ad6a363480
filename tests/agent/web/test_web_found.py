"""Many scans and labels in one list: who suggests them holds no scan against all labels, and offers few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset

from agent.web.dicom_peek import Plane, plane_of
from agent.web.found import MOST_SUGGESTED, Found, Source, SourceKind, with_labels
from agent.web.peek import Peek
from tools.segment.labels_dicomseg import SEGMENTATION_CLASSES
from tools.volume import Grid

GRID = Grid(shape=(10, 11, 12), affine=np.eye(4))
SLICE = Plane("1.2", np.array([[0.0, 0, 5], [9, 10, 5]]))


def found(where: str, kind: SourceKind, grid: Grid | None = None, plane: Plane | None = None) -> Found:
    source = Source(id=where, name=where, root="root", kind=kind, bytes=1)
    return Found(source, Path("/root") / where, Peek("dicom" if kind == "dicom" else "nifti", grid, plane))


def shifted(millimetres: float) -> Grid:
    affine = np.eye(4)
    affine[0, 3] = millimetres
    return Grid(shape=GRID.shape, affine=affine)


@pytest.mark.parametrize(
    ("scan", "label_at"),
    [
        (found("ct.nii", "nifti", GRID), "label-{}.nii"),
        (found("series", "dicom", plane=SLICE), "label-{}.nii"),
        (found("series", "dicom", plane=SLICE), "other-{}/label.nii"),
    ],
    ids=["nifti", "dicom", "dicom in folders beside it"],
)
def test_few_are_suggested_of_many(scan: Found, label_at: str) -> None:
    labels = [found(label_at.format(number), "labels", GRID) for number in range(2 * MOST_SUGGESTED)]
    assert len(with_labels([scan, *labels])[0].source.labels) == MOST_SUGGESTED


@pytest.mark.parametrize(("gap", "fits"), [(0.005, True), (0.05, False), (30, False)])
def test_the_same_grid_is_told_as_everywhere(gap: float, fits: bool) -> None:
    beside = with_labels([found("ct.nii", "nifti", GRID), found("x.nii", "labels", shifted(gap))])[0].source.labels
    assert bool(beside) is fits is GRID.same_as(shifted(gap))


def test_grids_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    same_as: Callable[[Grid, Grid], bool] = Grid.same_as

    def counted(one: Grid, other: Grid) -> bool:
        compared.append(one)
        return same_as(one, other)

    monkeypatch.setattr(Grid, "same_as", counted)
    kinds: tuple[SourceKind, ...] = ("nifti", "labels")
    files = [found(f"{kind}-{number}.nii", kind, GRID) for number in range(30) for kind in kinds]
    assert all(len(one.source.labels) == 30 for one in with_labels(files) if one.source.kind == "nifti")
    assert len(compared) == 1


def test_what_is_deflated_as_a_whole_is_not_expanded(tmp_path: Path) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(min(SEGMENTATION_CLASSES))
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    made = FileDataset(str(tmp_path / "a.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.FrameOfReferenceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert plane_of(tmp_path / "a.dcm") == (False, Plane("", None))
