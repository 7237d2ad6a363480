"""Stomach, colon, esophagus: depth of invasion, nodes, metastases, clinical stage groups."""

from __future__ import annotations

from tests.clinical.table import Expected, any_of, grid, sweep

STOMACH_STAGE, COLON_STAGE, ESOPHAGUS_STAGE = "stomach-stage-ajcc8", "colon-stage-ajcc8", "esophagus-stage-ajcc8"
DEPTHS = {
    "stomach-t-ajcc8": [
        ("mucosa", "T1a"), ("submucosa", "T1b"), ("muscularis", "T2"), ("subserosa", "T3"), ("serosa", "T4a"),
        ("adjacent", "T4b"),
    ],
    "colon-t-ajcc8": [
        ("submucosa", "T1"), ("muscularis", "T2"), ("pericolic", "T3"), ("visceral_peritoneum", "T4a"),
        ("adjacent", "T4b"),
    ],
    "esophagus-t-ajcc8": [
        ("mucosa", "T1a"), ("submucosa", "T1b"), ("muscularis", "T2"), ("adventitia", "T3"),
        ("adjacent_resectable", "T4a"), ("adjacent_unresectable", "T4b"),
    ],
}  # fmt: skip
# number of nodes → category, at and beside every limit
NODES = {
    "stomach-n-ajcc8": [(0, "N0"), (0.5, "N0"), (1, "N1"), (1.5, "N1"), (2, "N1"), (2.5, "N1"), (3, "N2"), (3.5, "N2"),
                        (6, "N2"), (6.5, "N2"), (7, "N3a"), (7.5, "N3a"), (15, "N3a"), (15.5, "N3a"), (16, "N3b"),
                        (16.5, "N3b")],
    "colon-n-ajcc8": [(0, "N0"), (0.5, "N0"), (1, "N1a"), (1.5, "N1a"), (2, "N1b"), (2.5, "N1b"), (3, "N1b"),
                      (3.5, "N1b"), (4, "N2a"), (4.5, "N2a"), (6, "N2a"), (6.5, "N2a"), (7, "N2b"), (7.5, "N2b")],
    "esophagus-n-ajcc8": [(0, "N0"), (0.5, "N0"), (1, "N1"), (1.5, "N1"), (2, "N1"), (2.5, "N1"), (3, "N2"),
                          (3.5, "N2"), (6, "N2"), (6.5, "N2"), (7, "N3"), (7.5, "N3")],
}  # fmt: skip
DECLARED_N = {
    "stomach-n-ajcc8": ("N3b", "N3a", "N2", "N1", "N0"),
    "colon-n-ajcc8": ("N2b", "N2a", "N1b", "N1a", "N1c", "N0"),
    "esophagus-n-ajcc8": ("N3", "N2", "N1", "N0"),
}
DECLARED_M = {
    "stomach-m-ajcc8": ("M1", "M0"),
    "colon-m-ajcc8": ("M1c", "M1b", "M1a", "M1", "M0"),
    "esophagus-m-ajcc8": ("M1", "M0"),
}
SITES = ("metastasis", "distant")

_TNM: list[Expected] = [
    # the depth is declared or it is TX: no mask shows it
    *(case for rule, rows in DEPTHS.items() for case in sweep(rule, "depth", rows)),
    *(any_of(rule, [verdict for _, verdict in rows]) for rule, rows in DEPTHS.items()),
    *(case for rule, rows in NODES.items() for case in sweep(rule, "nodes", rows, cn="0")),
    *(Expected(rule, {"cn": one[1:]}, one) for rule, every in DECLARED_N.items() for one in every),
    *(any_of(rule, every) for rule, every in DECLARED_N.items()),
    *(any_of(rule, every, nodes=0) for rule, every in DECLARED_N.items()),
    any_of("stomach-n-ajcc8", ("N3b", "N3a", "N2"), nodes=4),
    any_of("colon-n-ajcc8", ("N2b", "N2a"), nodes=4),
    any_of("esophagus-n-ajcc8", ("N3", "N2"), nodes=4),
    *(Expected(rule, {"cm": one[1:]}, one) for rule, every in DECLARED_M.items() for one in every),
    *(Expected(rule, {site: True}, "M1") for rule in DECLARED_M for site in SITES),
    *(Expected(rule, {site: True, "cm": "0"}, "M1") for rule in DECLARED_M for site in SITES),
    *(any_of(rule, every, **{site: False}) for rule, every in DECLARED_M.items() for site in SITES),
    *(Expected("colon-m-ajcc8", {site: True, "cm": cm}, "M" + cm) for site in SITES for cm in ("1a", "1b", "1c")),
]

