from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tools.overlay import axial_overlay, overview
from tools.overlay_style import MAX_LEGEND, palette
from tools.volume import LabelSet, Region, Scan, ScanHeader, to_canonical

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
SHAPE = (40, 30, 20)
SPACING = (2.0, 2.0, 5.0)
HEADER = 56


def canonical() -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    hu = np.full(SHAPE, -1000, dtype=np.int16)
    hu[4:36, 4:26, :] = 20
    hu[28:34, 8:20, 4:16] = 200
    hu[6:10, 22:25, 4:16] = 120
    return hu, np.diag([*SPACING, 1.0])


def stored(order: tuple[int, ...], flips: tuple[bool, ...]) -> Scan:
    hu, affine = canonical()
    ornt = np.array([[order[axis], -1 if flips[axis] else 1] for axis in range(3)])
    moved = nib.orientations.apply_orientation(hu, ornt)
    moved_affine = affine @ nib.orientations.inv_ornt_aff(ornt, SHAPE)
    back, grid, orientation = to_canonical(moved, moved_affine)
    return Scan(back, grid, orientation, ScanHeader("nifti"))


def box(i: tuple[int, int], j: tuple[int, int], k: tuple[int, int]) -> Region:
    slices = (slice(*i), slice(*j), slice(*k))
    return Region(slices, np.ones([part.stop - part.start for part in slices], dtype=np.bool_))


RIGHT_BACK = {"right block": box((28, 34), (8, 20), (4, 16))}


def pixels(png: bytes) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def near(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.intp]:
    """(n, 2) rows and columns of the picture (without header and legend) that have a colour."""
    return np.argwhere((np.abs(picture[HEADER:-36].astype(int) - colour) <= 2).all(axis=-1))


def test_every_order_on_disk_gives_the_same_picture() -> None:
    first = pixels(axial_overlay(stored((0, 1, 2), (False,) * 3), RIGHT_BACK, 10, title="t"))
    orders = list(itertools.permutations(range(3)))
    for order, flips in zip(orders, itertools.cycle([(True, True, False), (False, True, True)]), strict=False):
        other = pixels(axial_overlay(stored(order, flips), RIGHT_BACK, 10, title="t"))
        # The header names the slice as the file counts it, which may differ.
        assert np.array_equal(first[HEADER:], other[HEADER:])


def test_the_header_counts_slices_as_the_file_does() -> None:
    plain = pixels(axial_overlay(stored((0, 1, 2), (False,) * 3), {}, 4, title="t"))
    flipped = pixels(axial_overlay(stored((0, 1, 2), (False, False, True)), {}, 15, title="t"))
    assert stored((0, 1, 2), (False, False, True)).orientation.file_slice(15) == 4
    # Both are slice 4 of their file, but at other heights; the first part of the line is the same.
    assert np.array_equal(plain[30:HEADER, :80], flipped[30:HEADER, :80])
    assert not np.array_equal(plain[30:HEADER], flipped[30:HEADER])


def test_right_is_on_the_left_and_front_at_the_top() -> None:
    scan = stored((0, 1, 2), (False,) * 3)
    colour = palette(RIGHT_BACK)["right block"]
    png = pixels(axial_overlay(scan, RIGHT_BACK, 10, title="t"))
    width, height = 752, 564
    # World: 80 mm × 60 mm, so 9.4 pixels per mm; the block spans i 28–34 and j 8–20.
    scale = width / 80
    found = near(png, colour)
    left, top = 14, 0
    expected_x = (left + (40 - 34) * 2 * scale, left + (40 - 28) * 2 * scale)
    expected_y = (top + (30 - 20) * 2 * scale, top + (30 - 8) * 2 * scale)
    assert png.shape[0] == HEADER + height + 14 + 22 + 14
    assert found[:, 1].min() == pytest.approx(expected_x[0], abs=3)
    assert found[:, 1].max() == pytest.approx(expected_x[1], abs=3)
    assert found[:, 0].min() == pytest.approx(expected_y[0], abs=3)
    assert found[:, 0].max() == pytest.approx(expected_y[1], abs=3)
    # The brighter insert at the left front lies on the right, high up.
    inside = png[HEADER + round((30 - 23.5) * 2 * scale), left + round((40 - 8) * 2 * scale)]
    assert inside.tolist() == [178] * 3


def test_letters_follow_the_convention() -> None:
    from tools import overlay

    assert overlay.AXIAL.letters == ("R", "L", "A", "P")
    assert overlay.CORONAL.letters == ("R", "L", "S", "I")
    assert overlay.SAGITTAL.letters == ("A", "P", "S", "I")


def test_one_millimetre_is_equally_long_both_ways() -> None:
    hu = np.zeros((10, 40, 3), dtype=np.int16)
    back, grid, orientation = to_canonical(hu, np.diag([4.0, 1.0, 3.0, 1.0]))
    scan = Scan(back, grid, orientation, ScanHeader("nifti"))
    png = pixels(axial_overlay(scan, {}, 1, title="t"))
    bright = np.argwhere((png[HEADER:] == 102).all(axis=-1))
    extent = bright.max(axis=0) - bright.min(axis=0) + 1
    assert extent[0] == pytest.approx(extent[1], abs=2)


