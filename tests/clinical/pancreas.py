"""Pancreas: TNM of the 8th edition, resectability, cysts, cues for the type of a tumour."""

from __future__ import annotations

from tests.clinical.table import Expected, any_of, grid, sweep

T, N, M, STAGE = "pancreas-t-ajcc8", "pancreas-n-ajcc8", "pancreas-m-ajcc8", "pancreas-stage-ajcc8"
SIMPLE_T = "pancreas-t-deeptumorvqa"
NCCN, RADGPT = "pancreas-resectability-nccn", "pancreas-resectability-radgpt"
RESECT, PSEUDO, CUES = (
    "pancreas-cyst-resection-knowledge-base",
    "pancreas-pseudocyst-chalian",
    "pancreas-pdac-pnet-cues",
)
FREE = {"sma": 0.0, "celiac": 0.0, "cha": 0.0}
APART = {**FREE, "smv": 0.0, "portal": 0.0, "cava": 0.0}
LIMITS = [
    (0.1, "T1a"), (0.49, "T1a"), (0.5, "T1a"), (0.51, "T1b"), (0.99, "T1b"), (1.0, "T1c"), (1.01, "T1c"),
    (1.99, "T1c"), (2.0, "T1c"), (2.01, "T2"), (3.99, "T2"), (4.0, "T2"), (4.01, "T3"), (12.0, "T3"),
]  # fmt: skip
OPEN_T = ("T4", "T3", "T2", "T1c", "T1b", "T1a")
R, B, L = "resectable", "borderline resectable", "locally advanced"

_T: list[Expected] = [
    *sweep(T, "size", LIMITS, **FREE),
    *sweep(T, "size", LIMITS, artery=False),
    # whatever the size, and whatever nobody looked at
    *(case for vessel in FREE for case in sweep(T, vessel, [(180.01, "T4"), (360, "T4")])),
    Expected(T, {"size": 1.0, "artery": True}, "T4"),
    Expected(T, {**FREE, "size": 1.0, "artery": True}, "T4"),
    Expected(T, {**FREE, "sma": 200.0, "size": 1.0, "artery": False}, "T4"),
    # contact of up to a half is no involvement by itself, nor is it none
    *(any_of(T, ("T4", "T2"), **{**FREE, v: deg, "size": 3.0}) for v in FREE for deg in (0.01, 90, 179.99, 180)),
    *(Expected(T, {**FREE, v: 90.0, "size": 3.0, "artery": False}, "T2") for v in FREE),
    *(Expected(T, {**FREE, v: 90.0, "size": 3.0, "artery": True}, "T4") for v in FREE),
    # what nobody looked at stays open
    any_of(T, ("T4", "T2"), size=3.0),
    any_of(T, ("T4", "T2"), size=3.0, sma=0.0, celiac=0.0),
    any_of(T, OPEN_T),
    any_of(T, OPEN_T[1:], **FREE),
    *sweep(
        SIMPLE_T, "size",
        [(0.5, "T1"), (1.99, "T1"), (2.0, "T1"), (2.01, "T2"), (3.99, "T2"), (4.0, "T2"), (4.01, "T3")], **FREE,
    ),
    *(case for v in FREE for case in sweep(SIMPLE_T, v, [(179.99, "T1"), (180, "T4"), (180.01, "T4")],
                                           **{"size": 1.0, **{k: 0.0 for k in FREE if k != v}})),
    Expected(SIMPLE_T, {"sma": 180.0}, "T4"),
    any_of(SIMPLE_T, ("T4", "T1"), size=1.0),
    any_of(SIMPLE_T, ("T3", "T2", "T1"), **FREE),
]  # fmt: skip

