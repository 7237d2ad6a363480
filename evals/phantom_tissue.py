"""What the phantom's tissues look like: attenuation by contrast phase, and the numbers of the label classes.

Attenuation values are typical of adult abdominal CT at 120 kVp, as textbooks of abdominal radiology give them;
they set the scene for tests and are no reference values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np


class Phase(StrEnum):
    """Contrast phase of the scan."""

    NATIVE = "native"
    ARTERIAL = "arterial"
    PORTAL = "portal"
    DELAYED = "delayed"


class Tissue(NamedTuple):
    """HU by phase, the standard deviation between patients, and the shift in a patient with a fatty liver."""

    native: float
    arterial: float
    portal: float
    delayed: float
    between: float = 3.0
    fatty_shift: float = 0.0


TISSUES: Mapping[str, Tissue] = MappingProxyType(
    {
        "air": Tissue(-1000, -1000, -1000, -1000, 0),
        "table": Tissue(-480, -480, -480, -480, 10),
        "table_shell": Tissue(60, 60, 60, 60, 10),
        "skin": Tissue(20, 22, 30, 28, 4),
        "fat": Tissue(-106, -106, -105, -105, 3),
        "visceral_fat": Tissue(-99, -99, -97, -97, 3),
        "muscle": Tissue(52, 56, 63, 62, 4),
        "liver": Tissue(60, 70, 108, 90, 3, fatty_shift=-31),
        "spleen": Tissue(47, 122, 120, 94, 3),
        "pancreas": Tissue(41, 104, 92, 70, 4),
        "kidney": Tissue(32, 145, 185, 160, 4),
        "renal_sinus": Tissue(-45, -40, -35, 60, 6),
        "adrenal": Tissue(18, 52, 62, 42, 4),
        "bowel_wall": Tissue(36, 62, 82, 66, 4),
        "bowel_content": Tissue(18, 18, 20, 20, 8),
        "stool": Tissue(-8, -8, -5, -5, 15),
        "gas": Tissue(-930, -930, -930, -930, 15),
        "gallbladder": Tissue(7, 8, 9, 11, 3),
        "urine": Tissue(4, 4, 6, 140, 2),
        "bladder_wall": Tissue(34, 42, 56, 55, 3),
        "aorta": Tissue(42, 310, 158, 118, 4),
        "vein": Tissue(40, 66, 142, 116, 4),
        "portal_vein": Tissue(41, 96, 172, 122, 4),
        "artery": Tissue(42, 300, 156, 117, 4),
        "hepatic_vein": Tissue(40, 62, 158, 120, 4),
        "renal_vein": Tissue(40, 150, 168, 122, 4),
        "duct": Tissue(12, 12, 14, 14, 3),
        "bile": Tissue(8, 8, 9, 10, 3),
        "heart": Tissue(41, 205, 142, 115, 4),
        "lung": Tissue(-845, -840, -838, -840, 15),
        "cortical_bone": Tissue(520, 520, 525, 522, 40),
        "marrow": Tissue(150, 153, 160, 157, 20),
        "disc": Tissue(78, 78, 80, 80, 5),
        "nerve": Tissue(32, 33, 35, 35, 2),
        "cartilage": Tissue(95, 95, 97, 97, 6),
        "metal": Tissue(6000, 6000, 6000, 6000, 0),
    }
)


def patient_hu(rng: np.random.Generator, phase: Phase, fatty_liver: bool) -> dict[str, float]:
    """HU of every tissue in one patient.

    The patient's own shift of a tissue is the same in all phases (bounded at 1.5 standard deviations, so that a
    normal liver never falls below the spleen on a plain scan).
    """
    shifts = np.clip(rng.standard_normal(len(TISSUES)), -1.5, 1.5)
    return {
        name: float(getattr(tissue, phase.value) + shift * tissue.between + fatty_liver * tissue.fatty_shift)
        for (name, tissue), shift in zip(TISSUES.items(), shifts, strict=True)
    }


LESION_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "liver_cyst": "liver", "liver_hemangioma": "liver", "liver_hcc": "liver", "liver_metastasis": "liver",
        "pancreas_pdac": "pancreas", "pancreas_pnet": "pancreas", "pancreas_cyst": "pancreas",
        "kidney_cyst_left": "kidney_left", "kidney_cyst_right": "kidney_right", "kidney_rcc_left": "kidney_left",
        "kidney_rcc_right": "kidney_right", "colon_cancer": "colon",
    }
)  # fmt: skip
"""Organ by label class of a lesion."""
VESSELS = (
    "aorta", "inferior_vena_cava", "portal_vein", "splenic_vein", "superior_mesenteric_vein",
    "superior_mesenteric_artery", "celiac_trunk", "common_hepatic_artery", "hepatic_vein", "renal_vein_left",
    "renal_vein_right",
)  # fmt: skip


def _table() -> dict[str, int]:
    names = {
        1: "spleen", 2: "kidney_right", 3: "kidney_left", 4: "gallbladder", 5: "liver", 6: "stomach",
        7: "pancreas", 8: "adrenal_gland_right", 9: "adrenal_gland_left", 15: "esophagus", 18: "small_bowel",
        19: "duodenum", 20: "colon", 21: "urinary_bladder",
        23: "kidney_cyst_left", 24: "kidney_cyst_right", 25: "sacrum", 27: "vertebrae_L5", 28: "vertebrae_L4",
        29: "vertebrae_L3", 30: "vertebrae_L2", 31: "vertebrae_L1", 32: "vertebrae_T12", 33: "vertebrae_T11",
        34: "vertebrae_T10", 35: "vertebrae_T9", 51: "heart", 52: "aorta", 63: "inferior_vena_cava",
        75: "femur_left", 76: "femur_right", 77: "hip_left", 78: "hip_right",
        79: "spinal_cord", 86: "autochthon_left", 87: "autochthon_right", 88: "iliopsoas_left",
        89: "iliopsoas_right", 201: "liver_cyst", 202: "liver_hemangioma", 203: "liver_hcc", 204: "liver_metastasis",
        205: "pancreas_pdac", 206: "pancreas_pnet", 207: "pancreas_cyst", 208: "kidney_rcc_left",
        209: "kidney_rcc_right", 210: "colon_cancer", 211: "lung_left", 212: "lung_right",
        221: "portal_vein", 222: "splenic_vein", 223: "superior_mesenteric_vein", 224: "superior_mesenteric_artery",
        225: "celiac_trunk", 226: "common_hepatic_artery", 227: "hepatic_vein", 228: "renal_vein_left",
        229: "renal_vein_right", 231: "pancreatic_duct", 232: "common_bile_duct",
    }  # fmt: skip
    for rib in range(8, 13):
        names[91 + rib] = f"rib_left_{rib}"
        names[103 + rib] = f"rib_right_{rib}"
    return {name: key for key, name in sorted(names.items())}


CLASSES: Mapping[str, int] = MappingProxyType(_table())
"""Label value by class name; numbers below 200 are those of TotalSegmentator's `total` task (version 2)."""
OTHER_LESIONS: Mapping[str, int] = MappingProxyType(
    {"liver_lesion": 241, "pancreas_lesion": 242, "kidney_lesion_left": 243, "kidney_lesion_right": 244,
     "colon_lesion": 245}
)  # fmt: skip
"""Label value by class of the lesions of any other type: all lesions of a phantom have a type, so these are empty.

They are declared all the same: without them, nothing would have looked for other lesions of these organs.
"""
PARTS: Mapping[str, int] = MappingProxyType(
    {f"liver_segment_{n}": n for n in range(1, 9)}
    | {"pancreas_head": 11, "pancreas_body": 12, "pancreas_tail": 13}
    | {"lung_upper_lobe_left": 21, "lung_lower_lobe_left": 22, "lung_upper_lobe_right": 23,
       "lung_middle_lobe_right": 24, "lung_lower_lobe_right": 25}
)  # fmt: skip
"""Value in the second label map by name of the part."""
PART_ORGANS: Mapping[str, str] = MappingProxyType(
    {name: name.split("_segment")[0].split("_head")[0].split("_body")[0].split("_tail")[0] for name in PARTS
     if not name.startswith("lung")}
    | {name: f"lung_{name.rsplit('_', 1)[1]}" for name in PARTS if name.startswith("lung")}
)  # fmt: skip
"""Organ by name of the part."""
