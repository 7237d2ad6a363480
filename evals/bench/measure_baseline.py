"""What our measuring is compared with: loops over the labels, each with a mask of the whole volume, as one writes them.

They measure the quantities of a report: volume, attenuation (mean, SD, median), the outermost shell (uncertainty),
contact with the border, and the longest axial diameter of every class; and of every lesion its volume, attenuation
with percentiles, longest axial and 3D diameter, sphericity, gradient at the margin, centroid and box. Once an object
is found, the calculations on its crop are the quickest plain ones (a hull before the distances), so that what differs
from ours is above all the way to the crop.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from evals.bench.measure_case import Large

Rows = dict[str, dict[str, Any]]
_ROUND = np.ones((3, 3, 3), bool)


def scipy_loop(large: Large, names: list[str], lesions: list[str]) -> Rows:
    """Every quantity by `scipy.ndimage` functions on whole-volume masks, label after label."""
    spacing = np.diag(large.affine)[:3]
    rows: Rows = {}
    for name in names:
        mask = large.labels == large.names[name]
        box = ndimage.find_objects(mask.view(np.uint8))[0]
        rows[name] = {
            "volume": float(ndimage.sum_labels(mask)) * float(np.prod(spacing)) / 1000,
            "mean": float(ndimage.mean(large.hu, mask)),
            "sd": float(ndimage.standard_deviation(large.hu, mask)),
            "median": float(ndimage.median(large.hu, mask)),
            "shell": int(np.count_nonzero(mask & ~ndimage.binary_erosion(mask, border_value=1))),
            "border": any(s.start == 0 or s.stop == n for s, n in zip(box, mask.shape, strict=True)),
            "axis": axial_diameter(mask[box], spacing),
        }
        if name not in lesions:
            continue
        found, count = ndimage.label(mask, _ROUND)
        rows[name]["lesions"] = []
        for number in range(1, count + 1):
            one = found == number
            where = ndimage.find_objects(one.view(np.uint8))[0]
            row = lesion(one[where], large.hu, where, spacing)
            row |= {"volume": float(one.sum() * np.prod(spacing) / 1000), "centroid": ndimage.center_of_mass(one)}
            row |= {"mean": float(ndimage.mean(large.hu, one)), "sd": float(ndimage.standard_deviation(large.hu, one))}
            rows[name]["lesions"].append(row)
    return rows


def regionprops_loop(large: Large, names: list[str], lesions: list[str]) -> Rows:
    """Every quantity by `skimage.measure.regionprops` of whole-volume masks, label after label."""
    regionprops = importlib.import_module("skimage.measure").regionprops
    rows: Rows = {}
    for name in names:
        mask = large.labels == large.names[name]
        rows[name] = _properties(regionprops(mask.view(np.uint8), large.hu)[0], large)
        if name in lesions:
            found, _ = ndimage.label(mask, _ROUND)
            rows[name]["lesions"] = [_lesion_properties(one, large) for one in regionprops(found, large.hu)]
    return rows


def regionprops_once(large: Large, names: list[str], lesions: list[str]) -> Rows:
    """The same with one call of `regionprops` for all labels: the best that is to be had without writing one's own."""
    regionprops = importlib.import_module("skimage.measure").regionprops
    named = {large.names[name]: name for name in names}
    rows: Rows = {}
    for found in regionprops(large.labels, large.hu):
        name = named.get(found.label)
        if name is None:
            continue
        rows[name] = _properties(found, large)
        if name in lesions:
            parts, _ = ndimage.label(found.image, _ROUND)
            rows[name]["lesions"] = [
                _lesion_properties(one, large, found.slice) for one in regionprops(parts, found.image_intensity)
            ]
    return rows


def _properties(found: Any, large: Large) -> dict[str, Any]:
    spacing = np.diag(large.affine)[:3]
    values = found.image_intensity[found.image]
    return {
        "volume": float(found.area * np.prod(spacing) / 1000),
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "median": float(np.median(values)),
        "shell": int(np.count_nonzero(found.image & ~ndimage.binary_erosion(found.image))),
        "border": any(s.start == 0 or s.stop == n for s, n in zip(found.slice, large.labels.shape, strict=True)),
        "axis": axial_diameter(found.image, spacing),
    }


