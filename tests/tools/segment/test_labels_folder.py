"""Folders with one mask per structure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.errors import LabelsError
from tests.label_make import AFFINE, SHAPE, blocks, save, scan_of, voxels
from tools.segment.labels import load_labels
from tools.segment.layers import Packer


def masks(folder: Path) -> dict[str, np.ndarray]:
    """Write three masks, of which two overlap, and an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    liver = (blocks() == 2).astype(np.uint8)
    tumor = np.zeros(SHAPE, np.uint8)
    tumor[8:10, 7:9, 4:6] = 1
    found = {"liver": liver, "liver_tumor": tumor, "gall_bladder": (blocks() == 1).astype(np.uint8)}
    for name, mask in found.items():
        save(folder / f"{name}.nii.gz", mask * 255 if name == "liver" else mask)
    save(folder / "spleen.nii.gz", np.zeros(SHAPE, np.uint8))
    return found


@pytest.mark.parametrize("inner", ["", "segmentations"])
def test_masks_become_a_label_set(tmp_path: Path, inner: str) -> None:
    found = masks(tmp_path / inner)
    if inner:
        save(tmp_path / "ct.nii.gz", np.full(SHAPE, -5, np.int16))
    labels = load_labels(tmp_path, scan_of())
    assert set(labels.entries) == {"liver", "liver_tumor", "gallbladder", "spleen"}
    assert np.array_equal(voxels(labels, "liver"), found["liver"] > 0)
    assert np.array_equal(voxels(labels, "liver_tumor"), found["liver_tumor"] > 0)
    assert np.array_equal(voxels(labels, "gallbladder"), found["gall_bladder"] > 0)
    assert not voxels(labels, "spleen").any()
    assert len(labels.layers) == 2, "only the overlapping mask needs a second layer"
    assert labels.raw_names[labels.entries["gallbladder"][0]] == "gall_bladder"


def test_masks_on_different_grids_meet_on_the_scan(tmp_path: Path) -> None:
    flipped = AFFINE @ np.diag([-1, 1, 1, 1])
    flipped[0, 3] = AFFINE[0, 3] + 2 * (SHAPE[0] - 1)
    save(tmp_path / "liver.nii.gz", (blocks() == 2).astype(np.uint8)[::-1], flipped)
    save(tmp_path / "spleen.nii.gz", (blocks() == 1).astype(np.uint8))
    labels = load_labels(tmp_path, scan_of())
    assert np.array_equal(voxels(labels, "liver"), blocks() == 2)
    assert np.array_equal(voxels(labels, "spleen"), blocks() == 1)


def test_an_image_among_the_masks_is_left_out(tmp_path: Path) -> None:
    masks(tmp_path)
    save(tmp_path / "ct.nii.gz", np.full(SHAPE, -100, np.int16))
    save(tmp_path / "combined_labels.nii.gz", blocks())
    labels = load_labels(tmp_path, scan_of())
    assert "ct" not in labels.entries
    assert any("'ct' is an image" in note for note in labels.notes)
    assert any("'combined_labels' holds several values" in note for note in labels.notes)


def test_a_folder_with_one_label_map_is_read_as_such(tmp_path: Path) -> None:
    save(tmp_path / "ct.nii.gz", np.full(SHAPE, -100, np.int16))
    save(tmp_path / "combined_labels.nii.gz", blocks())
    labels = load_labels(tmp_path, scan_of(), class_map="abdomenatlas")
    assert np.array_equal(voxels(labels, "kidney_left"), blocks() == 3)


def test_unusable_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty/liver.nii.gz", np.zeros(SHAPE, np.uint8))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/liver.nii.gz").write_bytes(b"")
    far = AFFINE.copy()
    far[0, 3] += 1000
    (tmp_path / "far").mkdir()
    save(tmp_path / "far/liver.nii.gz", blocks() // 2, far)
    for name, sentence in {
        "none": "neither NIfTI masks nor a DICOM SEG",
        "empty": "No mask in the folder",
        "broken": "is empty",
        "far": "do not overlap",
    }.items():
        with pytest.raises(LabelsError, match=sentence):
            load_labels(tmp_path / name, scan_of())


def test_more_masks_than_eight_bits_can_number() -> None:
    packer = Packer((300, 1, 1))
    keys = [packer.add((slice(n, n + 1), slice(0, 1), slice(0, 1)), np.ones((1, 1, 1), np.bool_)) for n in range(300)]
    assert len(packer.layers) == 1
    assert packer.layers[0].dtype == np.uint16
    assert [int(packer.layers[0][n, 0, 0]) for n in range(300)] == [value for _, value in keys]
