"""A phantom as DICOM: what the reader gets is what was made, and the files are what the standard asks for."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import highdicom._standard_utils as standard
import numpy as np
import pydicom
import pytest
import typer
from typer.testing import CliRunner

from agent.errors import UsageError
from evals.commands import register
from evals.phantom import Phantom, make_phantom
from evals.phantom_dicom import series_uid, study_uid, write_slices
from evals.phantom_io import write_phantom
from evals.phantom_options import LesionSpec, PhantomOptions
from evals.phantom_tissue import Phase
from tools.readers.scan import list_series, read_scan
from tools.segment.labels import load_labels

pytestmark = pytest.mark.slow

COARSE: dict[str, Any] = {
    "seed": 7, "spacing": (7.0, 6.5, 8.0), "cut_top_mm": 60, "cut_bottom_mm": 150,
    "lesions": (LesionSpec(type="liver_metastasis", diameter_mm=40),),
}  # fmt: skip


@functools.cache
def phantom(**options: Any) -> Phantom:
    return make_phantom(PhantomOptions(**COARSE, **options))


@pytest.mark.parametrize("options", [{}, {"padding": True, "tilt_degrees": -14.0}], ids=["plain", "padded and tilted"])
def test_the_series_reads_as_the_nifti_file_does(options: dict[str, Any], tmp_path: Path) -> None:
    made = phantom(**options)
    flat = read_scan(write_phantom(made, tmp_path / "nifti").scan)
    files = write_phantom(made, tmp_path / "dicom", form="dicom")
    scan = read_scan(files.scan)
    assert np.array_equal(scan.hu, made.hu)
    assert np.array_equal(scan.hu, flat.hu)
    assert np.abs(scan.grid.affine - made.affine).max() < 1e-6
    assert scan.grid.same_as(flat.grid)
    assert scan.padding == flat.padding == (-2000 if options else None)
    assert scan.header.tilt_degrees == flat.header.tilt_degrees == (14.0 if options else 0.0)
    assert [scan.orientation.file_slice(k) for k in (0, 5)] == [flat.orientation.file_slice(k) for k in (0, 5)]
    assert scan.header.modality == "CT"
    assert scan.header.notes == ()
    assert load_labels(files.labels, scan).source.count("resampled") == 0


@pytest.mark.parametrize(("phase", "agent"), [(Phase.NATIVE, None), (Phase.ARTERIAL, True), (Phase.DELAYED, True)])
def test_the_header_tells_the_phase(phase: Phase, agent: bool | None, tmp_path: Path) -> None:
    made = phantom()
    options = made.truth.options.model_copy(update={"phase": phase})
    write_slices(made.hu[:, :, :4], made.affine, options, tmp_path / "ct")
    header = read_scan(tmp_path / "ct").header
    assert header.phase_text == phase.value
    assert header.contrast_agent is agent


def test_every_pixel_lies_where_its_slice_says(tmp_path: Path) -> None:
    made = phantom(padding=True, tilt_degrees=-14.0)
    files = write_phantom(made, tmp_path, form="dicom")
    rng = np.random.default_rng(0)
    for number in (1, made.hu.shape[2] // 2, made.hu.shape[2]):
        data = pydicom.dcmread(files.scan / f"slice_{number:04d}.dcm")
        along, down = np.array(data.ImageOrientationPatient).reshape(2, 3).astype(float)
        assert along @ down == pytest.approx(0, abs=1e-9)
        assert along == pytest.approx([1, 0, 0])  # columns run to the patient's left, as films are read
        assert down[1] > 0.9  # rows run to the back
        for _ in range(40):
            row, column = rng.integers(data.Rows), rng.integers(data.Columns)
            lps = np.array(data.ImagePositionPatient, float) + along * column * data.PixelSpacing[1]
            lps += down * row * data.PixelSpacing[0]
            index = np.linalg.inv(made.affine) @ [-lps[0], -lps[1], lps[2], 1]
            i, j, k = np.rint(index[:3]).astype(int)
            assert index[:3] == pytest.approx([i, j, k], abs=1e-4)
            stored = int(data.pixel_array[row, column])
            assert stored * data.RescaleSlope + data.RescaleIntercept == made.hu[i, j, k]
    assert data.PixelPaddingValue * data.RescaleSlope + data.RescaleIntercept == -2000
    # The distance between slices is along their normal, which the table's way is not.
    assert float(data.SpacingBetweenSlices) == pytest.approx(8.0 * np.cos(np.radians(14)))
    assert float(data.GantryDetectorTilt) == pytest.approx(-14)


def test_equal_options_give_equal_files_and_one_patient_one_frame(tmp_path: Path) -> None:
    made = phantom()
    first, second = (write_phantom(made, tmp_path / name, form="dicom", segmentation=True) for name in "ab")
    names = sorted(path.name for path in first.scan.iterdir())
    assert names == sorted(path.name for path in second.scan.iterdir())
    assert len(names) == made.hu.shape[2]
    assert all((first.scan / name).read_bytes() == (second.scan / name).read_bytes() for name in names)
    assert first.segmentation is not None
    assert second.segmentation is not None
    assert first.segmentation.read_bytes() == second.segmentation.read_bytes()
    options = made.truth.options
    later, other = options.model_copy(update={"phase": Phase.DELAYED}), options.model_copy(update={"seed": 8})
    assert study_uid(options) == study_uid(later) != study_uid(other)
    assert len({series_uid(one) for one in (options, later, other)}) == 3
    assert all(uid.is_valid for uid in (study_uid(options), series_uid(options)))
    assert list(list_series(first.scan)) == [series_uid(options)]


def test_what_the_standard_requires_is_there_and_nobody_is_named(tmp_path: Path) -> None:
    files = write_phantom(phantom(), tmp_path, form="dicom")
    found = {path.name: pydicom.dcmread(path) for path in files.scan.iterdir()}
    assert len({data.SOPInstanceUID for data in found.values()}) == len(found)
    data = found["slice_0001.dcm"]
    attributes = standard.get_module_attribute_map()
    modules = standard.get_iod_module_map()[standard.get_sop_class_iod_map()[data.SOPClassUID]]
    for module in (one["key"] for one in modules if one["usage"] == "M"):
        for row in attributes[module]:
            if row["path"] or row["type"] not in {"1", "2"}:
                continue
            assert row["keyword"] in data, (module, row["keyword"])
            assert row["type"] == "2" or data[row["keyword"]].value not in (None, ""), row["keyword"]
    assert str(data.PatientName) == "PHANTOM^SEED7"
    assert data.PatientID == "PHANTOM-7"
    assert data.PatientBirthDate == data.ReferringPhysicianName == ""
    assert data.RescaleType == "HU"


def test_the_segmentation_holds_the_same_labels(tmp_path: Path) -> None:
    made = phantom()
    files = write_phantom(made, tmp_path, form="dicom", segmentation=True)
    assert files.segmentation is not None
    scan = read_scan(files.scan)
    labels = load_labels(files.segmentation, scan)
    assert set(labels.entries) == set(load_labels(files.labels, scan).entries)
    for name, value in made.names.items():
        truth = np.argwhere(made.labels == value)
        mask = labels.region(labels.entries[name])
        if mask is None:
            assert len(truth) == 0
            continue
        found = np.argwhere(mask.mask) + [part.start for part in mask.box]
        assert np.array_equal(found, truth), name


def test_the_segmentation_of_a_tilted_series_lies_on_its_slices(tmp_path: Path) -> None:
    made = phantom(padding=True, tilt_degrees=-14.0)
    files = write_phantom(made, tmp_path, form="dicom", segmentation=True)
    assert files.segmentation is not None
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(files.scan.iterdir())]
    places = {tuple(map(float, one.ImagePositionPatient)): k for k, one in enumerate(slices)}
    segmentation = pydicom.dcmread(files.segmentation)
    (plane,) = segmentation.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    assert np.allclose(
        np.array(plane.ImageOrientationPatient, float), np.array(slices[0].ImageOrientationPatient, float)
    )
    names = {one.SegmentNumber: one.SegmentLabel for one in segmentation.SegmentSequence}
    pixels = segmentation.pixel_array
    counted = dict.fromkeys(names.values(), 0)
    for frame, group in zip(pixels, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        name = names[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        k = places[tuple(map(float, group.PlanePositionSequence[0].ImagePositionPatient))]
        assert np.array_equal(frame.T[::-1, ::-1], made.labels[:, :, k] == made.names[name]), name
        counted[name] += int(frame.sum())
    assert counted == {name: int((made.labels == value).sum()) for name, value in made.names.items()}


def test_forms_replace_each_other_and_foreign_files_are_kept(tmp_path: Path) -> None:
    made = phantom()
    write_phantom(made, tmp_path, form="dicom", segmentation=True)
    write_phantom(made, tmp_path, form="dicom")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "labels.nii.gz", "parts.nii.gz", "truth.json"]
    write_phantom(made, tmp_path)
    assert not (tmp_path / "ct").exists()
    write_phantom(made, tmp_path, form="dicom")
    assert not (tmp_path / "ct.nii.gz").exists()
    (tmp_path / "ct" / "notes.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(UsageError, match="other things than slices"):
            write_phantom(made, tmp_path, force, form="dicom")
    assert (tmp_path / "ct" / "notes.txt").read_text() == "mine"
    (tmp_path / "other" / "ct").mkdir(parents=True)
    with pytest.raises(UsageError, match="already holds ct"):
        write_phantom(made, tmp_path / "other", form="dicom")
    with pytest.raises(UsageError, match="--format dicom"):
        write_phantom(made, tmp_path / "new", segmentation=True)


def test_a_failed_write_leaves_the_old_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = phantom()
    files = write_phantom(made, tmp_path, form="dicom")
    before = sorted(path.name for path in files.scan.iterdir())

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pydicom.dataset.FileDataset.save_as", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_phantom(made, tmp_path, form="dicom")
    assert sorted(path.name for path in files.scan.iterdir()) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_command_writes_dicom(tmp_path: Path) -> None:
    app = typer.Typer()
    register(app)
    arguments = ["phantom", "make", "--seed", "3", "--out", str(tmp_path / "p"), "--spacing", "9", "9", "9",
                 "--lesions", "0", "--format", "dicom", "--tilt", "10"]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.split()[0] == str(tmp_path / "p" / "ct")
    assert read_scan(tmp_path / "p" / "ct").header.tilt_degrees == 10
    assert isinstance(CliRunner().invoke(app, [*arguments[:-4], "--seg"]).exception, UsageError)
    refused = CliRunner().invoke(app, [*arguments[:-1], "31"]).exception
    assert isinstance(refused, UsageError)
    assert str(refused).startswith("--tilt:")
