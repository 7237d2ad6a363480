"""Components of masks of every shape, lines of voxels among them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from tools.masks import components, connected
from tools.volume import Region


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("row", [row for n in (1, 3, 5, 7) for row in product((False, True), repeat=n)][::3])
def test_lines_of_voxels_have_components_too(axis: int, row: tuple[bool, ...]) -> None:
    mask = np.moveaxis(np.array(row)[:, None, None], 0, axis)
    found = components(mask)
    wanted, count = ndimage.label(mask, np.ones((3, 3, 3)))
    assert found.shape == mask.shape and found.max(initial=0) == count
    assert ((found > 0) == mask).all() and len(set(zip(found[mask], wanted[mask], strict=True))) == count
    box = (slice(2, 2 + mask.shape[0]), slice(0, mask.shape[1]), slice(1, 1 + mask.shape[2]))
    assert sum(one.voxels for one in connected(Region(box, mask))) == mask.sum()
