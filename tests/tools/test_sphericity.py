"""The sphericity of a body of known shape lies within the uncertainty that is given with it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.case_make import Ellipsoid, affine_of, case_of, paint, run
from tools.base import CaseSettings

SIZE = (44, 44, 32)


def true_sphericity(radii: tuple[float, float, float]) -> float:
    """Surface of the ball of the same volume over the ellipsoid's, which is integrated numerically."""
    a, b, c = radii
    steps = (np.arange(400) + 0.5) / 400 * np.pi
    theta, phi = np.meshgrid(steps, 2 * steps, indexing="ij")
    sides = (b * c * np.sin(theta) * np.cos(phi), a * c * np.sin(theta) * np.sin(phi), a * b * np.cos(theta))
    surface = float((np.sqrt(sum(np.square(side) for side in sides)) * np.sin(theta)).sum()) * 2 * (np.pi / 400) ** 2
    return float(4 * np.pi * (a * b * c) ** (2 / 3) / surface)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 2.5, 2.5), (0.8, 0.8, 3.0), (0.98, 0.98, 5.0)], ids=str)
@pytest.mark.parametrize("radii", [(5.0, 4.0, 3.0), (9.0, 7.0, 6.0), (12.0, 12.0, 12.0), (15.0, 10.0, 9.0)], ids=str)
def test_the_true_sphericity_lies_in_the_interval(
    spacing: tuple[float, float, float], radii: tuple[float, float, float]
) -> None:
    affine = affine_of(spacing, SIZE)
    shapes = [Ellipsoid("liver_lesion", (0.3, -0.2, 0.4), radii, turn=(20, 35, 50))]
    hu, labels, numbers = paint(shapes, SIZE, affine)
    case = case_of(hu, labels, affine, numbers, settings=CaseSettings(min_lesion_mm3=1))
    one = run(case, "largest_lesion", structure="liver_lesion")["largest_lesion_sphericity"]
    assert isinstance(one.value, float) and one.uncertainty is not None
    assert 0 < one.uncertainty < 0.3
    assert abs(one.value - true_sphericity(radii)) <= one.uncertainty


def test_a_single_voxel_is_no_sure_ball() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[4, 4, 4] = 1
    case = case_of(labels.astype(np.int16), labels, affine_of((1, 1, 1), labels.shape), {"liver_lesion": 1},
                   settings=CaseSettings(min_lesion_mm3=0.5))  # fmt: skip
    one = run(case, "largest_lesion", structure="liver_lesion")["largest_lesion_sphericity"]
    assert one.value == 1.0
    assert one.uncertainty is not None and one.uncertainty > 0.2
