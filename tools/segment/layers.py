"""Layers of a label set: renumbering of large values, and packing of masks that may overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.volume import Box

_LARGEST = np.iinfo(np.uint16).max


def shrink(array: NDArray[Any], values: list[int]) -> tuple[NDArray[Any], dict[int, int]]:
    """Hold a label map in the smallest unsigned type, renumbering where values exceed 16 bits.

    Args:
        array: unsigned label values.
        values: all values that are declared or occur, without background.

    Returns:
        The map (the given one where nothing changes) and user value → value in the map.
    """
    if max(values, default=0) <= _LARGEST:
        small = np.uint8 if int(array.max(initial=0)) <= 255 else np.uint16
        return (array if array.dtype == small else array.astype(small)), {value: value for value in values}
    ordered = np.array(sorted(values), dtype=np.int64)
    numbers = {int(value): n for n, value in enumerate(ordered, start=1)}
    result = np.zeros(array.shape, dtype=np.uint8 if len(ordered) <= 255 else np.uint16)
    for k in range(array.shape[2]):
        plane = array[:, :, k].astype(np.int64)
        at = np.minimum(np.searchsorted(ordered, plane), len(ordered) - 1)
        result[:, :, k] = np.where(ordered[at] == plane, at + 1, 0)
    return result, numbers


class Packer:
    """Packs masks into as few layers as their overlaps allow, first fit.

    Only the layers themselves have the grid's size; masks come with their bounding boxes.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._layers: list[NDArray[Any]] = []
        self._used: list[int] = []

    def add(self, box: Box, mask: NDArray[np.bool_]) -> tuple[int, int]:
        """Put a mask into the first layer where nothing else lies, and return its key."""
        free = (index for index, layer in enumerate(self._layers) if not layer[box][mask].any())
        index = next(free, len(self._layers))
        if index == len(self._layers):
            self._open_layer()
        key = self._next(index)
        if key[1] > np.iinfo(self._layers[index].dtype).max:
            self._layers[index] = self._layers[index].astype(np.uint16)
        self._layers[index][box][mask] = key[1]
        return key

    def add_empty(self) -> tuple[int, int]:
        """Return a key for a declared structure without voxels."""
        if not self._layers:
            self._open_layer()
        return self._next(0)

    def _open_layer(self) -> None:
        self._layers.append(np.zeros(self._shape, dtype=np.uint8))
        self._used.append(0)

    def _next(self, index: int) -> tuple[int, int]:
        self._used[index] += 1
        return index, self._used[index]

    @property
    def layers(self) -> tuple[NDArray[Any], ...]:
        """The layers packed so far."""
        return tuple(self._layers)
