"""From ids and declarations to a case: paths, checks, and the hash that says whether it is the same again."""

from __future__ import annotations

import os
from pathlib import Path

from agent.cases import CaseFiles
from agent.commands.options import case_files
from agent.trace_view import printable
from agent.web.faults import Refused
from agent.web.shapes import ScanAsk
from agent.web.sources import Sources
from tools.segment.class_maps import known_class_maps
from tools.types import content_hash

_MOST_FILES = 50_000


def files_of(ask: ScanAsk, sources: Sources) -> CaseFiles:
    """The files behind a request.

    Raises:
        Refused: there is no such source, or no such class map.
        UsageError: what is declared contradicts itself.
    """
    if ask.class_map is not None and ask.class_map not in known_class_maps():
        # A path would be a file of the server's machine.
        raise Refused(422, "bad_input", f"There is no class map of that name: give one of {_listed()}.")
    names = [ask.class_map] if ask.class_map is not None else None
    return case_files(
        _path(ask.source, sources),
        [_path(one, sources) for one in ask.labels],
        names,
        ask.series,
        ask.phase,
        ask.patient,
        None,
        _path(ask.prior, sources) if ask.prior is not None else None,
        [_path(one, sources) for one in ask.prior_labels],
    )


def identity(ask: ScanAsk, files: CaseFiles) -> str:
    """Id of a scan: what was declared, and where its files lie, how large they are and when they were changed.

    Raises:
        Refused: a file has gone.
    """
    paths = [files.scan, *(path for path, _ in files.label_maps())]
    if files.prior is not None:
        paths += [files.prior.scan, *(path for path, _ in files.prior.label_maps())]
    try:
        stamps = [_stamp(path) for path in paths]
    except OSError as error:
        raise _gone() from error
    return f"scan-{content_hash([ask.model_dump(mode='json'), stamps])[:20]}"


def _stamp(path: Path) -> list[int | str]:
    """What changes with a file or a folder's files."""
    if not path.is_dir():
        status = path.stat()
        return [_plain(str(path)), status.st_size, status.st_mtime_ns]
    found: list[int | str] = [_plain(str(path))]
    seen = 0
    for root, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > _MOST_FILES:
                return found
            try:
                status = (Path(root) / name).stat()
            except OSError:
                continue
            found += [_plain(name), status.st_size, status.st_mtime_ns]
    return found


def _plain(name: str) -> str:
    """A name that can be written as UTF-8: those of files may be any bytes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _path(ident: str, sources: Sources) -> Path:
    path = sources.path(ident)
    if path is None:
        raise _gone()
    if (link := sources.leading_out(path)) is not None:
        raise Refused(
            422, "bad_input",
            f"'{printable(link, 200)}' is a link that leads out of the server's folders: put the file itself there.",
        )  # fmt: skip
    return path


def _gone() -> Refused:
    return Refused(
        404, "not_found", "There is no such file under the server's folders (any more): choose from the list."
    )


def _listed() -> str:
    return ", ".join(known_class_maps())
