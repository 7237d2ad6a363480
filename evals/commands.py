"""Commands that this package adds to the command line: `phantom make`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import ValidationError
from rich.console import Console

from agent.errors import UsageError
from evals.phantom_options import Form, LesionSpec, LesionType, PhantomOptions, Side
from evals.phantom_tissue import Phase

LESION_HELP = (
    f"A lesion TYPE[:DIAMETER_MM[:PLACE...]], repeatable; types: {', '.join(get_args(LesionType))}. A place is a side "
    "(left, right), a region (liver segment 1 to 8; head, body or tail; upper, middle or lower pole) or a contact "
    "VESSEL=DEGREES (sma, smv, pv, sv, ca, cha, ivc or a class name). Not together with --lesions."
)


def register(app: typer.Typer) -> None:
    """Add the `phantom` group to the root command."""
    group = typer.Typer(help="Synthetic CT scans with exact truth.", no_args_is_help=True)
    group.command("make")(make)
    group.callback()(_group)
    app.add_typer(group, name="phantom")


def _group() -> None:
    """Synthetic CT scans with exact truth."""


def make(
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for ct, labels, parts (.nii.gz) and truth.json. One that holds a phantom is overwritten."
        ),
    ],
    seed: Annotated[int, typer.Option(min=0, help="Which patient; equal options give equal files.")] = 0,
    phase: Annotated[Phase, typer.Option(help="Contrast phase.")] = Phase.PORTAL,
    spacing: Annotated[
        tuple[float, float, float], typer.Option(metavar="X Y Z", help="Voxel spacing in mm (0.3 to 15).")
    ] = (2.5, 2.5, 2.5),
    truncate: Annotated[
        list[str] | None,
        typer.Option(help="Cut the field of view: top=MM, bottom=MM (repeatable), or none."),
    ] = None,
    noise: Annotated[float, typer.Option(min=0, help="Standard deviation of the noise in HU.")] = 11.0,
    lesions: Annotated[
        int | None,
        typer.Option(min=0, help="Number of lesions of random type; what the seed's patient has if not given."),
    ] = None,
    lesion: Annotated[list[str] | None, typer.Option(help=LESION_HELP)] = None,
    fatty_liver: Annotated[bool, typer.Option("--fatty-liver", help="A liver below the spleen on plain CT.")] = False,
    volume: Annotated[
        list[str] | None, typer.Option(help="Volume of a structure, NAME=CM3 (repeatable), for example spleen=320.")
    ] = None,
    hu: Annotated[
        list[str] | None, typer.Option(help="Attenuation of a tissue, NAME=HU (repeatable), for example liver=45.")
    ] = None,
    padding: Annotated[bool, typer.Option("--padding", help="−2000 HU outside the reconstruction circle.")] = False,
    metal: Annotated[bool, typer.Option("--metal", help="A metal screw in the spine, with streaks.")] = False,
    tilt: Annotated[
        float, typer.Option(help="Tilt of the gantry in degrees (−30 to 30), positive where the front lies higher.")
    ] = 0.0,
    form: Annotated[
        Form, typer.Option("--format", help="Scan as one NIfTI file, or as a DICOM series (a folder ct).")
    ] = "nifti",
    seg: Annotated[
        bool, typer.Option("--seg", help="Write the labels as a DICOM segmentation too (labels.dcm); with DICOM only.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of these names that are no phantom's.")
    ] = False,
) -> None:
    """Make a synthetic abdominal CT with labels and truth from a seed."""
    from evals.phantom import make_phantom  # noqa: PLC0415  (scipy: only when a phantom is made)
    from evals.phantom_io import check_target, write_phantom  # noqa: PLC0415

    if lesion and lesions is not None:
        raise UsageError("--lesions and --lesion exclude each other: give a number, or name the lesions")
    options = parse_options(
        seed=seed,
        phase=phase,
        spacing=spacing,
        noise=noise,
        lesions=tuple(parse_lesion(text) for text in lesion) if lesion else lesions,
        fatty_liver=fatty_liver,
        padding=padding,
        metal=metal,
        volumes=parse_numbers(volume or [], "volume"),
        tissue_hu=parse_numbers(hu or [], "hu"),
        tilt_degrees=tilt,
        **parse_truncation(truncate or []),
    )
    if seg and form != "dicom":
        raise UsageError("--seg refers to the slices of a DICOM series: add --format dicom")
    check_target(out, force)
    with Console(stderr=True).status(f"making the phantom of seed {seed}"):
        phantom = make_phantom(options)
        files = write_phantom(phantom, out, force, form=form, segmentation=seg)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for path in filter(None, (files.scan, files.labels, files.parts, files.segmentation, files.truth)):
        console.print(str(path))


def parse_options(**values: Any) -> PhantomOptions:
    """Checked options of a phantom.

    Raises:
        UsageError: a value is out of its range.
    """
    try:
        return PhantomOptions(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        option = {"volumes": "volume", "tissue_hu": "hu", "tilt_degrees": "tilt"}.get(field, field.replace("_", "-"))
        raise UsageError(f"--{option}: {_clause(first['msg'])}") from error


def parse_lesion(text: str) -> LesionSpec:
    """A lesion from TYPE[:DIAMETER_MM[:PLACE...]], where a place is a side, a region or VESSEL=DEGREES.

    Raises:
        UsageError: unknown type, side, region or vessel, or a number that is none.
    """
    kind, _, rest = text.partition(":")
    diameter, _, places = rest.partition(":")
    values: dict[str, Any] = {"type": kind, "diameter_mm": diameter or None, "contacts": {}}
    for place in filter(None, places.split(":")):
        vessel, found, angle = place.partition("=")
        if found:
            values["contacts"][vessel] = angle
        elif "side" not in values and place in get_args(Side):
            values["side"] = place
        elif "region" not in values:
            values["region"] = place
        else:
            raise UsageError(f"--lesion {text}: {place} is a second region: a lesion's centre lies in one")
    try:
        return LesionSpec.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"--lesion {text}: {_clause(error.errors()[0]['msg'])}") from error


def parse_numbers(texts: list[str], option: str) -> dict[str, float]:
    """Numbers by name from NAME=NUMBER.

    Raises:
        UsageError: not of that form.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise UsageError(f"--{option} {text} is not NAME=NUMBER: write it like liver=45") from error
    return found


def parse_truncation(texts: list[str]) -> dict[str, float]:
    """Millimetres off the field of view from top=MM, bottom=MM or none.

    Raises:
        UsageError: another end, or a length that is none.
    """
    cuts: dict[str, float] = {}
    for text in texts:
        if text == "none":
            continue
        end, _, length = text.partition("=")
        try:
            cuts[{"top": "cut_top_mm", "bottom": "cut_bottom_mm"}[end]] = float(length)
        except (KeyError, ValueError) as error:
            raise UsageError(f"--truncate {text} is none of top=MM, bottom=MM and none: give a length in mm") from error
    return cuts


def _clause(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
