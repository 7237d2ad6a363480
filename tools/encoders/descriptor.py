"""The built-in encoder: shape, attenuation and texture of a lesion, each feature with a meaning.

Needs no weights. The vector is the same under every rotation by right angles and every reflection of the patient,
and nearly the same under any other rotation. Each feature is centred and scaled by fixed values for soft-tissue
lesions, cut off at ±4, and the five groups of features weigh the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import ToolError, UsageError
from tools.crop import Crop
from tools.encoders.descriptor_shape import shape
from tools.encoders.descriptor_texture import texture
from tools.encoders.descriptor_values import attenuation, contrast, profile
from tools.encoders.protocol import Backend, CropArguments, Encoder

VERSION = "1"
"""Raised whenever a vector may change."""
DIMENSION = 108
_LIMIT = 4.0
_LOWEST, _HIGHEST = -1024.0, 3071.0


@dataclass(frozen=True)
class Descriptor:
    """Features of shape, attenuation, profile, texture and contrast."""

    name: str = "descriptor"
    version: str = VERSION
    dimension: int = DIMENSION
    crop: CropArguments = field(default_factory=CropArguments)

    def encode(self, crop: Crop) -> NDArray[np.float32]:
        """The features in their order, float32 (108,), all finite."""
        groups = describe(crop)
        parts = [np.array(list(group.values())) / np.sqrt(len(group)) for group in groups.values()]
        vector = np.concatenate(parts).astype(np.float32)
        if vector.shape != (DIMENSION,):
            raise ToolError(f"the descriptor made {len(vector)} features instead of {DIMENSION}")
        return vector


def describe(crop: Crop) -> dict[str, dict[str, float]]:
    """Every feature by group and name, scaled to about −1 to 1 for common lesions and cut off at ±4."""
    hu = np.clip(crop.hu, _LOWEST, _HIGHEST).astype(np.float64)
    depth, away = _distances(crop)
    beside = crop.inside & ~crop.mask
    values, around = hu[crop.mask], hu[beside]
    inner, outer = depth[crop.mask], away[beside]
    groups = {
        "shape": shape(crop, inner),
        "attenuation": attenuation(values),
        "profile": profile(values, inner, around, outer),
        "texture": texture(crop),
        "contrast": contrast(crop, values, inner, around, outer),
    }
    return {
        group: {name: min(max(value, -_LIMIT), _LIMIT) for name, value in features.items()}
        for group, features in groups.items()
    }


def _distances(crop: Crop) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mm below and beyond the lesion's surface, from voxel centres; the scan's border is no surface."""
    held = crop.mask | ~crop.inside
    if held.all():
        held = np.pad(crop.mask, 1)
        depth = ndimage.distance_transform_edt(held)[1:-1, 1:-1, 1:-1]
    else:
        depth = ndimage.distance_transform_edt(held)
    away = ndimage.distance_transform_edt(~crop.mask)
    half = crop.spacing / 2
    return np.maximum(depth * crop.spacing - half, 0.0), np.maximum(away * crop.spacing - half, 0.0)


def _load(config: Path | None) -> Encoder:
    if config is not None:
        raise UsageError(f"{config} configures the descriptor, which has no settings; name it without a file.")
    return Descriptor()


DESCRIPTOR = Backend("descriptor", _load, built_in=True)
