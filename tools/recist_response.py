"""How target lesions have changed since an earlier scan: what the response by RECIST 1.1 rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from tools.base import Case, Maker, tool
from tools.look import host_of, look
from tools.ontology import load_ontology
from tools.recist_lesions import NODE, ORGANS_OPEN, Candidate, choose, is_benign, looked_for
from tools.recist_match import METHOD, Matches, match
from tools.rules.margins import margin
from tools.types import Evidence, State

_UNITS = {
    "prior_target_sum": "mm", "followed_sum": "mm", "response_change_percent": "%", "response_change": "mm",
    "new_lesions": "1", "remaining_targets": "1", "remaining_nontargets": "1",
}  # fmt: skip
ONE_PRIOR = "the one earlier scan that is known stands for baseline and nadir alike, and only labelled lesions count"


def _says(what: str, measured: str) -> dict[str, str]:
    return {
        "measured": measured + ".{note}",
        "not_measurable": f"The {what} cannot be told: {{reason}}.{{at_least}}{{at_most}}",
        "not_assessed": f"The {what} was not assessed: {{reason}}.",
        "absent": f"There is no {what}: {{reason}}.",
    }


_SUM = "sum of the diameters of the target lesions"


@tool(
    version="1",
    reads=("scan", "labels", "settings", "prior"),
    says={
        "prior_target_sum": _says(f"{_SUM} in the earlier scan", f"The {_SUM} in the earlier scan was {{value}}{{pm}}"),
        "followed_sum": _says(f"{_SUM} now", f"The {_SUM} of the earlier scan is now {{value}}{{pm}}"),
        "response_change_percent": _says(f"change of the {_SUM}", f"The {_SUM} has changed by {{value}}{{pm}}"),
        "response_change": _says(f"change of the {_SUM}", f"The {_SUM} has changed by {{value}}{{pm}}"),
        "new_lesions": _says("number of new lesions", "Number of new lesions: {value}"),
        "remaining_targets": _says("number of remaining targets", "Number of target lesions that are left: {value}"),
        "remaining_nontargets": _says("number of remaining other lesions", "Number of other lesions left: {value}"),
    },
)
def recist_response(case: Case, make: Maker) -> list[Evidence]:
    """Change of the targets of the earlier scan, and new lesions: the inputs of the response by RECIST 1.1.

    Targets are chosen in the earlier scan and found again by class and place. What has vanished counts as zero, if it
    was looked for and its organ is whole; what has broken off a lesion counts with it. Without an earlier scan there
    is no response.
    """
    if case.prior is None:
        return _nothing(make, State.NOT_ASSESSED, "no earlier scan was given (--prior), and without one there is none")
    for one, which in ((case, "this scan"), (case.prior, "the earlier scan")):
        if one.labels is None:
            return _nothing(make, State.NOT_ASSESSED, f"no labels of {which} were given")
        if not looked_for(one):
            return _nothing(make, State.NOT_ASSESSED, f"the labels of {which} have no class of lesions")
    before = [one for one in choose(case.prior) if not one.candidate.benign and not one.candidate.small]
    now = [one.candidate for one in choose(case) if not one.candidate.benign]
    old = [one.candidate for one in before]
    matches = match(case, old, now)
    followed = [_follow(case, i, old, now, matches) for i in range(len(old))]
    targets = [one for one, choice in zip(followed, before, strict=True) if choice.chosen]
    others = [one for one, choice in zip(followed, before, strict=True) if not choice.chosen]
    details: dict[str, JsonValue] = {
        **margin("recist-lesion").details,
        "targets": len(targets),
        "rows": [one.row() for one in followed[:200]],
        "matching": METHOD,
    }
    made = [
        *_sums(make, targets, details),
        _new(case, make, now, matches, details),
        _remaining(make, "remaining_targets", targets, details),
        _remaining(make, "remaining_nontargets", others, details),
    ]
    if any(one.left_open for one in before) and any(one.left is not False for one in followed):
        # Only what does not hang on which of them are targets can be told: new lesions, and that none is left.
        return [
            one if one.quantity == "new_lesions"
            else _open(make, one.quantity, State.NOT_MEASURABLE, ORGANS_OPEN, details)
            for one in made
        ]  # fmt: skip
    return made


@dataclass(frozen=True)
class Followed:
    """One lesion of the earlier scan and what has become of it.

    Attributes:
        before: the lesion in the earlier scan.
        now: its diameter in mm; None where that is not known.
        least: mm that its diameter is at least.
        pitch: uncertainty in mm.
        left: whether it is still there, a node still enlarged; None where that is not known.
        course: what has become of it, a few words.
        gap: mm between where it was expected and where it was found.
    """

    before: Candidate
    now: float | None
    least: float
    pitch: float
    left: bool | None
    course: str
    gap: float | None

    def row(self) -> dict[str, JsonValue]:
        """What evidence tells of it."""
        return {
            "class": self.before.ident,
            "n": self.before.number,
            "organ": self.before.organ,
            "prior_mm": round(self.before.size, 4),
            "now_mm": None if self.now is None else round(self.now, 4),
            "course": self.course,
            "gap_mm": self.gap,
        }


def _follow(case: Case, i: int, before: Sequence[Candidate], now: Sequence[Candidate], matches: Matches) -> Followed:
    old, gap = before[i], matches.gaps.get(i)
    if i in matches.pairs:
        parts = [now[matches.pairs[i]], *(now[j] for j, source in matches.fragments.items() if source == i)]
        length, pitch = sum(one.size for one in parts), sum(one.pitch for one in parts)
        left = not old.node or length >= margin("recist-node-normal").value
        if any(one.lesion.cut for one in parts):
            return Followed(old, None, length, pitch, left or None, "found, but cut off now", gap)
        course = "found" if len(parts) == 1 else "found in several parts"
        return Followed(old, length, length, pitch, left, course, gap)
    if i in matches.merged:
        return Followed(old, 0.0, 0.0, 0.0, True, "grown together with another, which counts for both", gap)
    if _looked(case, old.ident):
        return Followed(old, 0.0, 0.0, 0.0, False, "no longer there", gap)
    return Followed(old, None, 0.0, 0.0, None, "not found, but not all of its place was seen", gap)


def _looked(case: Case, ident: str) -> bool:
    """Whether a lesion of this class would have been seen wherever it lies: it was looked for, in a whole organ."""
    if look(case, ident).state not in {State.MEASURED, State.ABSENT}:
        return False
    host = None if ident == NODE else host_of(case, ident)
    return host is None or host[1].whole


def _sums(make: Maker, targets: Sequence[Followed], details: dict[str, JsonValue]) -> list[Evidence]:
    names = ("prior_target_sum", "followed_sum", "response_change_percent", "response_change")
    if not targets:
        reason = "the earlier scan has no target lesion"
        return [_open(make, name, State.NOT_MEASURABLE, reason, details) for name in names]
    before, pm = sum(one.before.size for one in targets), sum(one.before.pitch for one in targets)
    made = [_value(make, names[0], before, pm, details)]
    least, error = sum(one.least for one in targets), sum(one.pitch for one in targets)
    rows = (
        (names[1], least, error),
        (names[2], 100 * (least / before - 1), 100 * (error + pm * least / before) / before),
        (names[3], least - before, error + pm),
    )
    unknown = next((one for one in targets if one.now is None), None)
    if unknown is None:
        return [*made, *(_value(make, name, value, margin_, details) for name, value, margin_ in rows)]
    reason = f"a target lesion is {unknown.course}"
    return [
        *made,
        *(
            _open(make, name, State.NOT_MEASURABLE, reason, details, lower_bound=round(value, 4))
            for name, value, _ in rows
        ),
    ]


def _new(
    case: Case, make: Maker, now: Sequence[Candidate], matches: Matches, details: dict[str, JsonValue]
) -> Evidence:
    """Number of new lesions: at least those that would have been seen before."""
    assert case.prior is not None
    fresh = [now[j] for j in matches.new if not now[j].small]
    sure = [one for one in fresh if _looked(case.prior, one.ident)]
    rows: list[JsonValue] = [{"class": one.ident, "n": one.number, "slice": one.file_slice} for one in fresh]
    details = {**details, "new": rows}
    why = None
    if len(sure) < len(fresh):
        why = "a lesion may have been there before, where the earlier scan does not show all"
    else:
        classes = [ident for ident in looked_for(case.prior) if _followed_type(ident) and _looked(case.prior, ident)]
        if not all(_looked(case, ident) for ident in classes):
            why = "there may be more where this scan does not show all that the earlier one does"
    if why is not None:
        return _open(make, "new_lesions", State.NOT_MEASURABLE, why, details, lower_bound=len(sure))
    return make("new_lesions", "scan", unit="1", state=State.MEASURED, value=len(fresh), method=METHOD,
                reason="only classes that are labelled in both scans were compared", details=details)  # fmt: skip


def _followed_type(ident: str) -> bool:
    ontology = load_ontology()
    return not is_benign(ontology.get(ident), ontology)


def _remaining(make: Maker, name: str, followed: Sequence[Followed], details: dict[str, JsonValue]) -> Evidence:
    left = sum(one.left is True for one in followed)
    if any(one.left is None for one in followed):
        reason = "of a lesion it is not known what has become of it"
        return _open(make, name, State.NOT_MEASURABLE, reason, details, lower_bound=left)
    return make(name, "scan", unit="1", state=State.MEASURED, value=left, method=METHOD, details=details)


def _value(make: Maker, name: str, value: float, pm: float, details: dict[str, JsonValue]) -> Evidence:
    return make(
        name, "scan", unit=_UNITS[name], state=State.MEASURED, value=round(value, 4), uncertainty=round(pm, 4),
        reason=ONE_PRIOR, method=METHOD, details=details,
    )  # fmt: skip


def _open(make: Maker, name: str, state: State, reason: str, details: dict[str, JsonValue], **more: Any) -> Evidence:
    return make(name, "scan", unit=_UNITS[name], state=state, reason=reason, method=METHOD, details=details, **more)


def _nothing(make: Maker, state: State, reason: str) -> list[Evidence]:
    return [_open(make, name, state, reason, {}) for name in _UNITS]
