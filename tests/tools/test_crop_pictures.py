from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agent.errors import ToolError, UsageError
from tests.case_make import Ellipsoid, affine_of, orders, paint, reorder
from tools.crop_pictures import crop_pictures, largest_sections
from tools.overlay_style import palette
from tools.volume import FloatArray, Region, Scan, ScanHeader, to_canonical

SIZE = (34, 30, 22)
HEADER = 56
SHAPES = (Ellipsoid("body", (0, 0, 0), (30, 28, 26), hu=40), Ellipsoid("lesion", (6, -3, 2), (7, 9, 5), hu=120))


def drawn(
    hu: NDArray[np.int16], labels: NDArray[np.uint8], affine: FloatArray, window: str = "soft_tissue"
) -> NDArray[np.uint8]:
    array, grid, orientation = to_canonical(hu, affine)
    marks = to_canonical(labels, affine)[0]
    box = (slice(0, array.shape[0]), slice(0, array.shape[1]), slice(0, array.shape[2]))
    scan = Scan(array, grid, orientation, ScanHeader("nifti"))
    png = crop_pictures(
        scan, Region(box, marks == 2), context=Region(box, marks == 1), context_name="body", window=window
    )
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


@pytest.mark.slow
def test_every_order_on_disk_gives_the_same_picture() -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE, turn=(5, -8, 12))
    hu, labels, _ = paint(SHAPES, SIZE, affine)
    first = drawn(hu, labels, affine)
    for order in list(orders())[::5]:
        moved, new = reorder(hu, affine, order)
        other = drawn(moved, reorder(labels, affine, order)[0], new)
        # The header names the slice as the file counts it, which may differ; rounding may move a grey by a step.
        assert np.abs(first[HEADER:].astype(int) - other[HEADER:]).max() <= 2


def test_the_lesion_and_its_organ_are_outlined_and_named() -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE)
    hu, labels, _ = paint(SHAPES, SIZE, affine)
    picture = drawn(hu, labels, affine)
    assert picture.shape[1] == 780
    for colour in palette(["lesion", "body"]).values():
        assert (np.abs(picture.astype(int) - colour) <= 2).all(axis=-1).sum() > 50


def test_the_window_decides_the_greys() -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE)
    hu, labels, _ = paint(SHAPES, SIZE, affine)
    assert drawn(hu, labels, affine, window="lung")[HEADER:-60].mean() > drawn(hu, labels, affine)[HEADER:-60].mean()
    with pytest.raises(UsageError, match="There is no window"):
        drawn(hu, labels, affine, window="nothing")


def test_the_planes_go_through_the_largest_sections() -> None:
    mask = np.zeros((9, 9, 9), np.bool_)
    mask[1:8, 4, 4] = True
    mask[4, 2:5, 4] = True
    mask[6, 4, 3:8] = True
    assert largest_sections(mask) == (6, 4, 4)


def test_an_empty_mask_has_no_picture() -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE)
    hu, labels, _ = paint(SHAPES, SIZE, affine)
    with pytest.raises(ToolError, match="the mask is empty"):
        drawn(hu, labels * np.uint8(0), affine)
