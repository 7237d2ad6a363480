"""Queries of every kind, on structures that are whole, cut off, absent, empty and unlabelled."""

from __future__ import annotations

from typing import Any

from agent.query import Query
from tests.agent.loop_make import ask

ALONE = (
    "attention", "contrast_given", "contrast_phase", "measurable_disease", "metal", "response", "slice_spacing",
    "slice_thickness", "structure_list", "target_count", "target_sum", "voxel_spacing",
)  # fmt: skip
"""Kinds that ask of the scan as a whole."""
SIZED = ("coverage", "exists", "hu_mean", "hu_median", "hu_sd", "long_axis", "short_axis", "volume")
JUDGED = ("enlarged", "normal_size", "small")
LESIONS = (
    "lesion_count", "lesion_diameter", "lesion_exists", "lesion_largest_volume", "lesion_short_axis", "lesion_side",
    "lesion_volume",
)  # fmt: skip
LARGEST = (
    "lesion_clustering", "lesion_depth", "lesion_feret", "lesion_hu", "lesion_hu_sd", "lesion_list",
    "lesion_location", "lesion_margin", "lesion_outlier", "lesion_size_ratio", "lesion_slice", "lesion_sphericity",
    "measurable", "region_most_count", "region_most_volume",
)  # fmt: skip
"""Kinds on the lesions of one class that rest on their table, their regions or a rule."""
CHANGES = ("grown", "prior_volume", "shrunk", "volume_change", "volume_growth")
STAGING = ("category_m", "category_n", "category_t", "resectability", "stage")
CONTACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("vessel_contact", {}), ("vessel_contact_length", {}), ("vessel_encased", {}), ("vessel_involved", {}),
    ("vessel_contact_threshold", {"comparator": "le", "threshold": 180.0, "threshold_unit": "deg"}),
)  # fmt: skip
PAIRS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("hu_compare", {"comparator": "gt"}), ("hu_difference", {}), ("hu_ratio", {}), ("hu_which", {"comparator": "lt"}),
    ("volume_compare", {"comparator": "lt"}), ("volume_difference", {}), ("volume_ratio", {}), ("volume_same", {}),
    ("volume_total", {}), ("volume_which", {"comparator": "gt"}),
)  # fmt: skip
LESION_PAIRS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("burden_asymmetry", {}), ("burden_compare", {"comparator": "gt"}), ("burden_share_which", {"comparator": "gt"}),
    ("burden_which", {"comparator": "lt"}), ("lesion_count_compare", {"comparator": "gt"}),
    ("lesion_count_difference", {}), ("lesion_count_total", {}), ("lesion_count_which", {"comparator": "gt"}),
    ("lesion_volume_total", {}),
)  # fmt: skip
NEAR: tuple[tuple[str, dict[str, Any]], ...] = (
    ("adjacent_to", {}), ("distance", {}), ("touches", {}),
    ("distance_threshold", {"comparator": "lt", "threshold": 1.5, "threshold_unit": "cm"}),
)  # fmt: skip
RULED = (
    ("bosniak", "kidney"), ("bosniak", "kidney_cyst_left"), ("cyst_resection", "pancreas_cyst"),
    ("fatty_severity", "liver"), ("fleischner", "lung"), ("fleischner", "lung_nodule"),
    ("lesion_type", "kidney_cyst_left"), ("lesion_type", "kidney_rcc_left"), ("lesion_type", "kidney_rcc"),
    ("lirads", "liver"), ("lirads", "liver_hcc"), ("pdac_pnet", "pancreas_pdac"), ("pdac_pnet", "pancreas"),
    ("portal_hypertension", "liver"), ("pseudocyst", "pancreas_cyst"), ("renal_hu", "kidney_cyst"),
    ("renal_hu", "kidney_rcc_left"),
)  # fmt: skip

PLAIN = ("enlarged", "exists", "hu_compare", "hu_ratio", "lesion_count", "lesion_exists", "steatosis", "volume",
         "volume_ratio", "volume_total", "volume_which")  # fmt: skip
"""Kinds of whose answers the gates are tested one by one."""


def every_query() -> list[Query]:
    """Queries of every kind on the structures of `full_case`; most of them say something of `make_case` as well."""
    return [*_measured(), *_lesions(), *_related(), *_judged(), *_single(), *everyday_queries()]


