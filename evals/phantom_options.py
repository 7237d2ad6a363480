"""What a phantom is asked to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evals.phantom_tissue import LESION_CLASSES, TISSUES, VESSELS, Phase

LesionType = Literal[
    "liver_cyst", "liver_hemangioma", "liver_hcc", "liver_metastasis", "pancreas_pdac", "pancreas_pnet",
    "pancreas_cyst", "kidney_cyst", "kidney_rcc", "colon_cancer"
]  # fmt: skip
Side = Literal["left", "right"]
Step = Annotated[float, Field(ge=0.3, le=15)]
Count = Annotated[int, Field(ge=0, le=40)]

VESSEL_SHORT: Mapping[str, str] = {
    "sma": "superior_mesenteric_artery", "smv": "superior_mesenteric_vein", "pv": "portal_vein",
    "sv": "splenic_vein", "ca": "celiac_trunk", "cha": "common_hepatic_artery", "ivc": "inferior_vena_cava",
}  # fmt: skip
"""Short names by which a vessel may be asked for."""
GAP_MM = 10.5
"""Mm between lesions: at least two voxels of 5 mm, so that their number does not depend on the grid."""
Form = Literal["nifti", "dicom"]
"""Forms that a scan is written in."""
MAX_TILT = 30.0
"""Degrees that the gantries of scanners can lean."""
SIZED = ("liver", "spleen", "pancreas", "kidney_left", "kidney_right", "gallbladder", "urinary_bladder")
"""Structures whose volume can be asked for."""


class LesionSpec(BaseModel):
    """A lesion that the phantom must have.

    Attributes:
        type: what it is.
        diameter_mm: its longest axial diameter; None draws one that is typical of the type.
        side: side of a paired organ; None draws one.
        region: where in its organ its centre lies: a region of the organ (`liver_segment_4`, short "4";
            `pancreas_head`, short "head"; "upper", "middle", "lower" of a kidney); None anywhere.
        contacts: vessel → degrees of its circumference that the lesion should touch; what comes out is in the truth.
            Vessels that are not named may be touched or not.
        gap_mm: least distance to other lesions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: LesionType
    diameter_mm: float | None = Field(default=None, ge=4, le=150)
    side: Side | None = None
    region: str | None = None
    contacts: dict[str, float] = Field(default_factory=dict)
    gap_mm: float = Field(default=GAP_MM, ge=0, le=60)

    @field_validator("contacts")
    @classmethod
    def _known_vessels(cls, value: dict[str, float]) -> dict[str, float]:
        contacts = {VESSEL_SHORT.get(name.lower(), name.lower()): angle for name, angle in value.items()}
        for name, angle in contacts.items():
            if name not in VESSELS:
                raise ValueError(f"{name} is no vessel of the phantom: choose one of {', '.join(VESSELS)}")
            if not 0 <= angle <= 360:
                raise ValueError(f"a contact of {angle:g} degrees is not between 0 and 360")
        return contacts

    @model_validator(mode="after")
    def _known_region(self) -> Self:
        if self.region is None:
            return self
        region = _full_region(self.type, self.region.lower())
        if region is None:
            raise ValueError(f"a {self.type} has no region {self.region!r} to lie in")
        object.__setattr__(self, "region", region)
        return self


def _full_region(type_: str, text: str) -> str | None:
    """Identifier of a region (without side) from its short or full name; None where the type's organ has none."""
    organ = type_.split("_", maxsplit=1)[0]
    if organ == "liver":
        found = re.fullmatch(r"(?:liver_)?(?:segment_?|s)?([1-8])", text)
        return f"liver_segment_{found[1]}" if found else None
    if organ == "pancreas":
        found = re.fullmatch(r"(?:pancreas_)?(head|body|tail)", text)
        return f"pancreas_{found[1]}" if found else None
    if organ == "kidney":
        found = re.fullmatch(r"(?:kidney_)?(upper|middle|lower|interpolar)(?:_pole)?", text)
        names = {"upper": "upper_pole", "lower": "lower_pole", "middle": "interpolar", "interpolar": "interpolar"}
        return f"kidney_{names[found[1]]}" if found else None
    return None


class PhantomOptions(BaseModel):
    """Everything that determines a phantom; equal options give equal voxels.

    The patient depends on `seed`, `volumes` and `lesions` alone: the same ones with another phase, spacing or field
    of view are another scan of the same patient.

    Attributes:
        seed: which patient.
        phase: contrast phase.
        spacing: mm along left-right, back-front, feet-head.
        cut_top_mm, cut_bottom_mm: taken off the field of view at the head and the feet end.
        noise: standard deviation of the noise in HU.
        lesions: how many lesions of random type, or which ones; None draws what the patient has: often none or a
            few, now and then many in the liver, with every type in turn.
        fatty_liver: liver below the spleen on a plain scan.
        padding: reconstruction circle with −2000 HU outside.
        metal: a metal screw in the fourth lumbar vertebra, with streaks.
        tilt_degrees: tilt of the gantry, see `phantom_tilt`.
        volumes: cm³ of structures whose size is wanted; the others are drawn.
        tissue_hu: HU of tissues whose attenuation is wanted in this scan; the others are drawn.
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
    tilt_degrees: float = Field(default=0.0, ge=-MAX_TILT, le=MAX_TILT)
    volumes: dict[str, Annotated[float, Field(gt=5, le=3000)]] = Field(default_factory=dict)
    tissue_hu: dict[str, Annotated[float, Field(ge=-1024, le=3000)]] = Field(default_factory=dict)

    @field_validator("volumes")
    @classmethod
    def _known_sizes(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in SIZED:
                raise ValueError(f"the volume of {name} can't be chosen: only that of {', '.join(SIZED)}")
        return value

    @field_validator("tissue_hu")
    @classmethod
    def _known_tissues(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in TISSUES:
                raise ValueError(f"{name} is no tissue of the phantom: choose one of {', '.join(TISSUES)}")
        return value


def lesion_class(type_: LesionType, side: str) -> str:
    """Label class of a lesion type on a side."""
    return type_ if type_ in LESION_CLASSES else f"{type_}_{side}"
