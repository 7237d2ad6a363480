"""The room of uploads is shared by those that come at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.web.faults import Refused
from agent.web.uploads import Uploads
from tests.agent.loop_make import AFFINE, arrays
from tests.agent.web.web_make import config_of
from tests.label_make import save


@pytest.mark.parametrize("announced", [True, False])
def test_several_at_once_share_the_room(tmp_path: Path, announced: bool) -> None:
    save(tmp_path / "ct.nii.gz", arrays()[0], AFFINE)
    data = (tmp_path / "ct.nii.gz").read_bytes()
    room = len(data) * 2 + 10
    uploads = Uploads(config_of(tmp_path, uploads_bytes=room))

    async def body() -> AsyncIterator[bytes]:
        for part in (data[:100], data[100:]):
            yield part
            # So that the others begin before this one ends.
            await asyncio.sleep(0.05)

    async def together() -> list[Path | BaseException]:
        every = (uploads.take(f"{n}.nii.gz", body(), len(data) if announced else None) for n in range(5))
        return await asyncio.gather(*every, return_exceptions=True)

    ended = asyncio.run(together())
    assert 1 <= sum(isinstance(one, Path) for one in ended) <= 2
    assert sum(path.stat().st_size for path in uploads.folder.glob("*/*")) <= room
    assert {one.code for one in ended if isinstance(one, Refused)} == {"uploads_full"}