_NM: list[Expected] = [
    *sweep(N, "cn", [("0", "N0"), ("1", "N1"), ("2", "N2")]),
    *sweep(N, "nodes", [(3, "N1"), (3.5, "N1"), (4, "N2"), (4.5, "N2"), (9, "N2")], cn="0"),
    *sweep(N, "nodes", [(0, "N0"), (0.5, "N0"), (1, "N1"), (1.5, "N1")], cn="0"),
    Expected(N, {"nodes": 4}, "N2"),
    any_of(N, ("N2", "N1"), nodes=2),
    any_of(N, ("N2", "N1", "N0"), nodes=0),
    any_of(N, ("N2", "N1", "N0")),
    *sweep(M, "cm", [("0", "M0"), ("1", "M1")]),
    *(Expected(M, {site: True}, "M1") for site in ("metastasis", "distant")),
    *(Expected(M, {site: True, "cm": "0"}, "M1") for site in ("metastasis", "distant")),
    *(any_of(M, ("M1", "M0"), **{site: False}) for site in ("metastasis", "distant")),
    Expected(M, {"metastasis": False, "distant": False, "cm": "0"}, "M0"),
    any_of(M, ("M1", "M0")),
]

_STAGE: list[Expected] = [
    *grid(
        STAGE,
        """
        N0   N1   N2
        T1   IA   IIB  III
        T1a  IA   IIB  III
        T1b  IA   IIB  III
        T1c  IA   IIB  III
        T2   IB   IIB  III
        T3   IIA  IIB  III
        T4   III  III  III
        """,
        m="M0",
    ),
    Expected(STAGE, {"m": "M1"}, "IV"),
    Expected(STAGE, {"t": "T1a", "n": "N0", "m": "M1"}, "IV"),
    Expected(STAGE, {"t": "T4", "m": "M0"}, "III"),
    Expected(STAGE, {"n": "N2", "m": "M0"}, "III"),
    any_of(STAGE, ("IV", "IB"), t="T2", n="N0"),
    any_of(STAGE, ("III", "IIB", "IB"), t="T2", m="M0"),
    any_of(STAGE, ("III", "IIA", "IB", "IA"), n="N0", m="M0"),
    any_of(STAGE, ("IV", "III", "IIB", "IIA", "IB", "IA")),
]

_RESECTABILITY: list[Expected] = [
    Expected(NCCN, APART, R),
    *(case for v in ("sma", "celiac") for case in sweep(
        NCCN, v, [(0, R), (0.01, B), (90, B), (179.99, B), (180, B), (180.01, L), (360, L)],
        **{k: 0.0 for k in APART if k != v})),
    *(Expected(NCCN, {v: 181.0}, L) for v in ("sma", "celiac")),
    *sweep(NCCN, "cha", [(0, R), (0.01, B), (200, B)], **{k: 0.0 for k in APART if k != "cha"}, artery_rebuilt=True),
    Expected(NCCN, {**APART, "cha": 50.0, "artery_rebuilt": False}, L),
    any_of(NCCN, (L, B), **{**APART, "cha": 50.0}),
    *sweep(NCCN, "cava", [(0, R), (0.01, B)], **{k: 0.0 for k in APART if k != "cava"}),
    # veins: contour, thrombosis and whether they can be rebuilt are told by a person
    *(case for v in ("smv", "portal") for case in sweep(
        NCCN, v, [(0, R), (0.01, R), (179.99, R), (180, R), (180.01, B), (360, B)],
        **{k: 0.0 for k in APART if k != v}, irregular=False, thrombosis=False, rebuilt=True)),
    *(Expected(NCCN, {**APART, v: 90.0, "thrombosis": False, "irregular": True, "rebuilt": True}, B)
      for v in ("smv", "portal")),
    *(Expected(NCCN, {**APART, v: 90.0, "thrombosis": True, "irregular": False, "rebuilt": True}, B)
      for v in ("smv", "portal")),
    *(Expected(NCCN, {**APART, v: 90.0, "irregular": True, "rebuilt": False}, L) for v in ("smv", "portal")),
    *(Expected(NCCN, {**APART, v: 90.0, "thrombosis": True, "rebuilt": False}, L) for v in ("smv", "portal")),
    *(Expected(NCCN, {**APART, v: 200.0, "rebuilt": False}, L) for v in ("smv", "portal")),
    *(any_of(NCCN, (L, B, R), **{**APART, v: 90.0}) for v in ("smv", "portal")),
    *(any_of(NCCN, (L, B), **{**APART, v: 200.0}) for v in ("smv", "portal")),
    Expected(NCCN, {**APART, "irregular": True, "thrombosis": True, "rebuilt": False}, R),
    *sweep(NCCN, "cha", [(0, R), (0.01, L)], **{k: 0.0 for k in APART if k != "cha"}, artery_rebuilt=False),
    *(case for v in ("smv", "portal") for case in sweep(
        NCCN, v, [(0, R), (0.01, R), (179.99, R), (180, R), (180.01, L)],
        **{k: 0.0 for k in APART if k != v}, irregular=False, thrombosis=False, rebuilt=False)),
    *(case for v in ("smv", "portal") for sign in ("irregular", "thrombosis") for rebuilt in (True, False)
      for case in sweep(NCCN, v, [(0, R), (0.01, B if rebuilt else L)], rebuilt=rebuilt, **{
          **{k: 0.0 for k in APART if k != v}, "irregular": False, "thrombosis": False, sign: True})),
    # what nobody looked at stays open
    any_of(NCCN, (L, B, R)),
    any_of(NCCN, (L, B), sma=90.0),
    any_of(NCCN, (L, B, R), **{k: 0.0 for k in APART if k != "sma"}),
    any_of(NCCN, (B, R), **{k: 0.0 for k in APART if k != "cava"}),
    Expected(RADGPT, {k: 0.0 for k in APART if k != "cava"}, R),
    *(case for v in ("sma", "celiac") for case in sweep(RADGPT, v, [(180.01, "unresectable"), (300, "unresectable")])),
    *sweep(RADGPT, "sma", [(0, R), (0.01, B), (179.99, B), (180, "not classified"), (180.01, "unresectable")],
           celiac=0.0, cha=0.0, smv=0.0, portal=0.0),
    *sweep(RADGPT, "celiac", [(0, R), (0.01, "not classified"), (179.99, "not classified"), (180, "not classified"),
                             (180.01, "unresectable")],
           sma=0.0, cha=0.0, smv=0.0, portal=0.0),
    *sweep(RADGPT, "cha", [(0, R), (0.01, B), (300, B)], sma=0.0, celiac=0.0, smv=0.0, portal=0.0),
    *(case for v in ("smv", "portal") for case in sweep(
        RADGPT, v, [(0, R), (0.01, "not classified")],
        **{k: 0.0 for k in ("sma", "celiac", "cha", "smv", "portal") if k != v})),
    any_of(RADGPT, ("unresectable", R, B, "not classified")),
]  # fmt: skip

