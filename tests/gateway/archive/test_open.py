"""Archived files are served, whole and in ranges."""

from collections.abc import AsyncGenerator

import pytest

from gateway.archive.copier import Outcome
from gateway.archive.store import StoreError, Stream
from gateway.core.byte_ranges import UnsatisfiableRangeError
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from tests.archives import (
    ACCOUNT,
    ID,
    JPEG,
)
from tests.gateway.archive.fixtures import BOTH, VIDEO, ArchiveFixture, read


@BOTH
async def test_video_and_cover_are_served(env: ArchiveFixture) -> None:
    archived = await env.copied()
    opened = await env.archive.open(archived)
    assert await read(opened) == VIDEO
    assert opened is not None
    assert (opened.size, opened.media_type, opened.content_range) == (len(VIDEO), "video/mp4", None)
    assert opened.etag == f'"{archived.record.sha256}"'
    cover = await env.archive.open(archived, "thumbnail")
    assert await read(cover) == JPEG
    assert cover is not None and cover.media_type == "image/jpeg"


@BOTH
@pytest.mark.parametrize(
    ("header", "content_range", "start", "stop"),
    [
        ("bytes=0-0", "bytes 0-0/100000", 0, 1),
        ("bytes=99999-", "bytes 99999-99999/100000", 99_999, 100_000),
        ("Bytes= 10 - 19 ", "bytes 10-19/100000", 10, 20),
        ("bytes=-5", "bytes 99995-99999/100000", 99_995, 100_000),
        ("bytes=-999999", "bytes 0-99999/100000", 0, 100_000),
        ("bytes=5-999999", "bytes 5-99999/100000", 5, 100_000),
    ],
)
async def test_range_is_served(env: ArchiveFixture, header: str, content_range: str, start: int, stop: int) -> None:
    archived = await env.copied()
    opened = await env.archive.open(archived, range=header)
    assert opened is not None and opened.content_range == content_range
    assert await read(opened) == VIDEO[start:stop]


@pytest.mark.parametrize("header", ["", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "items=0-1", "bytes=a-b"])
async def test_invalid_range_serves_the_whole_file(env: ArchiveFixture, header: str) -> None:
    opened = await env.archive.open(await env.copied(), range=header)
    assert opened is not None and opened.content_range is None
    assert await read(opened) == VIDEO


@pytest.mark.parametrize("header", ["bytes=100000-", "bytes=100000-100001", "bytes=-0", "bytes=9999999999999999999-"])
async def test_range_outside_of_the_file_is_unsatisfiable(env: ArchiveFixture, header: str) -> None:
    archived = await env.copied()
    with pytest.raises(UnsatisfiableRangeError) as caught:
        await env.archive.open(archived, range=header)
    assert caught.value.size == len(VIDEO)


async def test_range_of_another_file_serves_the_whole_file(env: ArchiveFixture) -> None:
    archived = await env.copied()
    etag = archived.video.etag
    for if_range, whole in ((etag, False), ('"other"', True), (f"W/{etag}", True), ("Sat, 13 Sep 2025", True)):
        opened = await env.archive.open(archived, range="bytes=0-1", if_range=if_range)
        assert opened is not None and (opened.content_range is None) is whole


async def test_head_has_no_body(env: ArchiveFixture) -> None:
    opened = await env.archive.open(await env.copied(), range="bytes=0-9", head=True)
    assert opened is not None and (opened.length, opened.size) == (10, len(VIDEO))
    assert [piece async for piece in opened.pieces] == []


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("how", ["deleted", "another"])
async def test_changed_or_deleted_file_is_no_longer_known(env: ArchiveFixture, how: str, head: bool) -> None:
    archived = await env.copied()
    if how == "deleted":
        await env.store.delete([archived.video.path])
    else:
        await env.store.put_small(archived.video.path, VIDEO + b"x", "video/mp4")
    assert await env.archive.open(archived, head=head) is None
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    # The next poll copies it again.
    env.see(Result(env.host.url("v")))
    assert (await env.done()).outcome is Outcome.COPIED
    assert await read(await env.archive.open(archived)) == VIDEO


async def test_missing_cover_is_none(env: ArchiveFixture) -> None:
    archived = await env.copied(Result(env.host.give("v", VIDEO)))
    assert await env.archive.open(archived, "thumbnail") is None
    assert await env.archive.link(archived, "thumbnail") is None
    assert env.archive.is_archived("jimeng", ID, ACCOUNT.id)


async def test_interrupted_stream_is_an_answer_lost_error(env: ArchiveFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    archived = await env.copied()

    async def pieces(fails: bool) -> AsyncGenerator[bytes, None]:
        yield b"x"
        if fails:
            raise StoreError("gone")

    for fails in (True, False):

        async def broken(path: str, start: int, stop: int | None, fails: bool = fails) -> Stream:
            return Stream(len(VIDEO), pieces(fails))

        monkeypatch.setattr(env.store, "get", broken)
        opened = await env.archive.open(archived)
        with pytest.raises(ProviderError) as caught:
            await read(opened)
        assert caught.value.kind is ErrorKind.ANSWER_LOST


@BOTH
async def test_link_is_signed_where_the_store_supports_it(env: ArchiveFixture) -> None:
    link = await env.archive.link(await env.copied())
    assert (link is None) is (env.location.folder is not None)
