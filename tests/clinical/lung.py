"""Lung: TNM, and the follow-up of nodules found by chance."""

from __future__ import annotations

from tests.clinical.table import Expected, Fact, any_of, grid, sweep

T, N, M, STAGE = "lung-t-ajcc8", "lung-n-ajcc8", "lung-m-ajcc8", "lung-stage-ajcc8"
ALONE: dict[str, Fact] = {"extension": "none", "satellite": "none"}
T2 = ("main_bronchus", "visceral_pleura", "atelectasis")
T3 = ("chest_wall", "parietal_pericardium", "phrenic_nerve")
T4 = (
    "mediastinum", "diaphragm", "heart", "great_vessels", "trachea", "carina", "recurrent_nerve", "esophagus",
    "vertebra",
)  # fmt: skip

_T: list[Expected] = [
    *sweep(
        T, "size",
        [(0.5, "T1a"), (0.99, "T1a"), (1, "T1a"), (1.01, "T1b"), (1.99, "T1b"), (2, "T1b"), (2.01, "T1c"),
         (2.99, "T1c"), (3, "T1c"), (3.01, "T2a"), (3.99, "T2a"), (4, "T2a"), (4.01, "T2b"), (4.99, "T2b"), (5, "T2b"),
         (5.01, "T3"), (6.99, "T3"), (7, "T3"), (7.01, "T4"), (15, "T4")],
        **ALONE,
    ),
    *(case for e in T2 for case in sweep(T, "size", [(2, "T2a"), (4, "T2a"), (4.01, "T2b"), (6, "T3")],
                                         extension=e, satellite="none")),
    *(Expected(T, {"size": 2.0, "extension": e, "satellite": "none"}, "T3") for e in T3),
    *(Expected(T, {"extension": e}, "T4") for e in T4),
    *sweep(T, "satellite", [("same_lobe", "T3"), ("other_lobe", "T4")], size=2.0, extension="none"),
    Expected(T, {"size": 8.0}, "T4"),
    Expected(T, {"satellite": "other_lobe"}, "T4"),
    any_of(T, ("T4", "T3", "T2a", "T1b"), size=2.0),
    any_of(T, ("T4", "T3", "T1b"), size=2.0, extension="none"),
    any_of(T, ("T4", "T3", "T2b", "T2a", "T1c", "T1b", "T1a")),
]  # fmt: skip

_NM: list[Expected] = [
    *sweep(N, "cn", [("0", "N0"), ("1", "N1"), ("2", "N2"), ("3", "N3")]),
    *sweep(N, "nodes", [(0, "N0"), (0.5, "N0"), (1, "N1"), (1.5, "N1")], cn="0"),
    any_of(N, ("N3", "N2", "N1"), nodes=2),
    any_of(N, ("N3", "N2", "N1", "N0"), nodes=0),
    any_of(N, ("N3", "N2", "N1", "N0")),
    *sweep(M, "cm", [("0", "M0"), ("1", "M1"), ("1a", "M1a"), ("1b", "M1b"), ("1c", "M1c")]),
    *(Expected(M, {site: True}, "M1") for site in ("metastasis", "distant")),
    *(Expected(M, {site: True, "cm": cm}, "M" + cm) for site in ("metastasis", "distant") for cm in ("1a", "1b", "1c")),
    *(Expected(M, {site: True, "cm": "0"}, "M1") for site in ("metastasis", "distant")),
    any_of(M, ("M1c", "M1b", "M1a", "M1", "M0"), metastasis=False),
    any_of(M, ("M1c", "M1b", "M1a", "M1", "M0"), distant=False),
]

