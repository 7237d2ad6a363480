"""Liver: TNM of hepatocellular carcinoma, LI-RADS, clustering, signs of portal hypertension."""

from __future__ import annotations

from itertools import product

from tests.clinical.table import Expected, Fact, any_of, grid, sweep

T, N, M, STAGE = "liver-t-ajcc8", "liver-n-ajcc8", "liver-m-ajcc8", "liver-stage-ajcc8"
LIRADS, CLUSTER = "liver-lirads-2018", "liver-clustering-knowledge-base"
SIGNS = ("liver-portal-hypertension-signs", "liver-portal-hypertension-knowledge-base")
CLEAR: dict[str, Fact] = {"vessels": "none", "beyond": False}

_TNM: list[Expected] = [
    *sweep(T, "size", [(0.5, "T1a"), (1.99, "T1a"), (2.0, "T1a"), (2.01, "T1b"), (8, "T1b")], count=1, **CLEAR),
    *sweep(T, "size", [(1.99, "T1a"), (2.0, "T1a"), (2.01, "T2"), (8, "T2")], count=1, vessels="minor", beyond=False),
    *sweep(T, "size", [(1.0, "T2"), (4.99, "T2"), (5.0, "T2"), (5.01, "T3")], count=2, **CLEAR),
    *sweep(T, "size", [(1.0, "T2"), (5.0, "T2"), (5.01, "T3")], count=7, vessels="minor", beyond=False),
    *sweep(T, "count", [(1, "T1b"), (1.5, "T1b"), (2, "T2"), (2.5, "T2"), (3, "T2")], size=3.0, **CLEAR),
    Expected(T, {"vessels": "major"}, "T4"),
    Expected(T, {"beyond": True}, "T4"),
    Expected(T, {"count": 1, "size": 1.0, "vessels": "major", "beyond": False}, "T4"),
    any_of(T, ("T4", "T1a"), count=1, size=1.0),
    any_of(T, ("T4", "T2", "T1b"), count=1, size=3.0),
    any_of(T, ("T4", "T3"), count=3, size=6.0),
    any_of(T, ("T3", "T1b"), size=6.0, **CLEAR),
    any_of(T, ("T4", "T3", "T2", "T1a", "T1b")),
    *sweep(N, "cn", [("0", "N0"), ("1", "N1")]),
    *sweep(N, "nodes", [(0, "N0"), (0.5, "N0"), (1, "N1"), (1.5, "N1")], cn="0"),
    Expected(N, {"nodes": 1}, "N1"),
    any_of(N, ("N1", "N0"), nodes=0),
    any_of(N, ("N1", "N0")),
    *sweep(M, "cm", [("0", "M0"), ("1", "M1")]),
    *(Expected(M, {site: True}, "M1") for site in ("metastasis", "distant")),
    *(any_of(M, ("M1", "M0"), **{site: False}) for site in ("metastasis", "distant")),
    Expected(M, {"metastasis": False, "distant": False, "cm": "0"}, "M0"),
    any_of(M, ("M1", "M0")),
    *grid(
        STAGE,
        """
        N0    N1
        T1a  IA    IVA
        T1b  IB    IVA
        T2   II    IVA
        T3   IIIA  IVA
        T4   IIIB  IVA
        """,
        m="M0",
    ),
    Expected(STAGE, {"m": "M1"}, "IVB"),
    Expected(STAGE, {"n": "N1", "m": "M0"}, "IVA"),
    any_of(STAGE, ("IVB", "IVA"), n="N1"),
    any_of(STAGE, ("IVA", "II"), t="T2", m="M0"),
    any_of(STAGE, ("IVB", "II"), t="T2", n="N0"),
    any_of(STAGE, ("IVB", "IVA", "IIIB", "IIIA", "II", "IB", "IA")),
]

BASE: dict[str, Fact] = {"vein": False, "benign": "none", "targetoid": False}


def lirads(aphe: bool, size: float, washout: bool, capsule: bool, growth: bool) -> str:
    """The diagnostic table of version 2018, read column by column."""
    more = washout + capsule + growth
    if not aphe:
        if size < 20:
            return "LR-4" if more >= 2 else "LR-3"
        return "LR-4" if more >= 1 else "LR-3"
    if size < 10:
        return "LR-4" if more >= 1 else "LR-3"
    if size < 20:
        if more == 0:
            return "LR-3"
        return "LR-4" if more == 1 and capsule else "LR-5"
    return "LR-5" if more >= 1 else "LR-4"


_LIRADS: list[Expected] = [
    *(
        Expected(
            LIRADS,
            {**BASE, "aphe": a, "size": s, "washout": w, "capsule": c, "growth": g},
            lirads(a, s, w, c, g),
        )
        for a, w, c, g in product((False, True), repeat=4)
        for s in (5.0, 9.99, 10.0, 10.01, 19.99, 20.0, 20.01, 60.0)
    ),
    Expected(LIRADS, {"vein": True}, "LR-TIV"),
    Expected(LIRADS, {"vein": False, "benign": "definitely"}, "LR-1"),
    Expected(LIRADS, {"vein": False, "benign": "probably"}, "LR-2"),
    Expected(LIRADS, {"vein": False, "benign": "none", "targetoid": True}, "LR-M"),
    any_of(LIRADS, ("LR-5", "LR-4", "LR-3"), **BASE),
    any_of(LIRADS, ("LR-TIV", "LR-5"), benign="none", targetoid=False, aphe=True, size=30.0, washout=True),
    any_of(LIRADS, ("LR-5", "LR-4"), **BASE, aphe=True, size=30.0),
]

_CLUSTER: list[Expected] = [
    *sweep(CLUSTER, "top", [(49.99, "somewhat clustered"), (50.0, "somewhat clustered"), (50.01, "highly clustered"),
                            (100, "highly clustered")], two=100.0),
    *sweep(CLUSTER, "two", [(74.99, "widely distributed"), (75.0, "somewhat clustered"), (75.01, "somewhat clustered")],
           top=40.0),
    Expected(CLUSTER, {"top": 60.0}, "highly clustered"),
    any_of(CLUSTER, ("somewhat clustered", "widely distributed"), top=40.0),
    any_of(CLUSTER, ("highly clustered", "somewhat clustered"), two=80.0),
]  # fmt: skip

NO_SIGN: dict[str, Fact] = {"spleen": 200.0, "caudate": 0.4, "ascites": False, "collaterals": False}


def _but(name: str) -> dict[str, Fact]:
    return {key: value for key, value in NO_SIGN.items() if key != name}


_SIGNS: list[Expected] = [
    case
    for rule in SIGNS
    for case in (
        Expected(rule, NO_SIGN, False),
        *sweep(rule, "spleen", [(314.49, False), (314.5, False), (314.51, True)], **_but("spleen")),
        *sweep(rule, "caudate", [(0.64, False), (0.65, False), (0.66, True)], **_but("caudate")),
        *sweep(rule, "ascites", [(False, False), (True, True)], **_but("ascites")),
        *sweep(rule, "collaterals", [(False, False), (True, True)], **_but("collaterals")),
        *(any_of(rule, (True, False), **_but(name)) for name in NO_SIGN),
        Expected(rule, {"spleen": 400.0}, True),
        Expected(rule, {"ascites": True}, True),
        any_of(rule, (True, False)),
    )
]

CASES = [*_TNM, *_LIRADS, *_CLUSTER, *_SIGNS]
