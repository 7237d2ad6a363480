"""DICOM: exact geometry, rescale once per slice, the right series, and one sentence for what is broken."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import JPEG2000Lossless, RLELossless, SegmentationStorage

from agent.errors import ScanError, SeriesChoiceError
from tests.dicom_make import write_ct_series, write_enhanced
from tests.scan_make import body_hu, refused
from tools.readers import list_series, read_scan

DATA = Path(__file__).resolve().parents[3] / "../shared/data"


def canonical(hu: np.ndarray) -> np.ndarray:
    """LPS-ordered voxels of an axial series as they lie in RAS order."""
    return hu[::-1, ::-1]


def test_geometry_and_values_are_exact(tmp_path: Path) -> None:
    hu = body_hu()
    write_ct_series(tmp_path / "s", hu)
    (tmp_path / "s" / "README.txt").write_text("not an image")
    (tmp_path / "s" / "empty").write_bytes(b"")
    scan = read_scan(tmp_path / "s")
    assert scan.hu.dtype == np.int16
    assert np.array_equal(scan.hu, canonical(hu))
    assert scan.grid.spacing == pytest.approx((1.25, 1.5, 3.0))
    # First stored voxel: LPS (-20, -30, 100) is RAS (20, 30, 100), the last one along both in-plane axes.
    assert scan.grid.world(np.array([23, 19, 0])) == pytest.approx([20, 30, 100])
    assert scan.header.slice_thickness == 4.0
    assert scan.header.modality == "CT"
    assert not scan.header.notes
    assert scan.orientation.file_slice(0) == 0


def test_file_slices_follow_instance_numbers(tmp_path: Path) -> None:
    hu = body_hu()
    write_ct_series(tmp_path, hu, step=(0, 0, -3.0))
    scan = read_scan(tmp_path)
    assert np.array_equal(scan.hu, canonical(hu)[:, :, ::-1])
    assert scan.orientation.file_slice(11) == 0


def test_rescale_differs_from_slice_to_slice(tmp_path: Path) -> None:
    hu = body_hu()

    def edit(dataset: FileDataset, k: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5, -1024 - k
        stored = (hu[:, :, k].T.astype(np.int32) + 1024 + k) * 2
        dataset.PixelData = stored.astype(np.uint16).tobytes()

    write_ct_series(tmp_path, hu, edit=edit)
    assert np.array_equal(read_scan(tmp_path).hu, canonical(hu))


def test_oblique_orientation(tmp_path: Path) -> None:
    hu = body_hu()
    turn = np.radians(20)
    row, column = (np.cos(turn), np.sin(turn), 0.0), (-np.sin(turn), np.cos(turn), 0.0)
    write_ct_series(tmp_path, hu, orientation=(*row, *column))
    scan = read_scan(tmp_path)
    lps = np.array([-20, -30, 100]) + 5 * 1.25 * np.array(row) + 7 * 1.5 * np.array(column) + [0, 0, 6.0]
    at = np.linalg.solve(scan.grid.affine, [-lps[0], -lps[1], lps[2], 1])[:3]
    assert np.allclose(at, np.rint(at), atol=1e-6)
    assert scan.hu[tuple(np.rint(at).astype(int))] == hu[5, 7, 2]


def test_gantry_tilt_stays_in_the_affine(tmp_path: Path) -> None:
    write_ct_series(tmp_path, body_hu(), step=(0.0, 3 * np.tan(np.radians(15)), 3.0))
    scan = read_scan(tmp_path)
    assert scan.header.tilt_degrees == pytest.approx(15, abs=0.05)
    assert scan.grid.voxel_volume == pytest.approx(1.5 * 1.25 * 3)


def moved(slices: dict[int, float]) -> object:
    def edit(dataset: FileDataset, k: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + slices.get(k, 0.0)]

    return edit


def test_a_missing_slice_is_refused_by_its_position(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, body_hu())
    paths[5].unlink()
    with pytest.raises(ScanError, match=r"missing between positions 112\.0 and 118\.0 mm"):
        read_scan(tmp_path)


def test_uneven_slices_are_recorded_and_jitter_is_tolerated(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "uneven", body_hu(), edit=moved({4: 0.6}))  # type: ignore[arg-type]
    scan = read_scan(tmp_path / "uneven")
    assert scan.header.uneven_slices == pytest.approx(0.6)
    assert any("volumes suffer" in note for note in scan.header.notes)
    write_ct_series(tmp_path / "jitter", body_hu(), edit=moved({4: 0.02}))  # type: ignore[arg-type]
    assert any("jitter" in note for note in read_scan(tmp_path / "jitter").header.notes)


def test_duplicates_are_dropped_and_two_images_at_one_place_are_not(tmp_path: Path) -> None:
    hu = body_hu()
    paths = write_ct_series(tmp_path, hu)
    (tmp_path / "copy").write_bytes(paths[3].read_bytes())
    scan = read_scan(tmp_path)
    assert np.array_equal(scan.hu, canonical(hu))
    assert any("1 duplicate" in note for note in scan.header.notes)

    def other(dataset: FileDataset, k: int) -> None:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID

    uid = next(iter(list_series(tmp_path)))
    write_ct_series(tmp_path / "second", hu + 7, series_uid=uid, edit=other)
    with pytest.raises(ScanError, match="same position"):
        read_scan(tmp_path)


def test_several_series_have_to_be_chosen_from(tmp_path: Path) -> None:
    def named(dataset: FileDataset, k: int) -> None:
        dataset.SeriesDescription = "thin"

    write_ct_series(tmp_path / "a", body_hu(), series_uid="1.2.3", edit=named)
    write_ct_series(tmp_path / "b", body_hu(seed=1), series_uid="1.2.4", step=(0, 0, 5.0))
    with pytest.raises(SeriesChoiceError, match="--series") as caught:
        read_scan(tmp_path)
    text = refused(caught.value)
    assert "1.2.3" in text
    assert "12 slices, 1.50 × 1.25 × 5.00 mm" in text
    assert "thin" not in text
    assert set(caught.value.series) == {"1.2.3", "1.2.4"} == set(list_series(tmp_path))
    assert "thin" in caught.value.series["1.2.3"]
    assert np.array_equal(read_scan(tmp_path, series="1.2.4").hu, canonical(body_hu(seed=1)))
    with pytest.raises(SeriesChoiceError, match=r"1\.2\.5"):
        read_scan(tmp_path, series="1.2.5")


def test_the_only_ct_among_other_objects_is_chosen(tmp_path: Path) -> None:
    def segmentation(dataset: FileDataset, k: int) -> None:
        dataset.SOPClassUID = SegmentationStorage
        dataset.Modality = "SEG"

    def scout(dataset: FileDataset, k: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_ct_series(tmp_path / "a", body_hu(), series_uid="1.2.3")
    write_ct_series(tmp_path / "b", body_hu()[:, :, :1], edit=segmentation)
    write_ct_series(tmp_path / "c", body_hu()[:, :, :1], edit=scout)
    write_ct_series(tmp_path / "d", body_hu()[:, :, :1], series_uid="1.2.3", edit=scout)
    scan = read_scan(tmp_path)
    assert scan.grid.shape[2] == 12
    assert any("2 other series" in note for note in scan.header.notes)
    assert any("no CT slice" in note for note in scan.header.notes)


def test_a_single_file_and_a_multi_frame_file(tmp_path: Path) -> None:
    hu = body_hu()
    path = write_ct_series(tmp_path / "s", hu)[6]
    scan = read_scan(path)
    assert np.array_equal(scan.hu, canonical(hu)[:, :, 6:7])
    assert scan.grid.spacing[2] == 4.0
    scan = read_scan(write_enhanced(tmp_path / "enhanced.dcm", hu))
    assert np.array_equal(scan.hu, canonical(hu))
    assert scan.grid.spacing == pytest.approx((1.25, 1.5, 2.5))
    assert scan.header.slice_thickness == 2.5


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels(tmp_path: Path, syntax: str) -> None:
    if syntax == JPEG2000Lossless:
        path = next((DATA / "abdomen-contrast-dicom" / "series").iterdir(), None) if DATA.exists() else None
        if path is None:
            pytest.skip("needs ../shared/data/abdomen-contrast-dicom")
        assert read_scan(path).grid.shape == (512, 512, 1)
        return
    write_ct_series(tmp_path, body_hu(), edit=lambda dataset, k: dataset.compress(syntax))
    assert np.array_equal(read_scan(tmp_path).hu, canonical(body_hu()))


def test_declared_padding_goes_through_the_rescale(tmp_path: Path) -> None:
    def edit(dataset: FileDataset, k: int) -> None:
        pixels = np.frombuffer(dataset.PixelData, np.uint16).astype(np.int16).reshape(20, 24)
        pixels[:, :3] = -2000
        dataset.PixelData = pixels.tobytes()
        dataset.PixelRepresentation = 1
        dataset.add_new(0x00280120, "US", 63536)  # -2000 with the wrong sign, as many writers give it

    write_ct_series(tmp_path, body_hu(), edit=edit)
    scan = read_scan(tmp_path)
    assert scan.header.padding_value == -3024
    assert scan.padding == -3024
    assert (scan.hu == -3024).sum() == 3 * 20 * 12


def test_contrast_and_phase_come_as_canonical_words_only(tmp_path: Path) -> None:
    def edit(dataset: FileDataset, k: int) -> None:
        dataset.SeriesDescription = "Abd Portal Venous Mr Smith"
        dataset.ContrastBolusAgent = "Omnipaque 350"

    write_ct_series(tmp_path, body_hu(), edit=edit)
    scan = read_scan(tmp_path)
    assert scan.header.contrast_agent is True
    assert scan.header.phase_text == "portal"
    assert not any(word in repr(scan.header) for word in ("Smith", "Secret", "Secret-Number", "Omnipaque"))


@pytest.mark.slow
@pytest.mark.realdata
def test_a_flipped_label_map_overlays_a_real_series_in_world_coordinates() -> None:
    folder = DATA / "abdomen-contrast-dicom"
    if not folder.exists():
        pytest.skip("needs ../shared/data/abdomen-contrast-dicom")
    scan = read_scan(folder / "series")
    image = nib.load(folder / "labels.nii.gz")
    aorta = np.argwhere(np.asanyarray(image.dataobj) == 52)  # type: ignore[attr-defined]
    world = nib.affines.apply_affine(image.affine, aorta)  # type: ignore[attr-defined]
    at = np.rint(nib.affines.apply_affine(np.linalg.inv(scan.grid.affine), world)).astype(int)
    assert scan.hu[tuple(at.T)].mean() == pytest.approx(177, abs=1)
    assert scan.header.contrast_agent is True
    assert scan.padding == -1024
