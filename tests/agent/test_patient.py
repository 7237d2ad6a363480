"""Facts that the user declares: their form, contradictions, and words that no rule can read."""

from __future__ import annotations

import pytest

from agent.errors import UsageError
from agent.patient import parse_patient


def test_pairs_are_sorted_and_names_are_in_lower_case() -> None:
    assert parse_patient(" Sex=F, AGE = 63 ") == (("age", "63"), ("sex", "F"))
    assert parse_patient(None) == parse_patient("") == ()
    assert parse_patient("cm=0,CM=0") == (("cm", "0"),)


@pytest.mark.parametrize("text", ["sixty-three", "=", "age=", ",", "age=63,", "a b=1", "../x=1", "age=" + "6" * 600])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--patient takes"):
        parse_patient(text)


def test_a_contradiction_is_refused() -> None:
    with pytest.raises(UsageError, match="declares 'cm' twice"):
        parse_patient("cm=0,cn=1,CM=1")
