"""A tilted gantry: the grid shears, the patient stays, and what is measured is what is there."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from evals.phantom import Phantom, make_phantom
from evals.phantom_io import write_phantom
from evals.phantom_options import LesionSpec, PhantomOptions
from evals.phantom_shapes import Lattice
from evals.phantom_tilt import depth_inside, field_of_view
from tools.base import Case
from tools.readers.scan import read_scan
from tools.registry import load_tools
from tools.segment.labels import load_labels

OPTIONS: dict[str, Any] = {
    "seed": 11, "spacing": (4.0, 4.0, 5.0), "noise": 0.0,
    "lesions": (LesionSpec(type="liver_metastasis", diameter_mm=45),),
}  # fmt: skip
TILT = 18.0
ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "urinary_bladder")


@functools.cache
def phantom(**options: Any) -> Phantom:
    return make_phantom(PhantomOptions(**OPTIONS, **options))


@given(tilt=st.floats(-30, 30), spacing=st.tuples(*[st.floats(0.5, 9)] * 3))
def test_the_grid_covers_the_box_at_the_angle_asked_for(tilt: float, spacing: tuple[float, float, float]) -> None:
    low, high = (-150.0, -120.0, -200.0), (140.0, 110.0, 180.0)
    view = field_of_view(low, high, spacing, tilt_degrees=tilt)
    across, down, along = view.affine[:3, :3].T
    assert [float(np.linalg.norm(one)) for one in (across, down, along)] == pytest.approx(spacing)
    assert along == pytest.approx([0, 0, spacing[2]])  # the table moves along the body
    normal = np.cross(across, down)
    angle = math.degrees(math.acos(min(1.0, normal @ along / np.linalg.norm(normal) / spacing[2])))
    assert angle == pytest.approx(abs(tilt), abs=1e-4)
    assert abs(tilt) < 1e-6 or np.sign(down[2]) == np.sign(tilt)
    assert np.linalg.det(view.affine[:3, :3]) == pytest.approx(math.prod(spacing) * math.cos(math.radians(tilt)))
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
    # A count of voxels is rounded: at most half a voxel is missing at the far ends, along the row also by its slope.
    slack = max(spacing) * (1 + abs(math.tan(math.radians(tilt))))
    assert min(depth_inside(view.affine, view.shape, corner) for corner in corners) > -slack
    # The slices lean about their middle row: there the table's way begins where the untilted one would.
    middle = view.affine @ [0, (view.shape[1] - 1) / 2, 0, 1]
    assert middle[2] == pytest.approx(view.origin[2])
    assert middle[1] == pytest.approx(view.pivot)


def test_depth_is_the_distance_to_the_nearest_face() -> None:
    view = field_of_view((0.0, 0.0, 0.0), (60.0, 50.0, 40.0), (3.0, 2.0, 4.0), tilt_degrees=25)
    rng = np.random.default_rng(0)
    # Points spread densely over the six faces, half a voxel beyond the centres of the outermost voxels.
    at = rng.uniform(-0.5, np.array(view.shape) - 0.5, (200_000, 3))
    axis, end = rng.integers(0, 3, len(at)), rng.integers(0, 2, len(at))
    at[np.arange(len(at)), axis] = np.where(end, np.array(view.shape)[axis] - 0.5, -0.5)
    faces = at @ view.affine[:3, :3].T + view.affine[:3, 3]
    for index in rng.uniform(0, np.array(view.shape) - 1, (20, 3)):
        point = view.affine[:3, :3] @ index + view.affine[:3, 3]
        assert depth_inside(view.affine, view.shape, point) == pytest.approx(
            np.linalg.norm(faces - point, axis=1).min(), abs=0.4
        )
    assert depth_inside(view.affine, view.shape, view.affine[:3, 3] - [0, 0, 10.0]) < 0


@settings(max_examples=60)
@given(slope=st.floats(-0.6, 0.6), low=st.tuples(*[st.floats(-30, 60)] * 3), size=st.tuples(*[st.floats(0, 40)] * 3))
def test_a_lattice_s_box_holds_every_point_between_two_corners(
    slope: float, low: tuple[float, float, float], size: tuple[float, float, float]
) -> None:
    lattice = Lattice((0.0, 0.0, 0.0), (2.0, 3.0, 2.5), (20, 15, 18), slope=slope, pivot=20.0)
    high = np.array(low) + size
    points = np.stack(np.broadcast_arrays(*lattice.open()), axis=-1)
    assert np.allclose(np.stack(lattice.points, axis=-1), points)
    between = np.argwhere(np.all((points >= low) & (points <= high), axis=-1))
    box = lattice.box(np.array(low), high)
    if box is None:
        assert len(between) == 0
        return
    for axis, part in enumerate(box):
        assert np.all((between[:, axis] >= part.start) & (between[:, axis] < part.stop))


@pytest.mark.slow
@pytest.mark.parametrize("tilt", [TILT, -TILT])
def test_the_patient_stays_where_the_slices_lean(tilt: float) -> None:
    straight, tilted = phantom(), phantom(tilt_degrees=tilt)
    assert tilted.affine[2, 1] == pytest.approx(4.0 * math.sin(math.radians(tilt)))
    for name in ORGANS:
        one, other = straight.truth.structures[name], tilted.truth.structures[name]
        assert not other.truncated, name
        assert other.volume_with_lesions_cm3 == pytest.approx(one.volume_with_lesions_cm3, rel=0.02), name
        assert other.hu_median == pytest.approx(one.hu_median, abs=3), name
        value = straight.names[name]
        centers = [
            made.affine[:3, :3] @ np.argwhere(made.labels == value).mean(axis=0) + made.affine[:3, 3]
            for made in (straight, tilted)
        ]
        assert np.abs(centers[1] - centers[0]).max() < 0.5, name
    before, after = straight.truth.lesions[0], tilted.truth.lesions[0]
    assert np.abs(np.subtract(before.center_mm, after.center_mm)).max() < 1.0
    assert after.voxel_volume_cm3 == pytest.approx(before.voxel_volume_cm3, rel=0.05)
    assert after.feret_mm == pytest.approx(before.feret_mm, abs=7)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_measuring_a_tilted_phantom_gives_its_truth(form: Any, tmp_path: Path) -> None:
    made = phantom(tilt_degrees=-TILT)
    files = write_phantom(made, tmp_path, form=form)
    scan = read_scan(files.scan)
    assert scan.header.tilt_degrees == TILT
    case, tools = Case(scan=scan, labels=load_labels(files.labels, scan)), load_tools()
    assert case.labels is not None
    assert not any("resampled" in text for text in (case.labels.source, *case.labels.notes))
    for name in ORGANS:
        truth = made.truth.structures[name]
        found = {one.quantity: one for one in tools["measure_structure"].call(case, {"structure": name})}
        assert found["volume"].value == pytest.approx(truth.volume_with_lesions_cm3, rel=1e-5), name
        assert found["hu_mean"].value == pytest.approx(truth.hu_mean, abs=1e-3), name
    lesion = made.truth.lesions[0]
    found = {one.quantity: one for one in tools["lesion_components"].call(case, {"structure": lesion.label})}
    assert found["largest_lesion_volume"].value == pytest.approx(lesion.voxel_volume_cm3, rel=1e-5)


@pytest.mark.slow
def test_what_a_tilted_field_of_view_cuts_off_is_known() -> None:
    made = phantom(tilt_degrees=TILT, cut_top_mm=130)
    cut = make_phantom(made.truth.options.model_copy(update={"cut_top_mm": 0.0}))
    # Slices are counted from the feet: cutting takes the upper ones and leaves the others in place.
    assert np.array_equal(cut.labels[:, :, : made.labels.shape[2]] > 0, made.labels > 0)
    assert np.allclose(cut.affine, made.affine)
    assert made.truth.structures["liver"].truncated
    assert not made.truth.structures["urinary_bladder"].truncated
    assert made.truth.structures["liver"].volume_cm3 < cut.truth.structures["liver"].volume_cm3
    beyond = ndimage.find_objects(cut.labels[:, :, made.labels.shape[2] :], max_label=255)
    for name, value in cut.names.items():
        if beyond[value - 1] is not None and name in cut.truth.structures:
            assert made.truth.structures[name].truncated, name