_STAGE: list[Expected] = [
    *grid(
        STAGE,
        """
        N0    N1    N2    N3
        T1a  IA1   IIB   IIIA  IIIB
        T1b  IA2   IIB   IIIA  IIIB
        T1c  IA3   IIB   IIIA  IIIB
        T2a  IB    IIB   IIIA  IIIB
        T2b  IIA   IIB   IIIA  IIIB
        T3   IIB   IIIA  IIIB  IIIC
        T4   IIIA  IIIA  IIIB  IIIC
        """,
        m="M0",
    ),
    *sweep(STAGE, "m", [("M1a", "IVA"), ("M1b", "IVA"), ("M1c", "IVB"), ("M1", "IV")]),
    any_of(STAGE, ("IVB", "IVA", "IV", "IB"), t="T2a", n="N0"),
    any_of(STAGE, ("IIIB", "IIIA", "IIB", "IB"), t="T2a", m="M0"),
    any_of(STAGE, ("IIIC", "IIIB"), n="N3", m="M0"),
]

NONE, OPTIONAL = "no routine follow-up", "optional CT at 12 months"
SOLID = {
    # risk, single: below 6 mm, 6 to 8 mm, above 8 mm
    ("low", 1): (
        NONE, "CT at 6 to 12 months, then consider CT at 18 to 24 months",
        "consider CT at 3 months, PET/CT or tissue sampling",
    ),
    ("high", 1): (
        OPTIONAL, "CT at 6 to 12 months, then CT at 18 to 24 months",
        "consider CT at 3 months, PET/CT or tissue sampling",
    ),
    ("low", 2): (NONE, *["CT at 3 to 6 months, then consider CT at 18 to 24 months"] * 2),
    ("high", 2): (OPTIONAL, *["CT at 3 to 6 months, then CT at 18 to 24 months"] * 2),
}  # fmt: skip
SUBSOLID = {
    # below 6 mm, from 6 mm on
    ("ground_glass", 1): (NONE, "CT at 6 to 12 months for persistence, then CT every 2 years until 5 years"),
    ("part_solid", 1): (
        NONE, "CT at 3 to 6 months for persistence, then yearly CT for 5 years while the solid part stays below 6 mm",
    ),
    ("ground_glass", 2): (
        "CT at 3 to 6 months, then consider CT at 2 and 4 years",
        "CT at 3 to 6 months, then by the most suspicious nodule",
    ),
    ("part_solid", 2): (
        "CT at 3 to 6 months, then consider CT at 2 and 4 years",
        "CT at 3 to 6 months, then by the most suspicious nodule",
    ),
}  # fmt: skip
SCALES = {
    "lung-fleischner-2017": ((4, 5.99), (6, 6.01, 7.99, 8), (8.01, 20)),
    "lung-fleischner-2017-volume": ((60, 99.99), (100, 100.01, 249.99, 250), (250.01, 3000)),
}

_FLEISCHNER: list[Expected] = [
    *(
        Expected(rule, {"kind": "solid", "risk": risk, "count": count, "size": size}, advice[at])
        for rule, bands in SCALES.items()
        for (risk, count), advice in SOLID.items()
        for at, band in enumerate(bands)
        for size in band
    ),
    *(
        Expected(rule, {"kind": kind, "count": count, "size": size}, advice[at > 0])
        for rule, bands in SCALES.items()
        for (kind, count), advice in SUBSOLID.items()
        for at, band in enumerate(bands)
        for size in band
    ),
    *(
        case
        for rule, bands in SCALES.items()
        for case in (
            *sweep(rule, "count", [(1, SOLID["low", 1][1]), (1.99, SOLID["low", 1][1]), (2, SOLID["low", 2][1]),
                                   (2.01, SOLID["low", 2][1])], kind="solid", risk="low", size=float(bands[1][1])),
            any_of(rule, (NONE, OPTIONAL), kind="solid", count=1, size=float(bands[0][0])),
            any_of(rule, (SOLID["low", 1][1], SOLID["low", 2][1]), kind="solid", risk="low", size=float(bands[1][1])),
            any_of(rule, (NONE, SUBSOLID["ground_glass", 1][1]), kind="ground_glass", count=1),
            any_of(rule, (NONE, OPTIONAL, SUBSOLID["ground_glass", 2][0]), size=float(bands[0][0])),
        )
    ),
]  # fmt: skip

CASES = [*_T, *_NM, *_STAGE, *_FLEISCHNER]
