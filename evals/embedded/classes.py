"""What each of the embedded networks sees, and how it looks at a scan.

Two networks: `organs` looks at the whole trunk at 6 mm, where one patch holds the whole scan; `abdomen` looks at
3 mm for what is too small for that: the pancreas, vessels and lesions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from evals.phantom_tissue import CLASSES, LESION_CLASSES, Phase

BACKGROUND = "background"
Patch = tuple[int, int, int]


@dataclass(frozen=True)
class NetworkSpec:
    """One network.

    Attributes:
        name: name of its task.
        spacing: mm between the voxels that it sees, isotropic.
        patch: voxels along i, j, k of what it sees at once; multiples of 8.
        window: HU that are told apart; below and above, everything is clipped.
        scale: HU per unit of its input; the lower end of the window becomes 0.
        features: channels of its stages, from full to coarsest resolution.
        classes: class names; the index in this tuple is the value that it gives.
        members: phantom classes that belong to a class, where they are not the one of its name.
        covers: classes without a channel of their own that it has looked for: a phantom has no lesion of another type.
        sided: classes of paired organs that are given a side afterwards, by the organ that they lie in.
        phases: contrast phases that it learns from and is offered for; all where there are none.
    """

    name: str
    spacing: float
    patch: Patch
    window: tuple[float, float]
    scale: float
    features: tuple[int, ...]
    classes: tuple[str, ...]
    members: Mapping[str, tuple[str, ...]]
    covers: tuple[str, ...] = ()
    sided: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()

    def look_up(self) -> NDArray[np.uint8]:
        """(256,) class index by label value of a phantom."""
        table = np.zeros(256, dtype=np.uint8)
        for index, name in enumerate(self.classes):
            for member in self.members.get(name, (name,)):
                if member in CLASSES:
                    table[CLASSES[member]] = index
        return table


def _with_lesions(*organs: str) -> dict[str, tuple[str, ...]]:
    """Organs with the lesions that lie in them."""
    return {one: (one, *(name for name, host in LESION_CLASSES.items() if host == one)) for one in organs}


ORGANS = NetworkSpec(
    name="organs",
    spacing=6.0,
    patch=(64, 56, 64),
    window=(-500.0, 300.0),
    scale=100.0,
    features=(8, 32, 64, 128),
    classes=(
        BACKGROUND, "spleen", "kidney_right", "kidney_left", "liver", "stomach", "pancreas", "small_bowel", "duodenum",
        "colon", "urinary_bladder", "gallbladder", "esophagus", "sacrum", "heart", "aorta", "inferior_vena_cava",
        "hip_left", "hip_right", "femur_left", "femur_right", "autochthon_left", "autochthon_right", "iliopsoas_left",
        "iliopsoas_right", "lung_left", "lung_right",
    ),
    members=MappingProxyType(_with_lesions("liver", "pancreas", "kidney_left", "kidney_right", "colon")),
)  # fmt: skip

ABDOMEN = NetworkSpec(
    name="abdomen",
    spacing=3.0,
    patch=(48, 48, 48),
    window=(-200.0, 300.0),
    scale=100.0,
    features=(8, 32, 64, 128),
    classes=(
        BACKGROUND, "liver", "spleen", "kidney_left", "kidney_right", "pancreas", "gallbladder", "duodenum", "aorta",
        "inferior_vena_cava", "portal_vein", "splenic_vein", "superior_mesenteric_vein", "superior_mesenteric_artery",
        "celiac_trunk", "common_hepatic_artery", "adrenal_gland_left", "adrenal_gland_right", "liver_cyst",
        "liver_hemangioma", "liver_hcc", "liver_metastasis", "pancreas_pdac", "pancreas_pnet", "pancreas_cyst",
        "kidney_cyst", "kidney_rcc", "colon_cancer",
    ),
    covers=("liver_lesion", "pancreas_lesion", "kidney_lesion_left", "kidney_lesion_right", "colon_lesion"),
    sided=("kidney_cyst", "kidney_rcc"),
    # Without contrast in the portal vein, most of these lesions and vessels look like what lies around them.
    phases=(Phase.PORTAL,),
    members=MappingProxyType(
        {name: (f"{name}_left", f"{name}_right") for name in ("kidney_cyst", "kidney_rcc")}
    ),
)  # fmt: skip

NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType({one.name: one for one in (ORGANS, ABDOMEN)})
