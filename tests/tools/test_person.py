"""Two headers are of one patient, of two, or it is not told which."""

from __future__ import annotations

import pytest

from tools.person import Person, Relation, digest, relation


def person(number: str = "", born: str = "", sex: str = "", issuer: str = "") -> Person:
    return Person(digest(number), digest(issuer), digest(born), digest(sex))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (person("7"), person("7"), "same"),
        (person("7"), person("8"), "different"),
        (person("7", "19610203"), person("7", "19610204"), "different"),
        (person("7", sex="F"), person("7", sex="M"), "different"),
        (person("7", "19610203"), person("7"), "same"),
        (person("", "19610203", "F"), person("", "19610203", "F"), "unknown"),
        (person("", "19610203"), person("", "19620203"), "different"),
        (person("7"), person(), "unknown"),
        (person(), person(), "unknown"),
        (person("7", issuer="A"), person("8", issuer="B"), "unknown"),
        (person("7", issuer="A"), person("7", issuer="B"), "unknown"),
        (person("7", issuer="A"), person("7"), "same"),
    ],
)
def test_what_two_headers_say_of_the_patient(one: Person, other: Person, expected: Relation) -> None:
    assert relation(one, other) == relation(other, one) == expected


def test_nothing_of_it_can_be_read() -> None:
    assert repr(person("Number-77", "19610203")) == "Person()"
    assert digest("Number-77") != b"Number-77"
