"""Mutants of truthful conclusions: everything that a careless or dishonest model might change, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from agent.report_model import Binding
from agent.state import Claim, Conclusion, PathologyClaim, RunState
from tools.types import State

UNITS = ("cm3", "ml", "mm", "cm", "HU", "%", "1", None)
SYMBOLS = {"cm³": "ml", "ml": "cm³", "mm": "cm", "cm": "mm", "HU": "%", "%": "HU"}
ORGANS = ("liver", "spleen", "pancreas", "kidney", "aorta", "stomach", "duodenum")
OPPOSITES = {
    "greater": "less", "less": "greater", "greatest": "least", "least": "greatest", "at least": "at most",
    "at most": "at least", "enlarged": "small", "fatty": "lean", "mild": "severe", "completely": "hardly",
    "native": "portal", "was not assessed": "was assessed", "cannot be measured": "was measured",
    "was found": "was seen",
}  # fmt: skip

Mutant = tuple[str, Claim]


def claim_mutants(claim: Claim, state: RunState) -> Iterator[Mutant]:
    """Every mutant of one claim, with a name for what was changed."""
    for name, changes in (
        *_text(claim),
        *_numbers(claim),
        *_typed(claim),
        *_evidence(claim, state),
        *_bindings(claim, state),
    ):
        mutant = claim.model_copy(update=changes)
        if mutant != claim or type(mutant.value) is not type(claim.value):
            yield name, mutant


Change = tuple[str, dict[str, Any]]


def _text(claim: Claim) -> Iterator[Change]:
    for name, text in (*_marks(claim.text), *_words(claim.text)):
        yield name, {"text": text}
    if "lesion" in claim.text:
        text, target = claim.text.replace("lesion", "metastasis"), claim.target.replace("lesion", "metastasis")
        yield "lesion becomes metastasis", {"text": text}
        yield "lesion becomes metastasis", {"text": text, "target": target}
    for other in ("", claim.text + " There is no metastasis.", claim.text.lower()):
        yield "text", {"text": other}


def _marks(text: str) -> Iterator[tuple[str, str]]:
    for found in re.finditer(r"\d+", text):
        digits = found.group()
        for other in (str(int(digits) + 1), digits[:-1] or "00", digits + "0"):
            yield "number in the text", text[: found.start()] + other + text[found.end() :]
    for one, other in (("left", "right"), ("right", "left")):
        for found in re.finditer(rf"\b{one}\b", text):
            yield "side in the text", text[: found.start()] + other + text[found.end() :]


def _words(text: str) -> Iterator[tuple[str, str]]:
    for organ in ORGANS:
        if organ in text:
            for other in ORGANS:
                if other != organ:
                    yield "organ in the text", text.replace(organ, other, 1)
    for symbol, other in SYMBOLS.items():
        if f" {symbol}" in text:
            yield "unit in the text", text.replace(f" {symbol}", f" {other}", 1)
    for verb in (" is ", " has ", " lies "):
        if verb in text:
            yield "negation in the text", text.replace(verb, f"{verb}not ", 1)
    for one, other in (("not ", ""), ("Yes.", "No."), ("No.", "Yes."), ("No ", "A "), *OPPOSITES.items()):
        if one in text:
            yield "negation in the text", text.replace(one, other, 1)


def _numbers(claim: Claim) -> Iterator[Change]:
    for name in ("value", "lower_bound"):
        number = getattr(claim, name)
        if isinstance(number, bool):
            yield "boolean", {name: not number}
            yield "boolean", {name: int(number)}
            yield (
                "boolean and text",
                {
                    name: not number,
                    "text": claim.text.replace("Yes.", "No.") if number else claim.text.replace("No.", "Yes."),
                },
            )
        elif isinstance(number, int | float):
            for other in (number + 1, number * 1.001, -number, number * 10, number / 1000, 0.123, str(number)):
                yield "number", {name: other}
            for shown in re.findall(r"\d+\.?\d*", claim.text):
                other = float(shown) + 3
                yield "number and text", {name: other, "text": claim.text.replace(shown, f"{other:g}")}
        elif isinstance(number, str):
            yield "name", {name: f"not {number}"}
            yield "name", {name: "right kidney" if number != "right kidney" else "left kidney"}
        yield "value invented or dropped", {name: None if number is not None else 42.0}
    yield "value invented or dropped", {"value": True if claim.value is None else None}


def _typed(claim: Claim) -> Iterator[Change]:
    for unit in UNITS:
        yield "unit", {"unit": unit}
    for state in State:
        yield "state", {"state": state}
    for organ in (*ORGANS, f"{claim.target}_left", claim.target.replace("left", "right"), "scan"):
        yield "target", {"target": organ}
    for old, new in (("left", "right"), ("right", "left")):
        if old in claim.target:
            yield "side", {"target": claim.target.replace(old, new)}
            yield "side", {"target": claim.target.replace(old, new), "text": claim.text.replace(old, new)}
    for quantity in ("volume", "hu_mean", "exists", "verdict", ""):
        yield "quantity", {"quantity": quantity}
    for letter in (None, "A", "B", "C", "Z"):
        yield "option", {"option": letter}
    for level in ("answer", "finding", "impression"):
        yield "level", {"level": level}
    for query in (None, 0, 1, 7):
        yield "moved to another question", {"query": query}
    yield "id", {"id": "There are 17 metastases"}
    yield "id", {"id": "pathology"}


def _evidence(claim: Claim, state: RunState) -> Iterator[Change]:
    ids = claim.evidence
    foreign = next(ident for ident in state.evidence if ident not in ids)
    made_up = f"{claim.quantity}.{claim.target}.0123456789"
    yield "no evidence", {"evidence": ()}
    yield "evidence invented", {"evidence": (made_up,)}
    yield "evidence invented", {"evidence": (*ids, made_up)}
    yield "evidence added", {"evidence": (*ids, foreign)}
    yield "evidence added", {"evidence": (foreign, *ids)}
    yield "evidence twice", {"evidence": (*ids, ids[0])}
    for at in range(len(ids)):
        yield "evidence removed", {"evidence": ids[:at] + ids[at + 1 :]}
        yield "evidence swapped", {"evidence": (*ids[:at], foreign, *ids[at + 1 :])}
        yield "evidence swapped", {"evidence": (*ids[:at], made_up, *ids[at + 1 :])}
    if len(ids) > 1:
        yield "evidence reordered", {"evidence": ids[::-1]}


def _bindings(claim: Claim, state: RunState) -> Iterator[Change]:
    bindings = claim.bindings
    foreign = next(ident for ident in state.evidence if ident not in claim.evidence)
    yield "bindings", {"bindings": ()}
    yield "bindings", {"bindings": (*bindings, Binding(start=0, end=1, evidence=claim.evidence[0], field="value"))}
    for at, one in enumerate(bindings):
        for change in ({"evidence": foreign}, {"field": "slice"}, {"start": one.start + 1}, {"end": one.end + 1}):
            other = one.model_copy(update=change)
            yield "bindings", {"bindings": (*bindings[:at], other, *bindings[at + 1 :])}
        yield "bindings", {"bindings": bindings[:at] + bindings[at + 1 :]}


def conclusion_mutants(conclusion: Conclusion, *, whole: bool) -> Iterator[tuple[str, Conclusion]]:
    """Claims dropped, told twice and exchanged; `whole` where everything has to be told."""
    claims = conclusion.claims
    for at, claim in enumerate(claims):
        if claim.level == "answer" or whole:
            yield "claim dropped", conclusion.model_copy(update={"claims": claims[:at] + claims[at + 1 :]})
        yield "claim twice", conclusion.model_copy(update={"claims": (*claims, claim)})
        again = claim.model_copy(update={"id": f"{claim.id}-again"})
        yield "claim twice", conclusion.model_copy(update={"claims": (*claims, again)})
    answers = [at for at, claim in enumerate(claims) if claim.level == "answer"]
    for one in answers:
        for other in answers:
            if one < other and claims[one].evidence != claims[other].evidence:
                swapped = list(claims)
                swapped[one] = claims[other].model_copy(update={"query": claims[one].query, "id": claims[one].id})
                swapped[other] = claims[one].model_copy(update={"query": claims[other].query, "id": claims[other].id})
                yield "answers exchanged", conclusion.model_copy(update={"claims": tuple(swapped)})


def pathology_mutants(truth: PathologyClaim, state: RunState) -> Iterator[tuple[str, PathologyClaim | None]]:
    """Stages, diagnoses and confidence without evidence, and evidence tampered with."""
    foreign = next(ident for ident, one in state.evidence.items() if one.quantity == "volume")
    for name, changes in (
        ("T category", {"ct": "cT1"}), ("T category", {"ct": "T0"}), ("T category", {"ct": "pTX "}),
        ("N category", {"cn": "cN0"}), ("N category", {"cn": "N1"}), ("N category", {"cn": ""}),
        ("M category", {"cm": "cM0"}), ("M category", {"cm": "M1"}), ("M category", {"cm": "CPCPMX"}),
        ("stage", {"stage": "IA"}), ("stage", {"stage": ""}), ("diagnosis", {"diagnosis": "hepatocellular carcinoma"}),
        ("diagnosis", {"diagnosis": "benign"}), ("differential", {"differential": ("rcc",)}),
        ("differential", {"differential": ("metastasis", "carcinosis")}), ("differential", {"differential": ("pdac",)}),
        ("differential", {"differential": ("metastasis", "metastasis")}), ("differential", {"differential": ("",)}),
        ("diagnosis", {"diagnosis": "metastasis"}), ("diagnosis", {"diagnosis": "cyst 2"}),
        ("confidence", {"confidence": 0.9}), ("confidence", {"confidence": 0.0}),
        ("evidence", {"evidence": ()}), ("evidence", {"evidence": ("exists.liver_lesion.0123456789",)}),
        ("evidence", {"evidence": (*truth.evidence, foreign)}), ("evidence", {"evidence": (foreign,)}),
        ("evidence", {"evidence": (*truth.evidence, truth.evidence[0])}),
        ("evidence", {"evidence": truth.evidence[1:]}),
    ):  # fmt: skip
        yield name, truth.model_copy(update=changes)
    yield "dropped", None
