"""Kidney: TNM of renal cell carcinoma, attenuation, Bosniak classes."""

from __future__ import annotations

from tests.clinical.table import Expected, Fact, any_of, grid, sweep

T, N, M, STAGE = "kidney-t-ajcc8", "kidney-n-ajcc8", "kidney-m-ajcc8", "kidney-stage-ajcc8"
BANDS, SOLID, TYPE = "kidney-hu-bands", "kidney-solid-ajr", "kidney-lesion-type-knowledge-base"
BOSNIAK = "kidney-bosniak-2019"

_TNM: list[Expected] = [
    *sweep(
        T, "size",
        [(1, "T1a"), (3.99, "T1a"), (4.0, "T1a"), (4.01, "T1b"), (6.99, "T1b"), (7.0, "T1b"), (7.01, "T2a"),
         (9.99, "T2a"), (10.0, "T2a"), (10.01, "T2b"), (18, "T2b")],
        extension="none",
    ),
    *sweep(
        T, "extension",
        [("renal_vein", "T3a"), ("sinus_fat", "T3a"), ("perirenal_fat", "T3a"), ("collecting_system", "T3a"),
         ("ivc_below", "T3b"), ("ivc_above", "T3c"), ("ivc_wall", "T3c"), ("beyond_gerota", "T4"), ("adrenal", "T4")],
    ),
    *(Expected(T, {"size": 2.0, "extension": e}, v) for e, v in (("renal_vein", "T3a"), ("adrenal", "T4"))),
    any_of(T, ("T4", "T3c", "T3b", "T3a", "T1b"), size=5.0),
    any_of(T, ("T2b", "T2a", "T1b", "T1a"), extension="none"),
    any_of(T, ("T4", "T3c", "T3b", "T3a", "T2b", "T2a", "T1b", "T1a")),
    *sweep(N, "cn", [("0", "N0"), ("1", "N1")]),
    *sweep(N, "nodes", [(0, "N0"), (0.5, "N0"), (1, "N1"), (1.5, "N1")], cn="0"),
    Expected(N, {"nodes": 1}, "N1"),
    any_of(N, ("N1", "N0"), nodes=0),
    any_of(N, ("N1", "N0")),
    *sweep(M, "cm", [("0", "M0"), ("1", "M1")]),
    *(Expected(M, {site: True}, "M1") for site in ("metastasis", "distant")),
    *(Expected(M, {site: True, "cm": "0"}, "M1") for site in ("metastasis", "distant")),
    *(any_of(M, ("M1", "M0"), **{site: False}) for site in ("metastasis", "distant")),
    any_of(M, ("M1", "M0")),
    *grid(
        STAGE,
        """
        N0    N1
        T1a  I     III
        T1b  I     III
        T2a  II    III
        T2b  II    III
        T3a  III   III
        T3b  III   III
        T3c  III   III
        T4   IV    IV
        """,
        m="M0",
    ),
    Expected(STAGE, {"m": "M1"}, "IV"),
    Expected(STAGE, {"t": "T4"}, "IV"),
    Expected(STAGE, {"t": "T3b", "m": "M0"}, "III"),
    Expected(STAGE, {"n": "N1", "m": "M0", "t": "T1a"}, "III"),
    any_of(STAGE, ("IV", "I"), t="T1a", n="N0"),
    any_of(STAGE, ("III", "II"), t="T2a", m="M0"),
    any_of(STAGE, ("IV", "III"), n="N1", m="M0"),
    any_of(STAGE, ("IV", "III", "II", "I")),
]  # fmt: skip

_BANDS = [
    (-80, "undefined"), (-10.01, "undefined"), (-10, "simple cyst"), (-9.99, "simple cyst"), (19.99, "simple cyst"),
    (20, "simple cyst"), (20.01, "indeterminate"), (69.99, "indeterminate"), (70, "indeterminate"),
    (70.01, "hyperattenuating cyst"), (150, "hyperattenuating cyst"),
]  # fmt: skip
_HU: list[Expected] = [
    *sweep(BANDS, "hu", _BANDS, phase="native"),
    *sweep(BANDS, "hu", _BANDS),
    any_of(BANDS, ("undefined", "simple cyst", "indeterminate", "hyperattenuating cyst"), phase="native"),
    *sweep(SOLID, "hu", [(10, False), (34.79, False), (34.8, False), (34.81, True), (90, True)]),
    any_of(SOLID, (True, False)),
    *sweep(TYPE, "hu", [(10, "cyst"), (34.79, "cyst"), (34.8, "cyst"), (34.81, "tumor"), (90, "tumor")]),
    any_of(TYPE, ("tumor", "cyst")),
]

PLAIN: dict[str, Fact] = {
    "protocol": True, "enhancement": True, "acute": False, "nodule": 0.0, "irregular": False, "wall": 1.0,
    "septa_mm": 0.0, "septa": 0, "calcification": False, "hu": 5.0,
}  # fmt: skip
DEAD: dict[str, Fact] = {**PLAIN, "enhancement": False}


def _with(name: str, base: dict[str, Fact], rows: list[tuple[Fact, str]]) -> list[Expected]:
    return sweep(BOSNIAK, name, rows, **{key: value for key, value in base.items() if key != name})


_BOSNIAK: list[Expected] = [
    Expected(BOSNIAK, PLAIN, "I"),
    *_with("acute", PLAIN, [(True, "IV")]),
    *_with("nodule", PLAIN, [(3.99, "I"), (4, "IV"), (4.01, "IV")]),
    *_with("irregular", PLAIN, [(True, "III")]),
    *_with("wall", PLAIN, [(1.99, "I"), (2, "I"), (2.01, "IIF"), (3, "IIF"), (3.99, "IIF"), (4, "III"), (4.01, "III")]),
    *_with("septa_mm", {**PLAIN, "septa": 1},
           [(1.99, "II"), (2, "II"), (2.01, "IIF"), (3.99, "IIF"), (4, "III"), (4.01, "III")]),
    *_with("septa", PLAIN, [(0, "I"), (0.5, "I"), (1, "II"), (1.5, "II"), (3, "II"), (3.99, "II"), (4, "IIF"),
                            (4.01, "IIF")]),
    *_with("calcification", PLAIN, [(True, "II")]),
    *_with("hu", PLAIN, [(-30, "II"), (-9.01, "II"), (-9, "I"), (-8.99, "I"), (19.99, "I"), (20, "I"), (20.01, "II"),
                         (90, "II")]),
    # what does not enhance is no more than class II
    *_with("wall", DEAD, [(1, "I"), (6, "I")]),
    *_with("septa", DEAD, [(0, "I"), (3, "II"), (9, "II")]),
    *_with("acute", DEAD, [(True, "I")]),
    *_with("nodule", DEAD, [(9, "I")]),
    Expected(BOSNIAK, {"enhancement": True, "acute": True}, "IV"),
    any_of(BOSNIAK, ("III", "I"), **{k: v for k, v in PLAIN.items() if k != "irregular"}),
    any_of(BOSNIAK, ("IIF", "I"), **{k: v for k, v in {**PLAIN, "wall": 3.0}.items() if k != "enhancement"}),
    any_of(BOSNIAK, ("IV", "III", "IIF", "II", "I")),
]  # fmt: skip

CASES = [*_TNM, *_HU, *_BOSNIAK]