def one_of_each() -> list[Query]:
    """The first query of every kind."""
    first: dict[str, Query] = {}
    for query in every_query():
        first.setdefault(query.kind, query)
    return list(first.values())


def _measured() -> list[Query]:
    plain = [ask(kind) for kind in ALONE]
    single = [
        ask(kind, structure)
        for kind in SIZED
        for structure in ("liver", "kidney", "aorta", "gallbladder", "duodenum", "vertebrae_L1")
    ]
    organs = [
        ask(kind, structure) for kind in JUDGED for structure in ("liver", "spleen", "kidney", "pancreas", "stomach")
    ]
    pairs = [
        ask(kind, first, second, **more)
        for kind, more in PAIRS
        for first, second in (("kidney_left", "kidney_right"), ("liver", "spleen"), ("spleen", "stomach"))
    ]
    changes = [
        ask(kind, structure)
        for kind in CHANGES
        for structure in ("liver", "liver_lesion", "kidney_rcc_left", "aorta", "duodenum")
    ]
    return [*plain, *single, *organs, *pairs, *changes]


def _lesions() -> list[Query]:
    classes = ("liver_lesion", "liver_metastasis", "kidney_cyst", "spleen_lesion", "pancreas_lesion")
    more = [
        ask("lesion_attenuation", "liver_lesion"),
        ask("lesion_attenuation", "spleen_lesion"),
        ask("lesion_attenuation", "pancreas_pdac", "pancreas"),
        ask("lesion_count_sized", "liver_lesion", comparator="gt", threshold=2.5, threshold_unit="cm"),
        ask("lesion_count_sized", "liver_lesion", comparator="ge", threshold=1.0, upper=3.0, threshold_unit="cm"),
        ask("lesion_count_sized", "spleen_lesion", comparator="gt", threshold=2.0, threshold_unit="cm"),
        ask("lesion_count", "liver_segment_4_lesion"),
        ask("lesion_exists", "pancreas_tail_pdac"),
        ask("lesion_list", "lesion"),
        ask("lesion_location", "pancreas_pdac"),
        ask("lesion_location", "kidney_rcc_left"),
        ask("new_lesions", "lesion"),
        ask("new_lesion_count", "lesion"),
        ask("size_change", "liver_lesion"),
        ask("size_change", "kidney_rcc_left"),
    ]
    return [
        *[ask(kind, structure) for kind in LESIONS for structure in classes],
        *[
            ask(kind, structure)
            for kind in LARGEST
            for structure in ("liver_lesion", "kidney_rcc_left", "spleen_lesion", "pancreas_lesion")
        ],
        *more,
    ]


def _related() -> list[Query]:
    return [
        *[
            ask(kind, lesion, vessel, **more)
            for kind, more in CONTACTS
            for lesion, vessel in (
                ("pancreas_pdac", "superior_mesenteric_artery"), ("pancreas_pdac", "portal_vein"),
                ("pancreas_pdac", "splenic_vein"),
            )
        ],
        *[
            ask(kind, first, second, **more)
            for kind, more in LESION_PAIRS
            for first, second in (
                ("liver_lesion", "pancreas_lesion"), ("kidney_lesion_left", "kidney_lesion_right"),
                ("liver_lesion", "spleen_lesion"),
            )
        ],
        *[
            ask(kind, first, second, **more)
            for kind, more in NEAR
            for first, second in (
                ("pancreas_pdac", "stomach"), ("pancreas_pdac", "pancreas"), ("liver_hcc", "gallbladder"),
                ("spleen", "duodenum"),
            )
        ],
        *[
            ask(kind, structure)
            for kind in ("adjacent", "adjacent_vessels")
            for structure in ("pancreas_pdac", "spleen", "gallbladder", "duodenum")
        ],
    ]  # fmt: skip


def _judged() -> list[Query]:
    return [
        *[
            ask(kind, structure)
            for kind in STAGING
            for structure in ("pancreas_pdac", "kidney", "liver_hcc", "colon", "spleen_tumor")
        ],
        *[ask(kind, structure) for kind, structure in RULED],
        ask("resectability", "pancreas", wanted="resectable"),
        ask("category_t", "pancreas_pdac", wanted="T2"),
        ask("category_t", "pancreas_pdac", explain=True),
        ask("attention", explain=True),
    ]


