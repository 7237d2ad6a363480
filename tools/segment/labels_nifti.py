"""A NIfTI label map as a label set."""

from __future__ import annotations

from agent.errors import LabelsError
from tools.readers.blob import Blob
from tools.readers.limits import ReadLimits
from tools.segment.class_maps import ClassMap
from tools.segment.geometry import bring_onto
from tools.segment.layers import shrink
from tools.segment.naming import is_background, name_labels
from tools.segment.nifti_volume import read_label_volume
from tools.volume import Grid, LabelSet

HEADER_SOURCE = "names from the file's header"


def read_nifti_labels(blob: Blob, grid: Grid, class_map: ClassMap | None, limits: ReadLimits) -> LabelSet:
    """Read a NIfTI label map and bring it onto the scan's grid.

    Names come from the class map where one is given, else from the header extension; values without a name
    become ``label_<value>``.

    Raises:
        LabelsError: if the file is broken, empty without naming classes, no label map, or does not overlap with the
            scan.
    """
    volume = read_label_volume(blob, limits)
    # A map without voxels that names its classes itself says what was looked for and not found.
    if not volume.counts and not volume.rows:
        raise LabelsError(f"The label map '{blob.name}' is empty (all voxels are 0): give one with labelled voxels.")
    names = class_map or ClassMap(rows=volume.rows, source=HEADER_SOURCE)
    notes = list(volume.notes)
    if class_map and volume.rows and dict(class_map.rows) != dict(volume.rows):
        notes.append("the class map given replaces the names in the label map's header")
    if any(value == 0 and not is_background(label) for value, label in names.rows):
        notes.append("the name given for value 0 is not used: 0 is background")
    rows = [(value, label) for value, label in names.rows if value > 0 and not is_background(label)]
    background = {value for value, label in names.rows if is_background(label)}
    named = {value for value, _ in rows}
    unnamed = sorted(set(volume.counts) - named - background)
    array, numbers = shrink(volume.array, sorted(named | background | set(volume.counts)))
    moved, how = bring_onto(array, volume.affine, grid)
    notes.extend(how.notes(grid))
    result = name_labels(
        [((0, numbers[value]), label) for value, label in rows],
        [((0, numbers[value]), value) for value in unnamed],
    )
    return LabelSet(
        grid=grid,
        layers=(moved,),
        entries=result.entries,
        raw_names=result.raw_names,
        source=f"label map (NIfTI), {how.clause()}" + (f", {names.source}" if rows else ""),
        notes=(*notes, *result.notes),
    )
