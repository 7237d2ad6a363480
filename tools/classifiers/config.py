"""Configurations of classifiers: JSON files, checked before anything that they name is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from agent.errors import UsageError
from tools.classifiers.base import ValidFor, ontology_type
from tools.classifiers.distance import Mahalanobis, Number, Row
from tools.classifiers.features import known_feature
from tools.ontology import load_ontology

MAX_CONFIG = 8 << 20
MAX_MODEL = 2 << 30
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=60)], ...], Field(min_length=1, max_length=4096)]
Types = Annotated[Names, Field(min_length=2, max_length=64)]
Plain = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$")]
_STRICT = ConfigDict(frozen=True, extra="forbid")


class Card(BaseModel):
    """What every classifier says of itself.

    Attributes:
        version: changes with whatever changes its answers.
        source: its name in words without digits, for sentences.
        licence: licence of its weights.
        valid_for: the scans that it was made for.
        smallest_mm: least longest extent in mm of the lesions that it was made for.
    """

    model_config = _STRICT

    version: Annotated[str, Field(min_length=1, max_length=40)]
    source: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z -]{2,58}[A-Za-z]$")]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    valid_for: ValidFor
    smallest_mm: Annotated[float, Field(ge=0, le=500)] = 0.0


class LinearModel(BaseModel):
    """One organ's multinomial logistic regression, with its own weights in every phase.

    Attributes:
        types: what it tells apart.
        features: names of its k inputs.
        mean, scale: (k,) what an input is standardised by.
        weights, bias: by phase, (types, k) and (types,).
        temperature: what logits are divided by, fitted on held-out lesions.
        ood: by phase, the cloud of standardised training lesions; no phase without one is answered for.
    """

    model_config = _STRICT

    types: Types
    features: Names
    mean: Row
    scale: Row
    weights: Mapping[str, tuple[Row, ...]]
    bias: Mapping[str, Row]
    temperature: Annotated[float, Field(gt=0, le=100)]
    ood: Mapping[str, Mahalanobis]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wide, tall = len(self.features), len(self.types)
        _only_known(self.features)
        rows = [self.mean, self.scale, *(row for matrix in self.weights.values() for row in matrix)]
        rows += [mean for one in self.ood.values() for mean in one.means]
        if any(len(row) != wide for row in rows) or any(len(matrix) != tall for matrix in self.weights.values()):
            raise ValueError("the weights do not fit the features and the types")
        if any(len(row) != tall for row in self.bias.values()) or not all(value > 0 for value in self.scale):
            raise ValueError("the bias does not fit the types, or a scale is not positive")
        if not set(self.weights) == set(self.bias) >= set(self.ood):
            raise ValueError("the weights, the bias and the limits are not of the same phases")
        return self


class LinearConfig(Card):
    """A classifier that is all in its configuration: one linear model an organ."""

    backend: Literal["embedded"]
    organs: Annotated[Mapping[str, LinearModel], Field(min_length=1, max_length=64)]
    alone: Mapping[str, str] = Field(default_factory=dict)
    """Organs of which only one type is known, so that there is nothing to tell apart."""


class EmbeddingInput(BaseModel):
    """Input of a model that reads an encoder's embedding of the lesion's crop.

    Attributes:
        encoder: a built-in encoder, or a folder with an encoder's configuration beside the classifier's own.
        with_organ: whether the encoder is shown the organ as well.
        size: length of the embedding.
    """

    model_config = _STRICT

    encoder: Plain
    with_organ: bool = False
    size: Annotated[int, Field(ge=1, le=65536)]


class ModelConfig(Card):
    """A classifier whose model is a file beside the configuration.

    Attributes:
        backend: what runs it.
        file: name of the model's file, beside the configuration.
        sha256: its hash in hex, so that no other file is run in its place.
        organs: organs whose lesions it was trained on.
        types: what its outputs mean, in their order.
        features: names of its inputs in their order; or
        embedding: the embedding that it reads.
        mean, scale: what inputs are standardised by; none if the model does so itself.
        output: whether it gives logits or probabilities.
        output_name: which of several outputs of an ONNX model; its last one by default.
        temperature: what logits are divided by.
        ood: cloud of the standardised inputs that it was trained on; without it, nothing is known of that.
        trusted: for `skops`, the types beyond its own list that the file may hold.
    """

    backend: Literal["onnx", "skops", "torchscript"]
    file: Plain
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    organs: Names
    types: Types
    features: Names | None = None
    embedding: EmbeddingInput | None = None
    mean: Row | None = None
    scale: Row | None = None
    output: Literal["logits", "probabilities"] = "logits"
    output_name: Annotated[str, Field(max_length=200)] | None = None
    temperature: Annotated[Number, Field(gt=0, le=100)] = 1.0
    ood: Mahalanobis | None = None
    trusted: tuple[Annotated[str, Field(max_length=200)], ...] = ()

    @property
    def width(self) -> int:
        """Number of inputs."""
        return len(self.features) if self.features is not None else self.embedding.size if self.embedding else 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.features is None) == (self.embedding is None):
            raise ValueError("give either features or an embedding")
        _only_known(self.features or ())
        if (self.mean is None) != (self.scale is None):
            raise ValueError("give both mean and scale, or none")
        rows = [row for row in (self.mean, self.scale, self.ood.means[0] if self.ood else None) if row is not None]
        if any(len(row) != self.width for row in rows) or any(value <= 0 for value in self.scale or ()):
            raise ValueError("mean, scale and ood have to fit the inputs, and scales to be positive")
        return self


Config = Annotated[LinearConfig | ModelConfig, Field(discriminator="backend")]
_ADAPTER: TypeAdapter[LinearConfig | ModelConfig] = TypeAdapter(Config)


def _only_known(names: tuple[str, ...]) -> None:
    unknown = [name for name in names if not known_feature(name)]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no feature of a lesion")


def parse_config(data: bytes, where: str) -> LinearConfig | ModelConfig:
    """Check a configuration, and bring its types to those of the ontology.

    Args:
        data: the JSON text.
        where: the file, for messages.

    Raises:
        UsageError: where it is no valid configuration, or names types or organs that the ontology doesn't know.
    """
    if len(data) > MAX_CONFIG:
        raise UsageError(f"{where} is larger than {MAX_CONFIG >> 20} MB, which no configuration of a classifier is.")
    try:
        config = _ADAPTER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UsageError(f"{where} is no configuration of a classifier: {at}: {first['msg']}.") from None
    for organ in config.organs:
        known = load_ontology().structures.get(organ)
        if known is None or known.base != organ:
            raise UsageError(f"{where} names the organ {organ[:60]!r}; give an identifier such as liver or kidney.")
    if isinstance(config, ModelConfig):
        return config.model_copy(update={"types": tuple(ontology_type(name, where) for name in config.types)})
    models = {
        organ: one.model_copy(update={"types": tuple(ontology_type(name, where) for name in one.types)})
        for organ, one in config.organs.items()
    }
    alone = {organ: ontology_type(name, where) for organ, name in config.alone.items()}
    return config.model_copy(update={"organs": models, "alone": alone})


def read_limited(path: Path, most: int) -> bytes:
    """A file's content.

    Raises:
        UsageError: where it can't be read or is larger than `most` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"The file {path} of a classifier can't be read ({error.strerror}).") from error
    if len(data) > most:
        raise UsageError(f"The file {path} of a classifier is larger than {most >> 20} MB.")
    return data


def read_model(config: ModelConfig, folder: Path) -> bytes:
    """The model's file, checked against its hash.

    Raises:
        UsageError: where it can't be read, is too large, or is another file.
    """
    path = folder / config.file
    data = read_limited(path, MAX_MODEL)
    if hashlib.sha256(data).hexdigest() != config.sha256:
        raise UsageError(f"The file {path} is not the one that its configuration names by sha256; set the right hash.")
    return data