_STAGE: list[Expected] = [
    *grid(
        STOMACH_STAGE,
        """
        N0    N1    N2    N3a   N3b
        T1a  I     IIA   IIA   IIA   IIA
        T1b  I     IIA   IIA   IIA   IIA
        T2   I     IIA   IIA   IIA   IIA
        T3   IIB   III   III   III   III
        T4a  IIB   III   III   III   III
        T4b  IVA   IVA   IVA   IVA   IVA
        """,
        m="M0",
    ),
    Expected(STOMACH_STAGE, {"m": "M1"}, "IVB"),
    Expected(STOMACH_STAGE, {"t": "T4b", "m": "M0"}, "IVA"),
    any_of(STOMACH_STAGE, ("IVB", "IIB"), t="T3", n="N0"),
    any_of(STOMACH_STAGE, ("III", "IIB"), t="T3", m="M0"),
    any_of(STOMACH_STAGE, ("IVA", "I", "IIB"), n="N0", m="M0"),
    *grid(
        COLON_STAGE,
        """
        N0    N1a   N1b   N1c   N2a   N2b
        T1   I     IIIA  IIIA  IIIA  IIIA  IIIB
        T2   I     IIIA  IIIA  IIIA  IIIB  IIIB
        T3   IIA   IIIB  IIIB  IIIB  IIIB  IIIC
        T4a  IIB   IIIB  IIIB  IIIB  IIIC  IIIC
        T4b  IIC   IIIC  IIIC  IIIC  IIIC  IIIC
        """,
        m="M0",
    ),
    *sweep(COLON_STAGE, "m", [("M1a", "IVA"), ("M1b", "IVB"), ("M1c", "IVC"), ("M1", "IV")]),
    any_of(COLON_STAGE, ("I", "IIA", "IIB", "IIC"), n="N0", m="M0"),
    any_of(COLON_STAGE, ("IVC", "IVB", "IVA", "IV", "IIA"), t="T3", n="N0"),
    *grid(
        ESOPHAGUS_STAGE,
        """
        N0    N1    N2    N3
        T1a  I     I     III   IVA
        T1b  I     I     III   IVA
        T2   II    II    III   IVA
        T3   II    III   III   IVA
        T4a  IVA   IVA   IVA   IVA
        T4b  IVA   IVA   IVA   IVA
        """,
        m="M0", histology="squamous",
    ),
    *grid(
        ESOPHAGUS_STAGE,
        """
        N0    N1    N2    N3
        T1a  I     IIA   IVA   IVA
        T1b  I     IIA   IVA   IVA
        T2   IIB   III   IVA   IVA
        T3   III   III   IVA   IVA
        T4a  III   III   IVA   IVA
        T4b  IVA   IVA   IVA   IVA
        """,
        m="M0", histology="adenocarcinoma",
    ),
    # where both histologies agree, neither is needed
    Expected(ESOPHAGUS_STAGE, {"m": "M1"}, "IVB"),
    Expected(ESOPHAGUS_STAGE, {"n": "N3", "m": "M0"}, "IVA"),
    Expected(ESOPHAGUS_STAGE, {"t": "T1a", "n": "N0", "m": "M0"}, "I"),
    Expected(ESOPHAGUS_STAGE, {"t": "T3", "n": "N1", "m": "M0"}, "III"),
    any_of(ESOPHAGUS_STAGE, ("III", "II"), t="T3", n="N0", m="M0"),
    any_of(ESOPHAGUS_STAGE, ("IVA", "III"), t="T4a", n="N0", m="M0"),
]  # fmt: skip

CASES = [*_TNM, *_STAGE]
