"""Facts that the user declares about the patient, and what nothing here is able to see."""

from __future__ import annotations

import re

from tools.base import Facts, Maker, tool
from tools.types import Evidence, Scalar, State

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


def value_of(text: str) -> Scalar:
    """A declared text as what it means: yes or no, a number, else the text itself."""
    word = text.strip()
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    return word


@tool(
    version="1",
    reads=("settings",),
    says={
        "fact": {
            "measured": "Declared by the user, not seen in the scan: {target}: {value}.",
            "not_assessed": "The {target} is not known: {reason}.",
        }
    },
)
def declared(case: Facts, make: Maker, *, fact: str) -> list[Evidence]:
    """What the user declared about the patient (age, sex, a known disease).

    Args:
        fact: name of the fact, as in ``--patient NAME=VALUE``.
    """
    name = fact.strip().lower()
    given = dict(case.settings.patient).get(name)
    method = "declared by the user"
    if given is None:
        reason = f"it was not declared (--patient {name}=…)"
        return [make("fact", name, state=State.NOT_ASSESSED, reason=reason, method=method)]
    return [make("fact", name, state=State.MEASURED, value=value_of(given), method=method)]


@tool(
    version="1",
    reads=(),
    says={"seen": {"not_assessed": "This was not assessed: {target}; {reason}."}},
)
def not_looked(case: Facts, make: Maker, *, what: str, why: str) -> list[Evidence]:
    """Says that nothing here is able to see something, so that it is never taken for absent.

    Args:
        what: identifier of what nobody looked at.
        why: why nothing can see it, as a clause without digits.
    """
    return [make("seen", what, state=State.NOT_ASSESSED, reason=why, method="no tool looks for it")]
