"""The labels of a phantom as a DICOM segmentation (PS3.3 A.51, binary), lying over its CT series."""

from __future__ import annotations

from collections.abc import Mapping

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from evals.phantom_dicom import ct_slices, uid
from evals.phantom_options import PhantomOptions

_LESIONS = ("lesion", "cyst", "tumor", "metastasis", "cancer", "carcinoma", "hemangioma", "hcc", "pdac", "pnet", "rcc")


def segmentation(
    hu: NDArray[np.int16],
    labels: NDArray[np.uint8],
    names: Mapping[str, int],
    affine: NDArray[np.float64],
    options: PhantomOptions,
) -> Dataset:
    """A DICOM SEG of the label map; every class is a segment, those without voxels included.

    Segments carry the class name as their label, and a private code, since the names are our own.

    Args:
        hu, labels: (i, j, k) voxels, RAS order.
        names: class name → label value.
        affine: (4, 4) voxel → world mm, RAS+.
        options: what the phantom was made from; equal options give an equal object.
    """
    sources = [data for _, data in ct_slices(hu, affine, options)]
    numbers = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.uint8)
    described = []
    for number, (name, value) in enumerate(sorted(names.items(), key=lambda item: item[1]), start=1):
        if value < len(numbers):
            numbers[value] = number
        described.append(_describe(number, name, options))
    whole = options.model_dump_json()
    made = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=np.ascontiguousarray(numbers[labels][::-1, ::-1].transpose(2, 1, 0)),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=uid("segmentation series", whole),
        series_number=2,
        sop_instance_uid=uid("segmentation", whole),
        instance_number=1,
        manufacturer="TumorTrace phantom",
        manufacturer_model_name="TumorTrace phantom",
        software_versions="1",
        device_serial_number="1",
        content_label="PHANTOM",
        content_creator_name="PHANTOM^MAKER",
        series_description="Labels of a synthetic abdomen",
    )
    _settle(made, sources[0], uid("dimensions", whole))
    return made


def _describe(number: int, name: str, options: PhantomOptions) -> highdicom.seg.SegmentDescription:
    words = name.replace("_", " ")
    lesion = any(part in name.split("_") for part in _LESIONS)
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure if lesion else codes.SCT.Organ,
        segmented_property_type=Code(f"CLASS{number}", "99TUMORTRACE", words[:64]),
        # The truth of a model is neither drawn nor found by an algorithm that looked at the image.
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_id=name,
        tracking_uid=uid("segment", options.seed, name),
    )


def _settle(made: Dataset, source: Dataset, dimensions: str) -> None:
    """Replace the clock's times and random identifiers, so that equal options give equal files."""
    for element in made.iterall():
        if element.VR == "DT":
            element.value = f"{source.StudyDate}{source.StudyTime}"
        elif element.VR == "DA" and element.value:
            element.value = source.StudyDate
        elif element.VR == "TM" and element.value:
            element.value = source.StudyTime
        elif element.keyword == "DimensionOrganizationUID":
            element.value = dimensions
