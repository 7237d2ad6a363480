"""Runs on many queries that several modules look at; each is made once per process."""

from __future__ import annotations

import pytest

from agent.state import RunState
from tests.agent.loop_full import STAGED, full_case
from tests.agent.loop_make import PORTAL, Outcome, ask, make_case, run
from tests.agent.loop_queries import PLAIN, every_query, one_of_each, tumour_queries
from tests.agent.worlds import World
from tools.base import CaseSettings


@pytest.fixture(scope="session")
def asked_all(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Every query, asked of the full case."""
    return run(full_case(), every_query(), tmp_path_factory.mktemp("asked_all"))


@pytest.fixture(scope="session")
def asked_each(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One query of each kind, asked of the full case."""
    return run(full_case(), one_of_each(), tmp_path_factory.mktemp("asked_each"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Queries of the plain kinds, asked of the plain case."""
    queries = [query for query in every_query() if query.kind in PLAIN and not query.explain]
    made = run(make_case(), queries, tmp_path_factory.mktemp("world"))
    assert made.report.status == "consistent"
    return World(made.state)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> RunState:
    """A report on everything in the plain case."""
    return run(make_case(), None, tmp_path_factory.mktemp("everything")).state


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One query on an enhanced scan."""
    return World(run(make_case(PORTAL), [ask("steatosis", "liver")], tmp_path_factory.mktemp("portal")).state)


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a stage needs beyond the scan is declared."""
    declared = CaseSettings(patient=STAGED)
    made = run(full_case(settings=declared, prior=False), tumour_queries(), tmp_path_factory.mktemp("staged"))
    assert made.report.status == "consistent"
    return World(made.state, declared)


@pytest.fixture(scope="session")
def silent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Nothing is declared."""
    made = run(full_case(prior=False), tumour_queries()[:5], tmp_path_factory.mktemp("silent"))
    assert made.report.status == "consistent"
    return World(made.state)
