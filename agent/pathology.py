"""The pathology conclusion: what the staging rules decided of the one tumour that they were applied to.

The embedded reasoner writes it with `pathology`; the gates hold every other model's conclusion against `categories`.
"""

from __future__ import annotations

from agent.claims import lesions_seen
from agent.state import PathologyClaim, RunState
from tools.types import Evidence, State

CATEGORIES = {"ct": "category_t", "cn": "category_n", "cm": "category_m", "stage": "stage"}
"""Field of a pathology conclusion → quantity of the evidence that decides it."""
UNKNOWN = {"ct": "TX", "cn": "NX", "cm": "MX"}
"""What a category is where nothing decided it; a stage is left out."""
_WEIGHED = "weigh_rules"


def categories(state: RunState) -> dict[str, Evidence]:
    """The evidence that decides each field; empty where tumours of several organs were staged.

    One conclusion speaks of one tumour. Which of several is the primary one no rule says, so none is chosen.
    """
    staging = CATEGORIES.values()
    made = [one for one in state.evidence.values() if one.quantity in staging and one.tool == _WEIGHED]
    # Counted over all categories: the T of one tumour and the N of another are no stage of either.
    if len({one.target for one in made if one.state is not State.ABSENT and not one.details.get("no_lesion")}) > 1:
        return {}
    found: dict[str, Evidence] = {}
    for field, quantity in CATEGORIES.items():
        decided = [one for one in made if one.quantity == quantity and one.state is State.MEASURED]
        if len(decided) == 1:
            found[field] = decided[0]
    return found


def pathology(state: RunState) -> PathologyClaim | None:
    """The conclusion on the tumours that were seen or staged; None where there is neither."""
    decided = categories(state)
    lesions = lesions_seen(state) if state.request.question is None else ()
    staged = any(one.quantity in CATEGORIES.values() for one in state.evidence.values())
    if not lesions and not (staged and decided):
        return None
    said = {field: str(one.value) for field, one in decided.items()}
    evidence = tuple(dict.fromkeys([*lesions, *(one.id for one in decided.values())]))
    return PathologyClaim(
        ct=said.get("ct", UNKNOWN["ct"]), cn=said.get("cn", UNKNOWN["cn"]), cm=said.get("cm", UNKNOWN["cm"]),
        stage=said.get("stage"), evidence=evidence,
    )  # fmt: skip
