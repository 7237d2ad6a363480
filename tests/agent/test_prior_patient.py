"""An earlier scan has to be of the same patient; where the files do not tell, the report says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cases import CaseFiles, open_case
from agent.errors import UsageError
from tests.agent.loop_full import full_case
from tests.agent.loop_make import ask, run, write_case
from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu
from tools.base import Case
from tools.types import State

TAKEN = "The earlier scan: the two scans were taken to be of the same patient, which their files do not tell."
SHAPE = (40, 32, 8)


def both(folder: Path, **differing: str) -> CaseFiles:
    """Two DICOM series that name one patient but for some elements of the earlier one."""

    def named(**other: str) -> Callable[[Any, int], None]:
        def edit(dataset: Any, k: int) -> None:
            about = {"PatientID": "Number-77", "PatientBirthDate": "19610203", "PatientSex": "F", **other}
            for keyword, value in about.items():
                setattr(dataset, keyword, value)

        return edit

    hu = body_hu(SHAPE).astype(float)
    write_ct_series(folder / "now", hu, edit=named())
    write_ct_series(folder / "before", hu + 1, edit=named(**differing))
    return CaseFiles(folder / "now", prior=CaseFiles(folder / "before"))


def limitations(case: Case, kind: str, folder: Path) -> list[str]:
    return run(case, [ask(kind, "liver")], folder).report.limitations


@pytest.mark.parametrize(
    "differing",
    [{"PatientID": "Number-78"}, {"PatientBirthDate": "19610204"}, {"PatientSex": "M"}],
    ids=["number", "birth date", "sex"],
)
def test_another_patient_is_refused_in_one_sentence(differing: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--prior is a scan of another patient") as caught:
        open_case(both(tmp_path, **differing))
    for secret in ("Number", "77", "78", "1961"):
        assert secret not in str(caught.value)


def test_the_same_patient_needs_no_limitation_and_is_named_nowhere(tmp_path: Path) -> None:
    case = open_case(both(tmp_path))
    assert case.same_patient
    work = tmp_path / "work"
    assert TAKEN not in limitations(case, "volume_change", work)
    for path in work.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        person = case.scan.person
        for secret in (b"Number-77", b"19610203", b"Secret", person.number, person.born):
            assert secret is not None and secret not in content and secret.hex().encode() not in content
    assert "Number-77" not in repr(case.scan) and "number" not in repr(case.scan.person)


@pytest.mark.parametrize("number", ["", "0000", "ANONYMOUS", "unknown"])
def test_headers_without_a_number_leave_it_open(number: str, tmp_path: Path) -> None:
    case = open_case(both(tmp_path, PatientID=number))
    assert not case.same_patient
    assert TAKEN in limitations(case, "volume_change", tmp_path / "work")


def test_nifti_files_do_not_tell(tmp_path: Path) -> None:
    scan, labels = write_case(tmp_path / "now")
    before, old_labels = write_case(tmp_path / "before", {"liver": 70})
    case = open_case(CaseFiles(scan, labels, prior=CaseFiles(before, old_labels)))
    made = run(case, [ask("volume_change", "liver")], tmp_path / "work")
    assert TAKEN in made.report.limitations
    (open_,) = [one for one in made.state.evidence.values() if one.quantity == "same_patient"]
    assert open_.state is State.NOT_ASSESSED


def test_an_answer_without_the_earlier_scan_needs_no_such_limitation(tmp_path: Path) -> None:
    assert TAKEN not in limitations(full_case(), "volume", tmp_path)
    assert TAKEN not in limitations(full_case(prior=False), "volume", tmp_path)
