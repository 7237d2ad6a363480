"""A case: a scan with its labels, from files to arrays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import InputError, LabelsError, ScanError, UsageError
from agent.services import Profile, Progress, silent
from agent.warm import warm_up
from tools.base import Case, CaseSettings
from tools.person import relation
from tools.readers import read_scan
from tools.segment.labels import load_labels
from tools.segment.merge import merge_labels
from tools.volume import Scan


@dataclass(frozen=True)
class CaseFiles:
    """What a case is made of on disk, and what the user declares about it.

    Attributes:
        scan: NIfTI file, DICOM folder, or zip.
        labels: label map, folder of masks, or DICOM SEG; several of them are laid over each other.
        class_map: name of a class map, or path of one; of several, each names the classes of one label map, and
            None leaves a map its own names.
        series: SeriesInstanceUID, where a DICOM input holds several.
        settings: declared phase, patient facts, preferred sources.
        prior: an earlier scan of the same patient.
    """

    scan: Path
    labels: Path | tuple[Path, ...] | None = None
    class_map: str | tuple[str | None, ...] | None = None
    series: str | None = None
    settings: CaseSettings = field(default_factory=CaseSettings)
    prior: CaseFiles | None = None

    def label_maps(self) -> list[tuple[Path, str | None]]:
        """Every label map with the class map that names its classes.

        Raises:
            UsageError: more class maps than label maps.
        """
        maps = self.labels if isinstance(self.labels, tuple) else (self.labels,) if self.labels is not None else ()
        names = self.class_map if isinstance(self.class_map, tuple) else (self.class_map,) if self.class_map else ()
        if len(names) > len(maps):
            if not maps:
                raise UsageError("--class-map names the classes of a label map, but no --labels was given.")
            raise UsageError(f"--class-map was given {len(names)} times, but there are {len(maps)} label maps.")
        return list(zip(maps, (*names, *[None] * (len(maps) - len(names))), strict=True))


def open_case(files: CaseFiles, profile: Profile | None = None, progress: Progress = silent) -> Case:
    """Read and check a scan and its labels.

    Raises:
        InputError: where they can't be used.
    """
    profile = profile or Profile()
    _usable(files.scan, ScanError)
    for path, names in files.label_maps():
        _usable(path, LabelsError)
        if names is not None:
            _usable(Path(names), UsageError)
    progress("reading the scan", 0, 0)
    # Decompression leaves the interpreter free for half of the time: enough to read our own tables beside it.
    with profile.part("load scan"), ThreadPoolExecutor(max_workers=1) as beside:
        tables = beside.submit(warm_up)
        scan = read_scan(files.scan, series=files.series)
        tables.result()
    labels = None
    if files.label_maps():
        progress("reading the labels", 0, 0)
        with profile.part("load labels"):
            labels = merge_labels([load_labels(path, scan, class_map=names) for path, names in files.label_maps()])
    progress("hashing the voxels", 0, 0)
    with profile.part("load: hash and index"):
        # Made once here, so that no later step is charged for them.
        _ = scan.digest
        if labels is not None:
            _ = labels.digest, labels.boxes
    prior = open_case(files.prior, profile, progress) if files.prior is not None else None
    if prior is not None and prior.scan.digest == scan.digest:
        raise UsageError("--prior is the same scan as the one asked about: give an earlier one.")
    same = prior is not None and _of_one_patient(scan, prior.scan)
    return Case(scan=scan, labels=labels, settings=files.settings, prior=prior, same_patient=same)


def _of_one_patient(scan: Scan, prior: Scan) -> bool:
    """Whether the files show that both scans are of one patient; NIfTI files do not tell.

    Raises:
        UsageError: if they show that they are not.
    """
    found = relation(scan.person, prior.person)
    if found == "different":
        raise UsageError(
            "--prior is a scan of another patient (PatientID, birth date or sex differs between the DICOM headers): "
            "give an earlier scan of the same patient."
        )
    return found == "same"


def _usable(path: Path, refusal: type[InputError]) -> None:
    """Refuse a path that the system cannot even look up; whether something is there is for its reader to say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise refusal(f"The path {str(path)[:60]!r} cannot be used ({why}): check it.") from error