def test_only_what_reaches_the_slice_is_drawn() -> None:
    scan = stored((0, 1, 2), (False,) * 3)
    colour = palette(RIGHT_BACK)["right block"]
    assert len(near(pixels(axial_overlay(scan, RIGHT_BACK, 10, title="t")), colour))
    above = pixels(axial_overlay(scan, RIGHT_BACK, 17, title="t"))
    bare = pixels(axial_overlay(scan, {}, 17, title="t"))
    assert np.array_equal(above, bare)


def test_a_voxel_smaller_than_a_pixel_is_still_drawn() -> None:
    hu = np.zeros((2000, 1500, 1), dtype=np.int16)
    scan = Scan(*to_canonical(hu, np.diag([0.2, 0.2, 3.0, 1.0])), ScanHeader("nifti"))
    dot = {"dot": box((1000, 1001), (700, 701), (0, 1))}
    png = pixels(axial_overlay(scan, dot, 0, title="t"))
    assert len(near(png, palette(dot)["dot"]))


def test_a_crop_shows_the_structure_larger() -> None:
    scan = stored((0, 1, 2), (False,) * 3)
    colour = palette(RIGHT_BACK)["right block"]
    whole = near(pixels(axial_overlay(scan, RIGHT_BACK, 10, title="t")), colour)
    crop = near(pixels(axial_overlay(scan, RIGHT_BACK, 10, title="t", crop_mm=6)), colour)
    assert np.ptp(crop[:, 0]) > 1.3 * np.ptp(whole[:, 0])


def test_padding_and_nan_are_black() -> None:
    hu = np.full((20, 20, 2), 40.0, dtype=np.float32)
    hu[:10] = 60.0
    hu[15:, :, :] = np.nan
    scan = Scan(*to_canonical(hu, np.eye(4)), ScanHeader("nifti"), padding=60.0)
    png = pixels(axial_overlay(scan, {}, 0, title="t"))
    row = png[HEADER + 100]
    assert row[14 + 66 + 20 : 14 + 66 + 100].max() == 0
    assert row[640:700].max() == 0
    assert row[260:340].min() > 120


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 400, 2), (400, 3, 2)])
def test_odd_shapes_stay_bounded(shape: tuple[int, int, int]) -> None:
    scan = Scan(*to_canonical(np.zeros(shape, dtype=np.int16), np.diag([0.5, 0.5, 9.0, 1])), ScanHeader("nifti"))
    for png in (axial_overlay(scan, {}, 0, title="t\n\x1b" * 500), overview(scan, {}, title="")):
        height, width = pixels(png).shape[:2]
        assert width == 780
        assert height < 900


def test_many_and_long_names_stay_bounded() -> None:
    scan = stored((0, 1, 2), (False,) * 3)
    many = {f"structure number {n} " * 9: box((5 + n % 30, 7 + n % 30), (8, 20), (4, 16)) for n in range(90)}
    assert len(many) > MAX_LEGEND
    assert len(set(palette(many).values())) == 90
    assert pixels(axial_overlay(scan, many, 10, title="t")).shape[0] < 1000


def test_what_is_not_there_is_refused() -> None:
    scan = stored((0, 1, 2), (False,) * 3)
    with pytest.raises(ValueError, match="outside"):
        axial_overlay(scan, {}, 20, title="t")
    with pytest.raises(ValueError, match="outside"):
        overview(scan, {}, title="t", at=(0, 0, -1))
    with pytest.raises(ValueError, match="empty"):
        axial_overlay(scan, {}, 0, title="t", window=(40, 40))


def test_the_overview_is_the_same_for_every_order_on_disk() -> None:
    first = pixels(overview(stored((0, 1, 2), (False,) * 3), RIGHT_BACK, title="t"))
    other = pixels(overview(stored((2, 0, 1), (True, False, True)), RIGHT_BACK, title="t"))
    assert np.array_equal(first[HEADER:], other[HEADER:])


@pytest.mark.realdata
def test_a_real_abdomen_lies_as_radiologists_expect() -> None:
    folder = DATA / "abdomen-native"
    if not folder.is_dir():
        pytest.skip("the real scans are not in ../shared/data")
    labels = nib.Nifti1Image.from_filename(folder / "labels.nii.gz")
    text = labels.header.extensions[0].get_content().decode()
    names = {name: int(value) for value, name in re.findall(r'Key="(\d+)"[^>]*><!\[CDATA\[(.*?)\]', text)}
    image = nib.Nifti1Image.from_filename(folder / "ct.nii.gz")
    hu, grid, orientation = to_canonical(np.asarray(image.dataobj).astype(np.int16), image.affine)
    layer, _, _ = to_canonical(np.asarray(labels.dataobj).astype(np.uint8), labels.affine)
    wanted = ("liver", "spleen", "vertebrae_L1", "stomach")
    found = LabelSet(grid, (layer,), {name: ((0, names[name]),) for name in wanted})
    masks = {name: region for name in wanted if (region := found.region(found.entries[name])) is not None}
    png = pixels(axial_overlay(Scan(hu, grid, orientation, ScanHeader("nifti")), masks, 88, title="t"))
    place = {name: near(png, palette(masks)[name]).mean(axis=0) for name in wanted}
    assert place["liver"][1] < place["vertebrae_L1"][1] < place["spleen"][1]
    assert place["stomach"][0] < place["vertebrae_L1"][0]
