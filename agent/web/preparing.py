"""Scans without labels are segmented as soon as they are open, one after the other."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from agent.engine import Engine
from agent.errors import Cancelled
from agent.prepare import prepare
from agent.web.faults import Refused
from agent.web.scans import Scans
from agent.web.shapes import Doing


class Preparing:
    """Lets the engines look ahead.

    Args:
        engine: with the segmentation engines.
        scans: what is open.
    """

    def __init__(self, engine: Engine, scans: Scans) -> None:
        self._engine = engine
        self._scans = scans
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare")

    def begin(self, scan: str) -> None:
        """Queue a scan that has just been opened."""
        if self._engine.workshop is not None and not self._stop.is_set():
            self._pool.submit(self._prepare, scan)

    def close(self) -> None:
        """End what is under way."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, scan: str) -> None:
        def tell(what: str, finished: int, planned: int) -> None:
            self._scans.doing(scan, Doing(what=what, finished=finished, planned=planned))

        def check() -> None:
            if self._stop.is_set():
                raise Cancelled("The server is ending.")

        assert self._engine.workshop is not None
        try:
            with self._scans.lease(scan) as lease:
                if lease.case.labels is None:
                    prepare(lease.case, replace(self._engine.workshop, tell=tell, check=check))
        except (Refused, Cancelled):
            return  # closed meanwhile: a question will let the engines look
        except Exception:
            logging.getLogger(__name__).exception("a scan could not be looked at ahead")
        finally:
            self._scans.doing(scan, None)
