from __future__ import annotations

import pytest

from agent.interpret.abbreviations import without_abbreviation_stops
from agent.interpret.scan_words import tokenise


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("PDAC vs. PNET?", 1),
        ("the max. diameter of the rt. kidney", 0),
        ("Which slice no. shows it?", 1),
        ("a lesion, i.e. a cyst, e.g. there", 0),
        ("Is it the max. Is it the min. volume?", 2),
        ("Liver vol. Spleen vol.", 2),
        ("Is the lesion at its max.", 1),
    ],
)
def test_the_stop_of_an_abbreviation_ends_no_sentence(text: str, stops: int) -> None:
    plain = without_abbreviation_stops(text)
    assert len(plain) == len(text)
    assert sum(token.text in {".", "?"} for token in tokenise(text)) == stops
