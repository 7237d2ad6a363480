"""What a phantom is asked to be, and what is recorded as the truth about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.phantom_tissue import Phase

SCHEMA: Literal["tumortrace.phantom/1"] = "tumortrace.phantom/1"
LesionType = Literal["liver_cyst", "liver_metastasis", "kidney_cyst", "pancreatic_tumour"]
Step = Annotated[float, Field(ge=0.3, le=15)]
Count = Annotated[int, Field(ge=0, le=40)]
Triple = tuple[float, float, float]


class LesionSpec(BaseModel):
    """A lesion that the phantom must have.

    Attributes:
        type: what it is.
        diameter_mm: its diameter; None draws one that is typical of the type.
        side: side of a paired organ; None draws one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: LesionType
    diameter_mm: float | None = Field(default=None, ge=4, le=120)
    side: Literal["left", "right"] | None = None


class PhantomOptions(BaseModel):
    """Everything that determines a phantom; equal options give equal voxels.

    The patient depends on `seed` alone: the same seed with another phase, spacing or field of view is another
    scan of the same patient.

    Attributes:
        seed: which patient.
        phase: contrast phase.
        spacing: mm along left-right, back-front, feet-head.
        cut_top_mm, cut_bottom_mm: taken off the field of view at the head and the feet end.
        noise: standard deviation of the noise in HU.
        lesions: how many lesions of random type, or which ones; None draws one or two.
        fatty_liver: liver below the spleen on a plain scan.
        padding: reconstruction circle with −2000 HU outside.
        metal: a metal screw in the fourth lumbar vertebra, with streaks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0, lt=2**63)
    phase: Phase = Phase.PORTAL
    spacing: tuple[Step, Step, Step] = (2.5, 2.5, 2.5)
    cut_top_mm: float = Field(default=0.0, ge=0, le=340)
    cut_bottom_mm: float = Field(default=0.0, ge=0, le=340)
    noise: float = Field(default=11.0, ge=0, le=200)
    lesions: Count | tuple[LesionSpec, ...] | None = None
    fatty_liver: bool = False
    padding: bool = False
    metal: bool = False


class StructureTruth(BaseModel):
    """One label class, counted in the final arrays.

    Attributes:
        label: its value in the label map.
        voxels, volume_cm3: of the class itself; an organ's lesions are classes of their own.
        volume_with_lesions_cm3: the organ together with its lesions.
        hu_mean, hu_sd, hu_median: over its voxels (SD of the population); None without voxels.
        touches_border: one of its voxels lies on a face of the volume.
        truncated: the patient has more of it than the field of view shows.
        whole_volume_cm3: the patient's whole structure with its lesions, whatever the scan shows of it, counted
            on a 4 mm lattice (good to about 2 % above 50 cm³); None for lesions.
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
    """One lesion, a sphere.

    Attributes:
        type: what it is.
        organ, label: class of the organ and of the lesion.
        center_mm: world mm, RAS+.
        diameter_mm, volume_cm3: of the sphere.
        hu: intended attenuation in this phase.
        voxels, voxel_volume_cm3: as voxelised, counted in the final label map around its centre.
        in_field: the whole sphere lies within the field of view.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: LesionType
    organ: str
    label: str
    center_mm: Triple
    diameter_mm: float
    volume_cm3: float
    hu: float
    voxels: int
    voxel_volume_cm3: float
    in_field: bool


class PhantomTruth(BaseModel):
    """What is true of a phantom; the content of truth.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    schema_: Literal["tumortrace.phantom/1"] = Field(default=SCHEMA, alias="schema")
    seed: int
    options: PhantomOptions
    phase: Phase
    fatty_liver: bool
    shape: tuple[int, int, int]
    spacing_mm: Triple
    voxel_volume_mm3: float
    affine: tuple[tuple[float, ...], ...]
    structures: dict[str, StructureTruth]
    lesions: tuple[LesionTruth, ...]
