"""Earlier cases that a run may compare lesions with: a case base, opened once it is needed, and its encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from agent.errors import UsageError
from retrieval.case_files import read_manifest
from retrieval.case_model import EncoderId
from retrieval.cases import CaseBase
from tools.array_store import ArrayStore
from tools.types import content_hash

if TYPE_CHECKING:
    from tools.encoders.protocol import Encoder

AUTO = "auto"
_OTHER = "the case base holds vectors of another encoder, or of another version of it, than the one that is used"
_UNNAMED = "the encoder of the case base is none of the built-in ones, and no folder of it is named in the settings"
_UNUSABLE = "the encoder of the case base cannot be used here, since a package or its weights are missing"


@dataclass(frozen=True)
class Opened:
    """One generation of a case base with its encoder.

    Attributes:
        base: the case base.
        digest: hash of the manifest, which holds the checksums of all its files.
        encoder: what makes vectors for it; None where there is none.
        unfit: why no lesion can be compared with it, a clause without digits; None where one can.
    """

    base: CaseBase
    digest: str
    encoder: Encoder | None
    unfit: str | None


@dataclass
class Library:
    """A case base, with what is needed to compare a lesion with it.

    Attributes:
        folder: of the case base.
        arrays: where vectors are kept by content; None to make them anew each time.
        encoder: name or folder of the encoder; `AUTO` for the built-in one that the base names.
        patient: whatever identifies the patient, as in the table that the base was made from; None if not known.
        number: the patient's number by the scan's own header; None where it tells none.
    """

    folder: Path
    arrays: ArrayStore | None = None
    encoder: str = AUTO
    patient: str | None = field(default=None, repr=False)
    number: str | None = field(default=None, repr=False)
    _opened: Opened | None = field(default=None, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def opened(self) -> Opened:
        """The base as it was when first needed; later generations wait for the next run.

        Raises:
            UsageError: there is no base, or no encoder where one was named.
            IntegrityError: a file of the base is not what was written.
        """
        with self._lock:
            if self._opened is None:
                base = CaseBase.open(self.folder)
                encoder, unfit = self._encoder(base.manifest.encoder)
                digest = content_hash(base.manifest.model_dump(mode="json"))
                self._opened = Opened(base, digest, encoder, unfit)
            return self._opened

    @property
    def key(self) -> str:
        """Hash over all that a comparison depends on: the base, the encoder, and who is left out."""
        found = self.opened()
        own = encoder_id(found.encoder).model_dump(mode="json") if found.encoder is not None else found.unfit
        return content_hash([found.digest, own, [*sorted(self.own_keys(found.base))]])

    def own_keys(self, base: CaseBase) -> set[str]:
        """Keys in a base of the patient who is asked about, who is left out; none if nobody tells who it is."""
        return base.patient_keys(self.patient, self.number)

    @property
    def synthetic_only(self) -> bool:
        """Whether the base is valid for synthetic scans only; told by its manifest, without opening all of it."""
        held = self._opened
        return (held.base.manifest if held is not None else read_manifest(self.folder)).synthetic_only

    def unfit(self, *, synthetic: bool) -> str | None:
        """Why it says nothing of a scan, a clause without digits; None where it may.

        Args:
            synthetic: whether the scan is marked as computed.
        """
        if self.synthetic_only and not synthetic:
            return "the case base is valid for synthetic scans only, and this is none"
        return None

    def close(self) -> None:
        """Close the base's files."""
        with self._lock:
            if self._opened is not None:
                self._opened.base.close()
                self._opened = None

    def _encoder(self, own: EncoderId) -> tuple[Encoder | None, str | None]:
        from tools.encode import load_encoder  # noqa: PLC0415  (it imports this module by way of cases)
        from tools.encoders.registry import backends  # noqa: PLC0415

        if self.encoder != AUTO:
            encoder = load_encoder(self.encoder)
        else:
            built_in = backends().get(own.name)
            if built_in is None or not built_in.built_in:
                return None, _UNNAMED
            try:
                encoder = load_encoder(own.name)
            except UsageError:
                return None, _UNUSABLE
        return encoder, None if encoder_id(encoder) == own else _OTHER


def encoder_id(encoder: Encoder) -> EncoderId:
    """An encoder as a case base names it."""
    return EncoderId(name=encoder.name, version=encoder.version, dimension=encoder.dimension)
