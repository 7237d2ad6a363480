"""Label maps in NIfTI files: names, values, and everything that is wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from agent.errors import LabelsError, UsageError
from tests.label_make import AFFINE, SHAPE, blocks, extend, save, scan_of, voxels
from tools.segment.labels import load_labels


def test_names_come_from_the_header(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", blocks(), names={1: "liver", 2: "spleen", 3: "Left Kidney", 4: "aorta"})
    labels = load_labels(path, scan_of())
    assert set(labels.entries) == {"liver", "spleen", "kidney_left", "aorta"}
    assert np.array_equal(voxels(labels, "spleen"), blocks() == 2)
    assert not voxels(labels, "aorta").any()
    assert labels.raw_names[(0, 3)] == "Left Kidney"
    assert labels.layers[0].dtype == np.uint8
    assert labels.notes == ()


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x><LabelTable><Label Key="1">&a;</Label></LabelTable></x>',
        b'<x><LabelTable><Label Key="one">liver</Label></LabelTable></x>',
        b'<x><LabelTable><Label Key="1">liver</Label>',
        b'<x><LabelTable><Label Key="1000000000000000000000000000000">liver</Label></LabelTable></x>',
    ],
    ids=["entities", "no number", "cut off", "a value that no voxel can have"],
)
def test_unsafe_or_broken_header_names_are_left_out(tmp_path: Path, content: bytes) -> None:
    image = nib.Nifti1Image(blocks(), AFFINE)
    extend(image, content)
    nib.save(image, tmp_path / "l.nii")
    labels = load_labels(tmp_path / "l.nii", scan_of())
    assert set(labels.entries) == {"label_1", "label_2", "label_3"}
    assert any("cannot be read" in note for note in labels.notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [{1: "liver " * 100_000}, {value: f"organ {value}" for value in range(1, 10_002)}],
    ids=["endless name", "endless list"],
)
def test_names_beyond_all_measure_are_refused(tmp_path: Path, names: dict[int, str]) -> None:
    with pytest.raises(LabelsError, match="names of"):
        load_labels(save(tmp_path / "l.nii.gz", blocks(), names=names), scan_of())


def test_a_map_without_names_says_how_to_name_it(tmp_path: Path) -> None:
    labels = load_labels(save(tmp_path / "l.nii.gz", blocks()), scan_of())
    assert set(labels.entries) == {"label_1", "label_2", "label_3"}
    assert any("--class-map" in note for note in labels.notes)


def test_a_class_map_wins_over_the_header(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", blocks(), names={1: "spleen", 2: "spleen"})
    labels = load_labels(path, scan_of(), class_map="msd-liver")
    assert np.array_equal(voxels(labels, "liver"), blocks() == 1)
    assert np.array_equal(voxels(labels, "liver_tumor"), blocks() == 2)
    assert np.array_equal(voxels(labels, "label_3"), blocks() == 3)
    assert "value 3 has no name" in labels.notes
    assert any("replaces the names" in note for note in labels.notes)


def test_equal_names_are_merged_and_unknown_ones_kept(tmp_path: Path) -> None:
    names = {0: "background", 1: "gall_bladder", 2: "Gallbladder", 3: "Mystery Organ", 9: "unlabelled"}
    labels = load_labels(save(tmp_path / "l.nii.gz", blocks(), names=names), scan_of())
    assert labels.entries == {"gallbladder": ((0, 1), (0, 2)), "mystery_organ": ((0, 3),)}
    assert any("merged" in note for note in labels.notes)
    assert any("'Mystery Organ'" in note or "Mystery Organ" in note for note in labels.notes)


def test_lesions_of_a_single_organ_map_lie_in_that_organ(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", blocks(), names={1: "kidney", 2: "tumor", 3: "cyst"})
    labels = load_labels(path, scan_of())
    assert set(labels.entries) == {"kidney", "kidney_tumor", "kidney_cyst"}
    assert any("the only organ of this label map" in note for note in labels.notes)


def test_a_lesion_among_several_organs_stays_where_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", blocks(), names={1: "kidney", 2: "GTV-1", 3: "liver"})
    assert set(load_labels(path, scan_of()).entries) == {"kidney", "tumor", "liver"}


def test_whole_numbers_in_floating_point_are_labels(tmp_path: Path) -> None:
    labels = load_labels(save(tmp_path / "l.nii.gz", blocks().astype(np.float64)), scan_of(), class_map="lits")
    assert np.array_equal(voxels(labels, "liver"), blocks() == 1)
    assert labels.layers[0].dtype == np.uint8


def test_a_fourth_dimension_of_one_is_accepted(tmp_path: Path) -> None:
    labels = load_labels(save(tmp_path / "l.nii.gz", blocks()[..., None]), scan_of(), class_map="lits")
    assert np.array_equal(voxels(labels, "liver"), blocks() == 1)


def test_large_values_are_renumbered(tmp_path: Path) -> None:
    large = blocks().astype(np.uint32) * 70_000
    table = tmp_path / "names.json"
    table.write_text('{"70000": "liver", "140000": "spleen", "500000": "aorta"}')
    labels = load_labels(save(tmp_path / "l.nii.gz", large), scan_of(), class_map=str(table))
    assert np.array_equal(voxels(labels, "spleen"), blocks() == 2)
    assert np.array_equal(voxels(labels, "label_210000"), blocks() == 3)
    assert not voxels(labels, "aorta").any()
    assert labels.layers[0].dtype == np.uint8


def bad_values(kind: str) -> np.ndarray:
    array = blocks().astype(np.float32)
    if kind == "fractions":
        return array * 0.3
    if kind == "negative":
        return array - 1
    if kind == "nan":
        array[0, 0, 0] = np.nan
    if kind == "empty":
        return np.zeros(SHAPE, np.uint8)
    if kind == "4d":
        return np.stack([array, array], axis=-1)
    if kind == "image":
        return np.arange(14 * 12 * 10, dtype=np.int16).reshape(SHAPE)
    return array


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("fractions", "fractional values, as a probability map"),
        ("negative", "negative values"),
        ("nan", "NaN"),
        ("empty", "is empty"),
        ("4d", "4 dimensions"),
        ("image", "as an image does"),
    ],
)
def test_what_is_not_a_label_map_is_refused(tmp_path: Path, kind: str, sentence: str) -> None:
    with pytest.raises(LabelsError, match=sentence) as caught:
        load_labels(save(tmp_path / "l.nii.gz", bad_values(kind)), scan_of())
    assert "\n" not in str(caught.value)


def test_an_empty_map_that_names_its_classes_says_what_was_looked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "l.nii.gz", np.zeros(SHAPE, np.uint8), names={1: "liver_lesion", 2: "liver"})
    labels = load_labels(path, scan_of())
    assert set(labels.entries) == {"liver_lesion", "liver"}
    assert labels.boxes == {}


def test_broken_files_are_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "l.nii.gz", blocks()).read_bytes()
    plain = gzip.decompress(whole)
    claim = bytearray(plain)
    claim[42:48] = np.array([10000, 10000, 10000], "<i2").tobytes()
    cases = {
        "cut.nii.gz": whole[: len(whole) // 2],
        "text.nii.gz": b"this is not a label map, honestly" * 20,
        "zipped_text.nii.gz": gzip.compress(b"neither is this one " * 50),
        "claim.nii": bytes(claim),
        "claim.nii.gz": gzip.compress(bytes(claim)),
        "short.nii": plain[:-7],
        "nothing.nii.gz": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LabelsError):
            load_labels(tmp_path / name, scan_of())
    with pytest.raises(LabelsError, match="no labels at"):
        load_labels(tmp_path / "missing.nii.gz", scan_of())


def test_an_unknown_class_map_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"abdomenatlas1\.1.*total.*path"):
        load_labels(save(tmp_path / "l.nii.gz", blocks()), scan_of(), class_map="totl")


def test_default_names_of_viewers_are_not_liver_segments(tmp_path: Path) -> None:
    names = {1: "Segment_1", 2: "Label 2", 3: "liver segment 3"}
    labels = load_labels(save(tmp_path / "l.nii.gz", blocks(), names=names), scan_of())
    assert set(labels.entries) == {"segment_1", "label_2", "liver_segment_3"}