def _single() -> list[Query]:
    return [
        ask("hu_ratio_conventional", "liver", "spleen"),
        ask("hu_threshold", "liver", comparator="lt", threshold=40.0, threshold_unit="HU"),
        ask("hu_threshold", "spleen", comparator="gt", threshold=12.5),
        ask("volume_threshold", "spleen", comparator="gt", threshold=300.0, threshold_unit="ml"),
        ask("volume_threshold", "spleen", comparator="ge", threshold=100.0, upper=300.0, threshold_unit="ml"),
        ask("volume_threshold", "stomach", comparator="gt", threshold=5.0, threshold_unit="ml"),
        ask("volume_threshold", "stomach", comparator="gt", threshold=5000.0, threshold_unit="ml"),
        ask("lesion_diameter_threshold", "liver_lesion", comparator="ge", threshold=2.0, threshold_unit="cm"),
        ask("lesion_count_threshold", "liver_lesion", comparator="gt", threshold=1.0),
        ask("hu_ratio_threshold", "liver", "spleen", comparator="lt", threshold=1.1),
        ask("tumor_burden_threshold", "liver_lesion", "liver", comparator="gt", threshold=5.0, threshold_unit="%"),
        ask("splenomegaly_grade", "spleen"),
        ask("steatosis", "liver"),
        ask("steatosis", "pancreas"),
        ask("steatosis_grade", "liver"),
        ask("tumor_burden", "liver_lesion", "liver"),
        ask("tumor_burden", "kidney_cyst", "kidney"),
        ask("volume", "liver", unit="l"),
        ask("volume", "kidney", unit="ml"),
        ask("volume", "aorta", unit="ml"),
        ask("long_axis", "spleen", unit="cm"),
        ask("distance", "pancreas_pdac", "spleen", unit="cm"),
        ask("lesion_exists", "liver_lesion", negated=True),
        ask("lesion_exists", "spleen_lesion", negated=True),
        ask("enlarged", "spleen", negated=True),
        ask("enlarged", "spleen", explain=True),
        ask("exists", "liver", negated=True),
    ]


def everyday_queries() -> list[Query]:
    """Queries on single lesions by number, on two of them, on all of them, and on one structure as a whole."""
    numbered = ("lesion_numbered", "numbered_hu", "numbered_place", "numbered_size", "numbered_slice",
                "numbered_volume")  # fmt: skip
    lesions = ("liver_lesion#1", "liver_lesion#0", "liver_lesion#99", "kidney_rcc_left#1", "spleen_lesion#1")
    return [
        *[ask(kind, lesion) for kind in numbered for lesion in lesions],
        *[ask("other_lesion", lesion) for lesion in ("liver_lesion#1", "kidney_rcc_left#1", "liver_lesion#7")],
        *[ask("organ_about", i) for i in ("liver", "kidney", "spleen", "aorta", "gallbladder", "prostate")],
        ask("lesion_pair", "liver_lesion"), ask("lesion_pair", "pancreas_lesion"),
        ask("lesion_pair", "liver_lesion#1", "kidney_rcc_left#1"),
        ask("lesion_pair", "liver_lesion#1", "liver_lesion#9"),
        ask("lesions_by_size"), ask("largest_lesion_of_all"), ask("numbered_size", "liver_lesion#1", unit="cm"),
    ]  # fmt: skip


def tumour_queries() -> list[Query]:
    """Queries whose evidence is forged to test the gates; the first five need what only a person can declare."""
    return [
        *(ask(kind, "pancreas_pdac") for kind in ("stage", "category_t", "category_n", "category_m", "resectability")),
        ask("fleischner", "lung"),
        ask("lesion_type", "kidney_rcc"),
        ask("lesion_type", "kidney_rcc_left"),
        ask("lesion_list", "liver_lesion"),
        ask("lesion_count_sized", "liver_lesion", comparator="gt", threshold=2.5, threshold_unit="cm"),
        ask("lesion_location", "liver_lesion"),
        ask("adjacent_vessels", "pancreas_pdac"),
        ask("vessel_contact", "pancreas_pdac", "superior_mesenteric_artery"),
        ask("vessel_encased", "pancreas_pdac", "superior_mesenteric_artery"),
        ask("distance", "pancreas_pdac", "spleen"),
        ask("distance", "liver_hcc", "gallbladder"),
        ask("volume", "liver"),
    ]