_OTHER: list[Expected] = [
    *sweep(RESECT, "volume", [(2.99, False), (3.0, False), (3.01, True)], size=1.0),
    *sweep(RESECT, "size", [(2.99, False), (3.0, False), (3.01, True)], volume=1.0),
    Expected(RESECT, {"size": 3.5}, True),
    Expected(RESECT, {"volume": 3.5}, True),
    any_of(RESECT, (True, False), size=2.0),
    any_of(RESECT, (True, False), volume=2.0),
    *sweep(PSEUDO, "hu", [(5, "mucinous cyst"), (14.49, "mucinous cyst"), (14.5, "mucinous cyst"),
                          (14.51, "pseudocyst"), (30, "pseudocyst")]),
    any_of(PSEUDO, ("pseudocyst", "mucinous cyst")),
    Expected(CUES, {"pdac": True, "pnet": False, "ratio": 1.4, "phase": "arterial"}, "PDAC"),
    Expected(CUES, {"pdac": True}, "PDAC"),
    Expected(CUES, {"pnet": True, "ratio": 0.5}, "PNET"),
    Expected(CUES, {"pdac": True, "pnet": True}, "PDAC and PNET"),
    Expected(CUES, {"pdac": False, "pnet": True}, "PNET"),
    *sweep(CUES, "ratio", [(0.99, "cue for PDAC"), (1.0, "no cue"), (1.01, "cue for PNET")], phase="arterial"),
    *(case for phase in ("native", "portal", "delayed")
      for case in sweep(CUES, "ratio", [(0.99, "cue for PDAC"), (1.0, "no cue"), (1.01, "no cue")], phase=phase)),
    any_of(CUES, ("cue for PNET", "no cue"), ratio=1.2),
    any_of(CUES, ("cue for PDAC", "no cue"), phase="portal"),
    Expected(CUES, {"pdac": False, "pnet": False, "ratio": 0.7}, "cue for PDAC"),
]  # fmt: skip

CASES = [*_T, *_NM, *_STAGE, *_RESECTABILITY, *_OTHER]
