"""Runs on many queries that several modules look at; each is made once per process."""

from __future__ import annotations

import pytest

from tests.agent.loop_full import full_case
from tests.agent.loop_make import Outcome, run
from tests.agent.loop_queries import every_query, one_of_each


@pytest.fixture(scope="session")
def asked_all(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Every query, asked of the full case."""
    return run(full_case(), every_query(), tmp_path_factory.mktemp("asked_all"))


@pytest.fixture(scope="session")
def asked_each(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One query of each kind, asked of the full case."""
    return run(full_case(), one_of_each(), tmp_path_factory.mktemp("asked_each"))
