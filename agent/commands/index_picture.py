"""``tumortrace index picture``: the crop of a lesion that is compared, as a person sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cases import open_case
from agent.commands.options import ClassMapOption, LabelsOption, ScanArgument, SeriesOption, case_files, progress_bar
from agent.errors import UsageError
from agent.files import atomic_write
from agent.trace_view import printable


def picture(
    scan: ScanArgument,
    structure: Annotated[str, typer.Option("--structure", help="Lesion class; its largest lesion is shown.")],
    out: Annotated[Path, typer.Option("--out", help="PNG file to write.")],
    labels: LabelsOption = None,
    class_map: ClassMapOption = None,
    series: SeriesOption = None,
    window: Annotated[str, typer.Option("--window", help="soft_tissue, liver, lung, bone, …")] = "soft_tissue",
    margin_mm: Annotated[float, typer.Option("--margin", help="Surroundings in mm.", min=0, max=200)] = 20.0,
) -> None:
    """Draw three planes through the largest lesion of a class: outline, organ, scale bar, orientation letters."""
    from agent.commands.index_entries import largest, lesion_class  # noqa: PLC0415
    from tools.crop_pictures import crop_pictures  # noqa: PLC0415
    from tools.crop_window import window_named  # noqa: PLC0415
    from tools.look import host_of  # noqa: PLC0415
    from tools.ontology import load_ontology  # noqa: PLC0415

    ident, shades = lesion_class(structure), window_named(window)
    with progress_bar() as bar:
        case = open_case(case_files(scan, labels, class_map, series, None), progress=bar)
        lesion, host = largest(case, ident), host_of(case, ident)
    if lesion is None:
        raise UsageError(f"No {ident} is labelled in the scan, so there is nothing to show.")
    png = crop_pictures(
        case.scan, lesion.region, name=load_ontology().get(ident).name, window=shades, margin_mm=margin_mm,
        context=host[1].region if host is not None else None,
        context_name=host[0].name if host is not None else "organ",
    )  # fmt: skip
    try:
        atomic_write(out, png)
    except OSError as error:
        raise UsageError(f"The picture {out} cannot be written ({error.strerror}): choose another place.") from error
    Console(highlight=False, soft_wrap=True).print(printable(str(out), 2000), markup=False)