def _lesion_properties(found: Any, large: Large, outer: tuple[slice, ...] | None = None) -> dict[str, Any]:
    spacing = np.diag(large.affine)[:3]
    start = [s.start for s in outer] if outer else [0, 0, 0]
    where = tuple(slice(s.start + n, s.stop + n) for s, n in zip(found.slice, start, strict=True))
    row = lesion(found.image, large.hu, where, spacing)
    values = large.hu[where][found.image]
    row |= {"volume": float(found.area * np.prod(spacing) / 1000), "centroid": found.centroid}
    return row | {"mean": float(values.mean()), "sd": float(values.std())}


def lesion(
    mask: NDArray[np.bool_], hu: NDArray[np.int16], where: tuple[slice, ...], spacing: NDArray[np.float64]
) -> dict[str, Any]:
    """Percentiles, diameters, sphericity and margin of one lesion from its crop."""
    values = hu[where][mask]
    volume = mask.sum() * np.prod(spacing)
    surface = _surface(mask, spacing)
    wide = tuple(slice(max(s.start - 3, 0), s.stop + 3) for s in where)
    grown = np.pad(mask, [(s.start - w.start, 0) for s, w in zip(where, wide, strict=True)])
    crop = hu[wide].astype(np.float32)
    grown = np.pad(grown, [(0, full - part) for full, part in zip(crop.shape, grown.shape, strict=True)])
    edge = grown ^ ndimage.binary_erosion(grown)
    gradient = ndimage.gaussian_gradient_magnitude(crop, 1.0)
    return {
        "percentiles": np.percentile(values, (10, 50, 90)).tolist(),
        "axis": axial_diameter(mask, spacing),
        "feret": diameter(np.argwhere(mask & ~ndimage.binary_erosion(mask)) * spacing),
        "sphericity": float(math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface),
        "margin": float(gradient[edge].mean()),
        "box": where,
    }


def axial_diameter(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> float:
    """Longest distance in mm between two pixels of one slice."""
    slices = (mask[:, :, k] for k in np.flatnonzero(mask.any(axis=(0, 1))))
    return max(diameter(np.argwhere(image ^ ndimage.binary_erosion(image)) * spacing[:2]) for image in slices)


def diameter(points: NDArray[np.float64]) -> float:
    """Longest distance between points."""
    with contextlib.suppress(QhullError):  # all on one line or in one plane
        points = points[ConvexHull(points).vertices]
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def _surface(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> float:
    """Area in mm² of the marching cubes' mesh, or of the voxels' faces where scikit-image is missing."""
    padded = np.pad(mask, 1)
    if importlib.util.find_spec("skimage"):
        measure = importlib.import_module("skimage.measure")
        points, faces, *_ = measure.marching_cubes(padded, 0.5, spacing=tuple(spacing))
        return float(measure.mesh_surface_area(points, faces))
    areas = np.prod(spacing) / spacing
    return float(sum(np.count_nonzero(np.diff(padded, axis=axis)) * areas[axis] for axis in range(3)))


def pyradiomics(large: Large) -> Callable[[str], Any] | None:
    """A function that extracts shape and first-order features of a class, None where pyradiomics is missing."""
    if importlib.util.find_spec("radiomics") is None:
        return None
    sitk = importlib.import_module("SimpleITK")
    importlib.import_module("radiomics").setVerbosity(logging.ERROR)
    image = sitk.GetImageFromArray(large.hu.transpose(2, 1, 0))
    image.SetSpacing(np.diag(large.affine)[:3].tolist())
    mask = sitk.GetImageFromArray(large.labels.transpose(2, 1, 0))
    mask.CopyInformation(image)
    extractor = importlib.import_module("radiomics.featureextractor").RadiomicsFeatureExtractor(preCrop=True)
    extractor.disableAllFeatures()
    for kind in ("shape", "firstorder"):
        extractor.enableFeatureClassByName(kind)

    def extract(name: str) -> Any:
        return extractor.execute(image, mask, label=large.names[name])

    return extract
