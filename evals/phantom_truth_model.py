"""What is recorded as the truth about a phantom: the content of truth.json.

Everything about what the scan shows is counted over the final voxel arrays; `phantom_truth` says how.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.phantom_options import LesionType, PhantomOptions
from evals.phantom_tissue import Phase

SCHEMA: Literal["tumortrace.phantom/2"] = "tumortrace.phantom/2"
Triple = tuple[float, float, float]
Attenuation = Literal["hypoattenuating", "isoattenuating", "hyperattenuating"]


class StructureTruth(BaseModel):
    """One label class, counted in the final arrays.

    Attributes:
        label: its value in the label map.
        voxels, volume_cm3: of the class itself; an organ's lesions are classes of their own.
        volume_with_lesions_cm3: the organ together with its lesions, also where these bulge out of it.
        hu_mean, hu_sd, hu_median: over its voxels (SD of the population); None without voxels.
        touches_border: one of its voxels lies on a face of the volume.
        truncated: the patient has more of it than the field of view shows.
        whole_volume_cm3: the patient's whole structure without its lesions' bulges, whatever the scan shows of it,
            counted on a 4 mm lattice (good to about 2 % above 50 cm³); None for lesions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: int
    voxels: int
    volume_cm3: float
    volume_with_lesions_cm3: float
    hu_mean: float | None
    hu_sd: float | None
    hu_median: float | None
    touches_border: bool
    truncated: bool
    whole_volume_cm3: float | None


class LesionTruth(BaseModel):
    """One lesion. All but the first block is counted in the final arrays, and None or empty without voxels.

    Attributes:
        id: its class and its number in it, largest first ("liver_hcc#1").
        type, organ, label: what it is, class of the organ (a paired one with its side), class of the lesion.
        center_mm: world mm, RAS+, of the solid.
        diameter_mm, solid_volume_cm3: longest axial diameter and volume of the solid, before vessels and other
            organs take their share.
        hu: intended attenuation of its outer zone in this phase.
        in_field: the whole solid lies within the field of view.

        voxels: their number.
        volume_cm3, voxel_volume_cm3: their volume.
        components: number of 26-connected pieces; 1 except on coarse grids.
        long_axis_mm, short_axis_mm: longest distance between points of the outline in one axial slice, pixels taken
            with their extent (half a pixel on either side along both axes), and the longest chord perpendicular to
            it within the convex outline.
        slice: index of that slice along the third axis of the file, feet to head.
        feret_mm: longest distance between voxel corners in space.
        hu_mean, hu_sd: over its voxels (SD of the population).
        attenuation: its mean against the mean of its organ, with a tenth of the organ's SD as the band.
        regions: region of its organ → share of its voxels (0 to 1) that lie in it.
        contacts: vessel → degrees of its circumference that it touches, 0 where it doesn't; every labelled vessel.
        adjacent: class → mm between the surfaces of their voxels, up to 15 mm, other lesions left out.
        centroid_mm: world mm, mean of the voxel centres.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    type: LesionType
    organ: str
    label: str
    center_mm: Triple
    diameter_mm: float
    solid_volume_cm3: float
    hu: float
    in_field: bool
    voxels: int
    volume_cm3: float
    voxel_volume_cm3: float
    components: int
    long_axis_mm: float | None
    short_axis_mm: float | None
    slice: int | None
    feret_mm: float | None
    hu_mean: float | None
    hu_sd: float | None
    attenuation: Attenuation | None
    regions: dict[str, float]
    contacts: dict[str, float]
    adjacent: dict[str, float]
    centroid_mm: Triple | None


class RegionTruth(BaseModel):
    """One region of an organ.

    Attributes:
        volume_cm3: of its voxels, lesions included.
        lesion_count: lesions that have more than a tenth of their voxels in it.
        lesion_volume_cm3: of lesion voxels in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    volume_cm3: float
    lesion_count: int
    lesion_volume_cm3: float


class PhantomTruth(BaseModel):
    """What is true of a phantom; the content of truth.json.

    Attributes:
        part_labels: class of the second label map (parts.nii.gz) → its value.
        regions: organ → region → what is in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    schema_: Literal["tumortrace.phantom/2"] = Field(default=SCHEMA, alias="schema")
    seed: int
    options: PhantomOptions
    phase: Phase
    fatty_liver: bool
    shape: tuple[int, int, int]
    spacing_mm: Triple
    voxel_volume_mm3: float
    affine: tuple[tuple[float, ...], ...]
    structures: dict[str, StructureTruth]
    part_labels: dict[str, int]
    lesions: tuple[LesionTruth, ...]
    regions: dict[str, dict[str, RegionTruth]]
