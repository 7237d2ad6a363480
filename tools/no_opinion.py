"""What tools that give an opinion on a class's largest lesion share: when there is none to be had, and why."""

from __future__ import annotations

from typing import Any

from tools.base import Case
from tools.largest_lesion import uncertain_largest
from tools.lesion_list import LesionList, lesion_list, none_counts
from tools.types import State


class NoOpinion(Exception):  # noqa: N818  (no error: a state with its reason)
    """There is no opinion.

    Args:
        state: state of the evidence.
        reason: why, as a clause.
        details: what is known all the same.
    """

    def __init__(self, state: State, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.state, self.reason, self.details = state, reason, details


def certain_largest(case: Case, structure: str) -> LesionList:
    """The lesions of a class, of which one is certainly the largest that is wholly seen.

    Raises:
        NoOpinion: there is none, or it is open which one is the largest.
    """
    found = lesion_list(case, structure)
    none = none_counts(case, structure, found)
    if none is not None:
        raise NoOpinion(none[0], none[1] or "no reason is recorded")
    problem = uncertain_largest(found)
    if problem is not None:
        raise NoOpinion(State.NOT_MEASURABLE, problem)
    return found
