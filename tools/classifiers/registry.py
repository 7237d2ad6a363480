"""Finds classifiers by name: the embedded one, and those in the user's folder.

``TUMORTRACE_CLASSIFIERS`` names a folder with one folder for each classifier, named like it, that holds its
``classifier.json``. A name is never a path, so that nothing a model writes can open a file elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from agent.errors import UsageError
from tools.classifiers.base import Classifier
from tools.classifiers.config import MAX_CONFIG, LinearConfig, ModelConfig, parse_config, read_limited

EMBEDDED = "embedded"
CONFIG = "classifier.json"
VARIABLE = "TUMORTRACE_CLASSIFIERS"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def classifier_folder() -> Path | None:
    """The user's folder of classifiers, None where none is set."""
    given = os.environ.get(VARIABLE, "")
    return Path(given) if given else None


def classifier_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of all classifiers, the embedded one first.

    Args:
        folder: the user's folder; `classifier_folder` by default.
    """
    root = folder or classifier_folder()
    own = [one.parent.name for one in root.glob(f"*/{CONFIG}")] if root is not None and root.is_dir() else []
    return (EMBEDDED, *sorted(name for name in own if _NAME.fullmatch(name) and name != EMBEDDED))


def classifier_digest(name: str, folder: Path | None = None) -> str:
    """Hash (hex) of a classifier's configuration, which in turn pins its model: what its answers depend on.

    Raises:
        UsageError: for a name that is not registered.
    """
    return hashlib.sha256(_content(name, folder)[0]).hexdigest()


def load_classifier(name: str, folder: Path | None = None) -> Classifier:
    """The classifier of a name, ready to answer.

    Args:
        name: as listed by `classifier_names`.
        folder: the user's folder; `classifier_folder` by default.

    Raises:
        UsageError: for a name that is not registered, or a classifier that can't be loaded.
    """
    data, where, home = _content(name, folder)
    config = parse_config(data, where)
    if isinstance(config, LinearConfig):
        from tools.classifiers.backends.embedded import LinearClassifier  # noqa: PLC0415

        return LinearClassifier(name, config)
    return _with_model(name, config, home)


def _with_model(name: str, config: ModelConfig, home: Path | None) -> Classifier:
    from tools.classifiers.model import ModelClassifier  # noqa: PLC0415

    if home is None:
        raise UsageError(f"The classifier {name!r} needs a model's file, which only a classifier of a folder can have.")
    backend = import_module(f"tools.classifiers.backends.{config.backend}")
    return ModelClassifier(name, config, backend.load(config, home), home)


def _content(name: str, folder: Path | None) -> tuple[bytes, str, Path | None]:
    """A configuration's bytes, what to call it, and its folder."""
    if name == EMBEDDED:
        inside = files("tools").joinpath("classifiers/embedded/lesion_types.json")
        return inside.read_bytes(), "the embedded classifier", None
    root = folder or classifier_folder()
    if root is None or not _NAME.fullmatch(name) or not (root / name / CONFIG).is_file():
        known = ", ".join(classifier_names(folder))
        raise UsageError(
            f"There is no classifier {name[:60]!r} (there is: {known}); put its {CONFIG} into a folder of that name "
            f"below the one that {VARIABLE} names."
        )
    return read_limited(root / name / CONFIG, MAX_CONFIG), str(root / name / CONFIG), root / name
