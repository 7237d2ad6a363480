"""Words of a text, for any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.ontology import load_ontology
from tools.text import plural, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How big is the Liver?", ["how", "big", "is", "the", "liver", "?"]),
        ("the patient's left-sided kidney", ["the", "patient", "left", "sided", "kidney"]),
        ("what's the liver's volume", ["what", "is", "the", "liver", "volume"]),
        ("isn't it enlarged", ["is", "nt", "it", "enlarged"]),
        ("isn’t it", ["is", "nt", "it"]),
        ("more than 1,800 cm³", ["more", "than", "1800", "cm3"]),
        ("314.5 ml", ["314.5", "ml"]),
        ("vertebrae_L1, T12", ["vertebrae", "l1", ",", "t12"]),
        ("", []),
        ("  \n\t ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(max_size=400))
@settings(deadline=None)
def test_no_text_breaks_it(text: str) -> None:
    found = words(text)
    assert all(word and word == word.lower().strip() and " " not in word for word in found)
    assert words(" ".join(found)) == found or "'" in text or "’" in text or not text.isascii() or "," in text
    load_ontology().mentions(found)
    load_ontology().normalise(text)


@pytest.mark.parametrize(
    "piece", ["a", "1,", "1,234", "left ", "isn't", "'", "’s ", "n't ", "1.", "liver and ", "cyst in the ", "½³"]
)
def test_time_grows_with_the_length_and_not_faster(piece: str) -> None:
    def cost(n: int) -> float:
        text = piece * n
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            words(text)
            best = min(best, time.process_time() - start)
        return best

    # Eight times the text: a quadratic scan would cost 64 times as much.
    assert cost(16_000) < 30 * max(cost(2_000), 5e-4)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("kidney", "kidneys"),
        ("metastasis", "metastases"),
        ("biopsy", "biopsies"),
        ("mass", "masses"),
        ("vertebra", "vertebrae"),
        ("hip bone", "hip bones"),
        ("lymph node", "lymph nodes"),
        ("thrombosis", "thromboses"),
    ],
)
def test_plural(one: str, many: str) -> None:
    assert plural(one) == many
