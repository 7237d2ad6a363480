from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consistency import Decision, decide

ROUNDS = 3
BACK_AND_FORTH, NOTHING_NEW = "back and forth", "nothing new"
TABLE: list[tuple[list[str], list[str], bool, bool, str | None]] = [
    # fingerprints, failed, new repairs, deterministic → status
    (["a"], [], False, True, "consistent"),
    (["a"], [], True, True, "consistent"),
    (["a"], [], False, False, None),
    (["a", "a"], [], False, False, "consistent"),
    (["a", "b"], [], False, False, None),
    (["a", "b"], [], False, True, "consistent"),
    (["a", "b", "a"], [], False, False, "unresolved"),
    (["a", "b", "b"], [], False, False, "consistent"),
    (["a", "b", "c"], [], False, False, "unresolved"),
    (["a", "a", "b"], [], False, False, "unresolved"),
    (["a"], ["rules"], False, True, "unresolved"),
    (["a"], ["rules"], True, True, None),
    (["a"], ["rules"], False, False, None),
    (["a"], ["rules"], True, False, None),
    (["a", "a"], ["rules"], True, False, None),
    (["a", "a", "a"], ["rules"], False, False, "unresolved"),
    (["a", "a", "a"], ["rules"], True, True, "unresolved"),
    (["a", "a", "a", "a"], ["rules"], True, True, "unresolved"),
]


@pytest.mark.parametrize(("fingerprints", "failed", "repairs", "deterministic", "status"), TABLE)
def test_the_table(
    fingerprints: list[str], failed: list[str], repairs: bool, deterministic: bool, status: str | None
) -> None:
    found = decide(fingerprints, failed=failed, new_repairs=repairs, deterministic=deterministic, max_rounds=ROUNDS)
    assert found.status == status
    assert found.reason


def sampled(fingerprints: list[str], failed: tuple[str, ...] = (), **more: Any) -> Decision:
    """The decision on a model that may change its mind, with rounds to spare."""
    arguments: dict[str, Any] = {"new_repairs": False, "deterministic": False, "max_rounds": 9, **more}
    return decide(fingerprints, failed=failed, **arguments)


def test_samples_that_all_agree_settle_a_conclusion() -> None:
    assert sampled(["a"], samples=2).status == "consistent"
    assert sampled(["a"], samples=3, agreement=2 / 3).status is None
    assert sampled(["a"], samples=1).status is None
    assert sampled(["a"], ("rules",), samples=5).status is None


def test_going_back_to_an_earlier_conclusion_is_unresolved() -> None:
    for failed in ((), ("rules",)):
        found = sampled(["a", "b", "a"], failed)
        assert found.status == "unresolved"
        assert BACK_AND_FORTH in found.reason
    assert BACK_AND_FORTH in sampled(["a", "b", "a"], samples=2).reason
    assert sampled(["a", "b", "b"], ("rules",)).status is None


def test_the_same_refused_conclusion_from_the_same_evidence_is_unresolved() -> None:
    found = sampled(["a", "a"], ("rules",), seen=[7, 7])
    assert found.status == "unresolved"
    assert NOTHING_NEW in found.reason
    assert "rules" in found.reason
    assert sampled(["a", "a"], ("rules",), seen=[7, 8]).status is None
    assert sampled(["a", "a"], ("rules",), seen=[7, 7], new_repairs=True).status is None
    assert sampled(["a", "b"], ("rules",), seen=[7, 7]).status is None


def test_a_spent_budget_is_named_and_takes_nothing_from_what_is_settled() -> None:
    found = sampled(["a"], ("rules",), spent=["tokens", "time"])
    assert (found.status, "tokens and time" in found.reason) == ("unresolved", True)
    assert sampled(["a"], spent=["tokens"]).status == "unresolved"
    assert sampled(["a", "a"], spent=["tokens"]).status == "consistent"
    assert sampled(["a"], samples=2, spent=["tokens"]).status == "consistent"


def test_the_gates_that_object_are_named() -> None:
    found = decide(["a"], failed=["rules", "validity"], new_repairs=False, deterministic=True, max_rounds=3)
    assert "rules, validity" in found.reason


ROUND = st.tuples(
    st.sampled_from("abc"), st.lists(st.sampled_from(["rules", "validity"]), max_size=2), st.booleans(),
    st.integers(0, 3), st.integers(0, 4), st.floats(0, 1), st.lists(st.sampled_from(["tokens", "time"]), max_size=2),
)  # fmt: skip


@given(st.lists(ROUND, min_size=5, max_size=5), st.booleans(), st.integers(1, 5))
def test_a_run_ends_within_its_rounds_and_never_consistent_against_a_gate(
    rounds: list[tuple[str, list[str], bool, int, int, float, list[str]]], deterministic: bool, most: int
) -> None:
    fingerprints: list[str] = []
    seen: list[int] = []
    for fingerprint, failed, repairs, new, samples, agreement, spent in rounds:
        fingerprints.append(fingerprint)
        seen.append(new + (seen[-1] if seen else 0))
        found = decide(
            fingerprints, failed=failed, new_repairs=repairs, deterministic=deterministic, max_rounds=most, seen=seen,
            samples=samples, agreement=agreement, spent=spent,
        )  # fmt: skip
        assert found.reason
        if found.status is not None:
            break
        assert not spent, "another round was begun with nothing left"
    assert found.status is not None
    assert len(fingerprints) <= most
    if found.status == "consistent":
        assert not failed
        unanimous = samples >= 2 and agreement == 1
        assert deterministic or unanimous or fingerprints[-2:] == [fingerprint] * 2
        if not deterministic:  # it did not come back to what it had left
            assert fingerprint not in "".join(fingerprints).rstrip(fingerprint)
    elif not failed:
        assert spent or len(fingerprints) == most or fingerprint in fingerprints[:-2]


@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=6),
    st.lists(st.sampled_from(["rules", "validity"]), max_size=2), st.booleans(), st.booleans(), st.integers(1, 5),
)  # fmt: skip
def test_a_gate_that_objects_is_never_overruled(
    fingerprints: list[str], failed: list[str], repairs: bool, deterministic: bool, most: int
) -> None:
    found = decide(fingerprints, failed=failed, new_repairs=repairs, deterministic=deterministic, max_rounds=most)
    if failed:
        assert found.status != "consistent"
    if len(fingerprints) >= most:
        assert found.status is not None


def test_one_round_is_never_enough_for_a_model_that_may_change_its_mind() -> None:
    for repairs, most in product((False, True), (2, 5)):
        assert decide(["a"], failed=[], new_repairs=repairs, deterministic=False, max_rounds=most).status is None
