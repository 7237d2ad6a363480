from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consistency import decide

ROUNDS = 3
TABLE = [
    # fingerprints, failed, new repairs, deterministic → status
    (["a"], [], False, True, "consistent"),
    (["a"], [], True, True, "consistent"),
    (["a"], [], False, False, None),
    (["a", "a"], [], False, False, "consistent"),
    (["a", "b"], [], False, False, None),
    (["a", "b"], [], False, True, "consistent"),
    (["a", "b", "a"], [], False, False, "unresolved"),
    (["a", "b", "b"], [], False, False, "consistent"),
    (["a", "a", "b"], [], False, False, "unresolved"),
    (["a"], ["rules"], False, True, "unresolved"),
    (["a"], ["rules"], True, True, None),
    (["a"], ["rules"], False, False, None),
    (["a"], ["rules"], True, False, None),
    (["a", "a"], ["rules"], False, False, None),
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


def test_the_gates_that_object_are_named() -> None:
    found = decide(["a"], failed=["rules", "validity"], new_repairs=False, deterministic=True, max_rounds=3)
    assert "rules, validity" in found.reason


@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=6),
    st.lists(st.sampled_from(["rules", "validity"]), max_size=2), st.booleans(), st.booleans(), st.integers(1, 5),
)  # fmt: skip
def test_a_gate_that_objects_is_never_overruled_and_every_run_ends(
    fingerprints: list[str], failed: list[str], repairs: bool, deterministic: bool, most: int
) -> None:
    found = decide(fingerprints, failed=failed, new_repairs=repairs, deterministic=deterministic, max_rounds=most)
    if failed:
        assert found.status != "consistent"
    if len(fingerprints) >= most:
        assert found.status is not None
    if found.status == "unresolved":
        assert failed or len(fingerprints) >= most


def test_one_round_is_never_enough_for_a_model_that_may_change_its_mind() -> None:
    for repairs, most in product((False, True), (2, 5)):
        assert decide(["a"], failed=[], new_repairs=repairs, deterministic=False, max_rounds=most).status is None
