"""The bounded spool file."""

import io
from collections.abc import AsyncIterator

import pytest

from gateway.media.spool import SPOOL_BYTES, spool


class TooLargeError(Exception):
    pass


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for number, size in enumerate(sizes):
        yield bytes([number]) * size


@pytest.mark.parametrize("sizes", [(), (3, 4), (SPOOL_BYTES, 5), (SPOOL_BYTES + 1, 7)])
async def test_file_within_the_limit_is_returned_at_its_start(sizes: tuple[int, ...]) -> None:
    with await spool(pieces(*sizes), sum(sizes), TooLargeError) as file:
        assert file.read() == b"".join([piece async for piece in pieces(*sizes)])


async def test_byte_over_the_limit_is_refused_before_it_is_written() -> None:
    with pytest.raises(TooLargeError):
        await spool(pieces(3, 4), 6, TooLargeError)


async def test_file_is_closed_when_its_source_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[io.BytesIO] = []

    def make(max_size: int) -> io.BytesIO:
        made.append(io.BytesIO())
        return made[0]

    async def failing() -> AsyncIterator[bytes]:
        yield b"one"
        raise ConnectionError

    monkeypatch.setattr("gateway.media.spool.SpooledTemporaryFile", make)
    with pytest.raises(ConnectionError):
        await spool(failing(), 10, TooLargeError)
    assert made[0].closed
