"""Errors as one sentence for somebody who sees neither the server's disk nor its command line."""

from __future__ import annotations

import pytest

from agent.errors import IntegrityError, ModelUnavailable, ScanError, SeriesChoiceError, TumorTraceError, UsageError
from agent.web.faults import told, without_folders


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'/srv/ct/Jane Doe/a b.nii' is empty.", "'a b.nii' is empty."),
        ("The file /srv/ct/x.nii cannot be read.", "The file x.nii cannot be read."),
        ("trace at /srv/home/runs/1/trace.jsonl", "trace at trace.jsonl"),
        ("Give mm/s or 1/2/3, and/or n/a.", "Give mm/s or 1/2/3, and/or n/a."),
        ("See https://example.org/a/b/c.", "See https://example.org/a/b/c."),
        ("'ct.nii' and 'labels.nii' differ.", "'ct.nii' and 'labels.nii' differ."),
    ],
)
def test_paths_are_names(text: str, shown: str) -> None:
    assert without_folders(text) == shown


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ScanError("x."), "bad_input"),
        (UsageError("x."), "bad_input"),
        (IntegrityError("x."), "changed"),
        (ModelUnavailable("x."), "model_away"),
    ],
)
def test_codes(error: TumorTraceError, code: str) -> None:
    assert told(error) == {"code": code, "message": "x."}


def test_options_of_the_command_line_are_words() -> None:
    assert told(UsageError("Give --prior-labels with --prior, not e--mail."))["message"] == (
        "Give prior labels with prior, not e--mail."
    )


def test_series_are_a_choice_without_control_characters() -> None:
    made = told(SeriesChoiceError("Choose.", {"1.2": "A\x1b[31m\nB", "1.3": "x" * 5000}))
    assert made["code"] == "series_choice"
    assert "\x1b" not in made["series"]["1.2"]
    assert "\n" not in made["series"]["1.2"]
    assert len(made["series"]["1.3"]) <= 300
