"""A DICOM segmentation object (PS3.3 A.51) as a label set, read with highdicom."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray

from agent.errors import LabelsError
from tools.ontology import Ontology, load_ontology
from tools.readers.limits import MIB, PARSE_FAULTS, ReadLimits
from tools.segment.class_maps import ClassMap
from tools.segment.geometry import How, place
from tools.segment.layers import Packer
from tools.segment.naming import Key, canonical, is_background, name_labels
from tools.volume import FloatArray, Grid, LabelSet

SEGMENTATION_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation Storage
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation Storage
}
MAX_SEGMENTS = 1024
FRACTION = 0.5
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def find_segmentation(files: list[Path]) -> Path:
    """The one DICOM SEG among some files, told by its SOP class.

    Raises:
        LabelsError: if there is none, or more than one.
    """
    found = [path for path in files if _sop_class(path) in SEGMENTATION_CLASSES]
    if not found:
        raise LabelsError(
            "The folder holds neither NIfTI masks nor a DICOM SEG: give a label map (.nii, .nii.gz), a folder with "
            "one mask per structure, or a DICOM SEG."
        )
    if len(found) > 1:
        raise LabelsError(f"The folder holds {len(found)} DICOM SEG objects: give the path of one of them.")
    return found[0]


def _sop_class(path: Path) -> str | None:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return str(header.get("SOPClassUID", ""))
    except PARSE_FAULTS:
        return None


def _frames_begin_at_bytes(path: Path) -> bool:
    """Whether every frame begins at a byte: of one-bit frames that don't, highdicom reads a byte too little from disk.

    Such a segmentation has to be read as a whole.
    """
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns", "BitsAllocated"])
    return bool(header.BitsAllocated != 1 or header.Rows * header.Columns % 8 == 0)


def read_dicom_seg(path: Path, grid: Grid, class_map: ClassMap | None, limits: ReadLimits) -> LabelSet:
    """Read a DICOM SEG (binary, fractional at 0.5, or label map) and bring it onto the scan's grid.

    Segments are named by their label, or by their coded type, laterality and anatomic region.

    Raises:
        LabelsError: if the object is broken, too large, not a regular volume, empty, or elsewhere than the scan.
    """
    if _sop_class(path) not in SEGMENTATION_CLASSES:
        raise LabelsError(
            f"'{path.name}' is DICOM, but not a segmentation object (SEG): export the contours as SEG or NIfTI."
        )
    if path.stat().st_size > limits.max_file_bytes:
        raise LabelsError(f"'{path.name}' has more than {limits.max_file_bytes // MIB} MiB: export single structures.")
    with _one_sentence(path.name):
        segmentation = highdicom.seg.segread(path, lazy_frame_retrieval=_frames_begin_at_bytes(path))
        numbers = [int(number) for number in segmentation.segment_numbers]
        affine, shape = _geometry(segmentation, path.name)
    voxels = int(np.prod(shape))
    if voxels > limits.max_voxels or max(shape) > limits.max_side or len(numbers) > MAX_SEGMENTS:
        raise LabelsError(
            f"'{path.name}' claims {len(numbers)} segments on {'×'.join(map(str, shape))} voxels: it is too "
            "large to be opened."
        )
    return _label_set(segmentation, numbers, affine, grid, class_map=class_map, file_name=path.name)


def _geometry(segmentation: Any, name: str) -> tuple[FloatArray, tuple[int, int, int]]:
    geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise LabelsError(f"The frames of '{name}' do not form a regular volume: export it on the scan's grid.")
    return _LPS_TO_RAS @ np.asarray(geometry.affine, dtype=np.float64), tuple(geometry.spatial_shape)


def _label_set(
    segmentation: Any,
    numbers: list[int],
    affine: FloatArray,
    grid: Grid,
    *,
    class_map: ClassMap | None,
    file_name: str,
) -> LabelSet:
    ontology = load_ontology()
    packer = Packer(grid.shape)
    rows: list[tuple[Key, str]] = []
    ids: dict[Key, str] = {}
    total = How("same", 0, 0, (0.0, 0.0, 0.0))
    waiting: list[tuple[str, str | None]] = []
    for number in numbers:
        with _one_sentence(file_name):
            name, ident = _name(segmentation.get_segment_description(number), ontology)
            array = _mask(segmentation, number) if not is_background(name) else None
        if array is None:
            continue
        placed = place(array, affine, grid)
        total = total.joined(How(placed.kind, placed.labelled, placed.outside, placed.spacing))
        mask = placed.values > 0
        if not mask.any():
            waiting.append((name, ident))
            continue
        key = packer.add(placed.box, mask)
        rows.append((key, name))
        if ident:
            ids[key] = ident
    notes = list(total.notes(grid))
    if not rows:
        raise LabelsError("The DICOM SEG is empty (no segment has a voxel): give one with labelled voxels.")
    for name, ident in waiting:
        key = packer.add_empty()
        rows.append((key, name))
        if ident:
            ids[key] = ident
    if str(segmentation.SegmentationType) == "FRACTIONAL":
        notes.append(f"the segmentation is fractional: voxels from {FRACTION:g} on are counted")
    if class_map:
        notes.append("the class map was not used: the DICOM SEG names its segments")
    result = name_labels(rows, [], ids=ids)
    return LabelSet(
        grid=grid,
        layers=packer.layers,
        entries=result.entries,
        raw_names=result.raw_names,
        source=f"DICOM SEG with {len(numbers)} segments, {total.clause()}, names from its segment descriptions",
        notes=(*notes, *result.notes),
    )


def _mask(segmentation: Any, number: int) -> NDArray[Any]:
    fractional = str(segmentation.SegmentationType) == "FRACTIONAL"
    volume = segmentation.get_volume(
        segment_numbers=[number],
        combine_segments=False,
        allow_missing_positions=True,
        dtype=np.float32 if fractional else np.uint8,
    )
    array: NDArray[Any] = volume.array[..., 0]
    return (array >= FRACTION).astype(np.uint8) if fractional else array


def _name(description: Any, ontology: Ontology) -> tuple[str, str | None]:
    """Name for display, and the canonical id where label and codes together give one."""
    label = str(description.segment_label)
    kind = description.segmented_property_type.meaning
    sides = [
        str(item.CodeMeaning)
        for item in getattr(
            description.SegmentedPropertyTypeCodeSequence[0], "SegmentedPropertyTypeModifierCodeSequence", ()
        )
    ]
    regions = [str(region.meaning) for region in description.anatomic_regions]
    by_label = canonical(label, ontology)
    by_code = _by_code(kind, sides, regions, ontology)
    if by_label is None:
        return label, by_code
    named = ontology.get(by_label)
    if named.kind == "lesion" and named.organ is None and named.lesion_type:
        host = next((found for region in regions if (found := canonical(region, ontology))), None)
        if host and ontology.get(host).kind in {"organ", "vessel", "bone"}:
            return label, ontology.lesion_id(named.lesion_type, host)
    if by_code and named.side is None and ontology.get(by_code).base == named.base:
        return label, by_code
    return label, by_label


def _by_code(kind: str, sides: list[str], regions: list[str], ontology: Ontology) -> str | None:
    spellings = [f"{' '.join(sides)} {kind}", kind]
    spellings = [f"{' '.join(sides)} {region} {kind}" for region in regions] + spellings
    spellings += [kind.partition(",")[0]] if "," in kind else []
    return next((found for text in spellings if (found := canonical(text, ontology))), None)


@contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # pydicom warns of every irregular value; what matters here either reads or fails.
            warnings.simplefilter("ignore")
            yield
    except LabelsError:
        raise
    except PARSE_FAULTS as error:
        raise LabelsError(
            f"The DICOM SEG '{name}' cannot be read ({type(error).__name__}): export it again, or as NIfTI."
        ) from error
