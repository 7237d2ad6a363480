"""Whatever the axes of a scan, a model sees it in its own order, and its labels land where it saw them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.case_make import affine_of, orders, reorder
from tools.segment.backends import nnunet
from tools.segment.engine import Job

SIZE, SPACING = (5, 6, 7), (1.0, 2.0, 3.0)
FLIPS = {"RAS": (), "LPS": (0, 1)}


class _Device:
    type = "cpu"


class _Predictor:
    def __init__(self, **_: object) -> None: ...

    def initialize_from_trained_model_folder(self, *_: object) -> None: ...


@pytest.mark.parametrize("orientation", sorted(FLIPS))
@pytest.mark.parametrize("turn", [(0, 0, 0), (8, -9, 12)], ids=["straight", "oblique"])
def test_labels_land_where_the_model_saw_them(
    turn: tuple[float, float, float], orientation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    affine = affine_of(SPACING, SIZE, turn=turn)
    hu = np.random.default_rng(1).integers(-1000, 1000, SIZE).astype(np.int16)
    seen: list[NDArray[Any]] = []
    spaced: list[tuple[float, ...]] = []
    # Every voxel has a label of its own, by its place in the order of the model's axes.
    places = np.arange(np.prod(SIZE), dtype=np.uint8).reshape(SIZE)

    def predict(_: object, given: NDArray[Any], spacing: tuple[float, ...]) -> NDArray[Any]:
        seen.append(given.transpose(2, 1, 0))
        spaced.append(spacing)
        return places.transpose(2, 1, 0)

    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(nnunet, "torch_device", lambda _: _Device)
    monkeypatch.setattr(nnunet, "predictor_class", lambda *_, **__: _Predictor)
    monkeypatch.setattr(nnunet, "predict", predict)
    flips = FLIPS[orientation]
    count = 0
    for order in orders():
        turned, its_affine = reorder(hu, affine, order)
        path = tmp_path / "scan.nii"
        image: Any = nib.Nifti1Image
        nib.save(image(turned, its_affine), path)
        job = Job(
            backend="nnunet", task="axes", scan=path, structures=("liver",), names=("liver",), out=tmp_path,
            options={"folder": "", "names": {"1": "liver"}, "orientation": orientation, "mirroring": False,
                     "pickles": False},
        )  # fmt: skip
        made = nnunet.BACKEND.run(job, lambda *_: None)
        expected, _ = reorder(np.flip(places, flips), affine, order)
        np.testing.assert_array_equal(made.labels, expected, err_msg=str(order))
        np.testing.assert_array_equal(seen[-1], np.flip(hu, flips), err_msg=str(order))
        np.testing.assert_allclose(spaced[-1], SPACING[::-1], rtol=1e-5)
        count += 1
    assert count == 48
