"""Every error a user can meet, in one tree.

    TumorTraceError
    ├── InputError            exit 2   what the user gave cannot be used
    │   ├── ScanError                  the scan is missing, broken, not a CT, or too large
    │   ├── SeriesChoiceError          several DICOM series: the user has to choose one
    │   ├── LabelsError                the label map is broken, unnamed, or does not fit the scan
    │   └── UsageError                 options that contradict each other, unknown names
    ├── ModelUnavailable      exit 2   the model's server is away, overloaded, or does not take the request
    ├── Cancelled             exit 2   the run was asked to stop; it can be resumed
    ├── IntegrityError        exit 1   a trace or a stored result is not what was written
    └── ToolError             (never reaches the user) a tool could not do its work; becomes evidence of failure

A message is one sentence that says what, where, and how to mend it. Anything outside this tree is a
programming error and surfaces with its traceback. This module imports nothing of ours, so that every layer
may raise from it.
"""

from __future__ import annotations


class TumorTraceError(Exception):
    """Root of the tree; carries the exit code of the command line."""

    exit_code = 2


class InputError(TumorTraceError):
    """Something the user gave cannot be used."""


class ScanError(InputError):
    """The scan is missing, broken, not a CT, or too large to be opened safely."""


class SeriesChoiceError(ScanError):
    """A DICOM input holds several series and none was chosen.

    Args:
        message: the sentence for the user.
        series: one line of description per series, keyed by its SeriesInstanceUID.
    """

    def __init__(self, message: str, series: dict[str, str]) -> None:
        super().__init__(message)
        self.series = series


class LabelsError(InputError):
    """The label map is broken, unnamed, or does not fit the scan."""


class UsageError(InputError):
    """Options that contradict each other, or a name that does not exist."""


class ModelUnavailable(TumorTraceError):  # noqa: N818 - a state of the server, not always a mistake
    """The model's server is away, overloaded, or does not take the request; the run can be resumed.

    Args:
        message: the sentence for the user.
        refused: whether the server was there and refused the request.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class Cancelled(TumorTraceError):  # noqa: N818 - somebody's wish, not a mistake
    """The run was asked to stop before it was done; it can be resumed."""


class IntegrityError(TumorTraceError):
    """A trace or a stored result is not what was written."""

    exit_code = 1


class ToolError(TumorTraceError):
    """A tool could not do its work for a reason it understands; becomes evidence of failure."""
