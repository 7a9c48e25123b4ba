"""One copy: complete or absent, for any response of the host and any interruption."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.archive import copier
from gateway.archive.copier import ArchiveResult, Outcome, copy_task, is_whole, look_up
from gateway.archive.records import TaskMetadata
from gateway.archive.store import ArchiveStore, StoreError
from gateway.task_ids.links import EXPIRED_STATUSES
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.transport.client import HttpClient
from tests.archives import (
    ACCOUNT,
    BASE_PATH,
    CREATED,
    ID,
    INDEX,
    JPEG,
    METADATA,
    ArchiveLocation,
    FileHost,
    copy_once,
    killed_copy,
    new_location,
    no_other,
    until,
    video,
)

VIDEO = video()


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveLocation:
    return new_location("file", tmp_path, monkeypatch)


@pytest.fixture
async def host() -> AsyncIterator[FileHost]:
    async with FileHost().serving() as host:
        yield host


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


async def failing(location: ArchiveLocation, link: str) -> ArchiveResult:
    """The result of a failed copy, which leaves no files."""
    copied = await copy_once(location.open(), Result(link))
    assert copied.outcome is Outcome.FAILED
    assert copied.archived is None
    assert "secret" not in copied.cause
    assert location.visible() == set()
    assert location.unfinished() == 0
    return copied


@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_copy_writes_video_cover_record_and_index(
    kind: str, host: FileHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = new_location(kind, tmp_path, monkeypatch)
    store = location.open()
    result = Result(
        host.give("v", VIDEO), cover_url=host.give("c", JPEG), expires_at=1, width=1280, height=720, duration=5.04
    )
    copied = await copy_once(store, result)
    assert copied.outcome is Outcome.COPIED
    assert copied.bytes == len(VIDEO) + len(JPEG)
    assert location.visible() == {f"{BASE_PATH}.mp4", f"{BASE_PATH}.jpg", f"{BASE_PATH}.json", INDEX}
    written = json.loads(await store.get_small(f"{BASE_PATH}.json") or b"")
    assert written == {
        "version": 1,
        "provider": "jimeng",
        "id": ID,
        "account": list(ACCOUNT.principals),
        "bytes": len(VIDEO),
        "media_type": "video/mp4",
        "sha256": hashlib.sha256(VIDEO).hexdigest(),
        "archived_at": CREATED + 100,
        "model": "jimeng-video-3.0-fast",
        "created": CREATED,
        "ended": CREATED + 60,
        "seconds": 5,
        "size": "1280x720",
        "width": 1280,
        "height": 720,
        "duration": 5.04,
        "cover": {
            "ending": "jpg",
            "bytes": len(JPEG),
            "media_type": "image/jpeg",
            "sha256": hashlib.sha256(JPEG).hexdigest(),
        },
        "prompt": None,
    }
    assert await look_up(store, "jimeng", ID) == copied.archived
    assert await look_up(store, "dashscope", ID) is None
    again = await copy_once(store, result)
    assert (again.outcome, again.archived) == (Outcome.ALREADY_THERE, copied.archived)
    assert host.asked == ["v", "c"]


@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_killed_copy_is_invisible_and_completed_by_the_next(
    kind: str, host: FileHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = new_location(kind, tmp_path, monkeypatch)
    body = video(14_000_000)
    link = host.give("v", body, hold_at=11_000_000)
    await killed_copy(location, link)
    store = location.open()
    assert location.visible() == set()
    assert await look_up(store, "jimeng", ID) is None
    host.let_go.set()
    copied = await copy_once(store, Result(link))
    assert copied.outcome is Outcome.COPIED
    assert location.visible() == {f"{BASE_PATH}.mp4", f"{BASE_PATH}.json", INDEX}
    assert await store.size(f"{BASE_PATH}.mp4") == len(body)
    if kind == "file":
        # In a bucket the parts of the killed upload are there until the bucket's own rule clears them away.
        assert location.unfinished() == 0


# --- rejected files -----------------------------------------------------------------------------------------


async def test_truncated_body_fails(location: ArchiveLocation, host: FileHost) -> None:
    await failing(location, host.give("v", VIDEO, announced=len(VIDEO) + 1))


async def test_chunked_body_is_copied_only_if_complete(location: ArchiveLocation, host: FileHost) -> None:
    await failing(location, host.give("v", VIDEO, headers={"Transfer-Encoding": "chunked"}))
    copied = await copy_once(location.open(), Result(host.give("v", VIDEO, announced=None)))
    assert copied.outcome is Outcome.COPIED


@pytest.mark.parametrize(("announced", "cause"), [(10_000_000, "bytes of the"), (5, "longer than")])
async def test_wrong_content_length_fails(location: ArchiveLocation, announced: int, cause: str) -> None:
    """As where the HTTP library does not notice, for example after decompression."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": str(announced)}, stream=httpx.ByteStream(VIDEO))

    async with HttpClient(transport=lambda proxy: httpx.MockTransport(answer)) as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, Result("https://host/v"), no_other, CREATED)
    assert (copied.outcome, location.visible()) == (Outcome.FAILED, set())
    assert cause in copied.cause


async def test_empty_body_fails(location: ArchiveLocation) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(VIDEO))

    async with HttpClient(transport=lambda proxy: httpx.MockTransport(answer)) as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, Result("https://host/v"), no_other, CREATED)
    assert (copied.outcome, copied.cause) == (Outcome.FAILED, "the host sends no length")


@pytest.mark.parametrize(
    "header",
    [
        {"Content-MD5": md5(b"another")},
        {"Repr-Digest": f"sha-256=:{sha256(b'another')}:"},
        {"Digest": f"SHA-256={sha256(b'another')}"},
        {"Content-Digest": f"sha-512=:AAAA:, sha-256=:{sha256(b'another')}:"},
    ],
)
async def test_wrong_checksum_fails(location: ArchiveLocation, host: FileHost, header: dict[str, str]) -> None:
    copied = await failing(location, host.give("v", VIDEO, headers=header))
    assert "differs from the one that the host sends" in copied.cause


@pytest.mark.parametrize(
    "header",
    [
        {"Content-MD5": md5(VIDEO), "Repr-Digest": f"sha-256=:{sha256(VIDEO)}:"},
        {"Digest": f"SHA-256={sha256(VIDEO)}"},
        {"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'},
        {"Content-MD5": "no checksum", "Digest": "sha-256=short", "Repr-Digest": "sha-256=::"},
    ],
)
async def test_correct_and_missing_checksums_are_accepted(
    location: ArchiveLocation, host: FileHost, header: dict[str, str]
) -> None:
    copied = await copy_once(location.open(), Result(host.give("v", VIDEO, headers=header)))
    assert copied.outcome is Outcome.COPIED


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>" + b" " * 500, JPEG, b"", b"\x00", b"ftyp", b'{"error": "gone"}']
)
async def test_body_that_is_no_video_fails(location: ArchiveLocation, host: FileHost, body: bytes) -> None:
    copied = await failing(location, host.give("v", body, headers={"Content-Type": "text/html; charset=utf-8"}))
    assert copied.cause == ("no video, but text/html" if body else "an empty file")


@pytest.mark.parametrize("status", [204, 206, 400, 429, 500, 503])
async def test_status_other_than_200_fails(location: ArchiveLocation, host: FileHost, status: int) -> None:
    copied = await failing(location, host.give("v", b"" if status == 204 else VIDEO, status=status))
    assert copied.cause == f"HTTP {status}"


async def test_unreachable_host_fails(location: ArchiveLocation) -> None:
    for link in ("http://127.0.0.1:9/v?signature=secret", "nonsense", "", "ftp://x/y"):
        await failing(location, link)


async def test_copy_that_takes_too_long_fails(
    location: ArchiveLocation, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copier, "COPY_TIMEOUT_SECONDS", 0.1)
    copied = await failing(location, host.give("v", VIDEO, hold_at=70_000))
    assert "not done within" in copied.cause


async def test_cause_contains_no_secret_of_the_account(location: ArchiveLocation) -> None:
    async def renew() -> Result | None:
        raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail=f"no {ACCOUNT.credential}")

    def gone(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403)

    async with HttpClient(transport=lambda proxy: httpx.MockTransport(gone)) as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, Result("https://host/v"), renew, CREATED)
    assert copied.outcome is Outcome.FAILED
    assert "no ***" in copied.cause


# --- links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(EXPIRED_STATUSES))
async def test_expired_link_is_renewed_once(location: ArchiveLocation, host: FileHost, status: int) -> None:
    fresh = Result(host.give("fresh", VIDEO), cover_url=host.give("cover", JPEG), width=640)
    old = Result(host.give("old", b"", status=status), cover_url=host.url("old-cover"))
    asked: list[str] = []

    async def renew() -> Result | None:
        asked.append("once")
        return fresh

    async with HttpClient() as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, old, renew, CREATED)
    assert copied.outcome is Outcome.COPIED
    assert copied.archived is not None and copied.archived.cover is not None
    assert copied.archived.record.width == 640
    assert (asked, host.asked) == (["once"], ["old", "fresh", "cover"])


@pytest.mark.parametrize("fresh", [None, Result("")])
async def test_link_without_a_renewal_has_expired(
    location: ArchiveLocation, host: FileHost, fresh: Result | None
) -> None:
    async def renew() -> Result | None:
        return fresh

    async with HttpClient() as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, Result(host.url("gone")), renew, CREATED)
    assert copied.outcome is Outcome.EXPIRED
    assert location.visible() == set()


@pytest.mark.parametrize("status", sorted(EXPIRED_STATUSES))
async def test_refused_live_link_fails_and_a_later_attempt_succeeds(
    location: ArchiveLocation, host: FileHost, status: int
) -> None:
    result = Result(host.give("live", b"not yet", status=status))

    async def renew() -> Result | None:
        return result

    async with HttpClient() as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, result, renew, CREATED)
        assert copied.outcome is Outcome.FAILED
        assert copied.cause == f"HTTP {status} for a link that the upstream has just given"
        host.give("live", VIDEO)
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, result, renew, CREATED)
    assert copied.outcome is Outcome.COPIED


@pytest.mark.parametrize(("expires_in", "outcome"), [(-1, Outcome.EXPIRED), (1, Outcome.FAILED)])
async def test_refused_link_whose_time_is_over_has_expired(
    location: ArchiveLocation, host: FileHost, expires_in: int, outcome: Outcome
) -> None:
    result = Result(host.give("v", b"over", status=403), expires_at=int(CREATED) + expires_in)

    async def renew() -> Result | None:
        return result

    async with HttpClient() as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, result, renew, CREATED)
    assert copied.outcome is outcome


async def test_expired_cover_alone_is_renewed(location: ArchiveLocation, host: FileHost) -> None:
    async def renew() -> Result | None:
        return Result(host.url("v"), cover_url=host.give("fresh-cover", JPEG))

    old = Result(host.give("v", VIDEO), cover_url=host.url("gone"))
    async with HttpClient() as http:
        copied = await copy_task(location.open(), http, METADATA, ACCOUNT, old, renew, CREATED)
    assert copied.archived is not None and copied.archived.cover is not None
    assert host.asked == ["v", "gone", "fresh-cover"]


async def test_proxy_of_the_account_is_used(location: ArchiveLocation) -> None:
    used: list[str | None] = []

    def transport(proxy: str | None) -> httpx.MockTransport:
        used.append(proxy)
        return httpx.MockTransport(lambda request: httpx.Response(200, content=VIDEO))

    account = Account("jimeng", "s-secret-1", proxy="socks5://127.0.0.1:9")
    async with HttpClient(transport=transport) as http:
        await copy_task(location.open(), http, METADATA, account, Result("https://host/v"), no_other, CREATED)
    assert used == ["socks5://127.0.0.1:9"]


# --- covers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "ending"),
    [
        (JPEG, "application/octet-stream", "jpg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(50), "image/jpeg", "webp"),
        (b"\x00\x00\x00\x1cftypheic" + bytes(50), "image/heic", "heic"),
        (b"GIF89a" + bytes(50), "image/gif", "gif"),
    ],
)
async def test_cover_has_the_extension_of_its_type(
    location: ArchiveLocation, host: FileHost, body: bytes, content_type: str, ending: str
) -> None:
    link = host.give("c", body, headers={"Content-Type": content_type})
    copied = await copy_once(location.open(), Result(host.give("v", VIDEO), cover_url=link))
    assert copied.archived is not None and copied.archived.cover is not None
    assert copied.archived.cover.path == f"{BASE_PATH}.{ending}"
    assert f"{BASE_PATH}.{ending}" in location.visible()


@pytest.mark.parametrize(
    "how",
    [
        {"status": 403},
        {"status": 500},
        {"announced": 5000},
        {"headers": {"Content-MD5": md5(b"another")}},
        {"body": b"<html>"},
        {"body": b""},
        {"body": JPEG + bytes(5000)},
    ],
)
async def test_cover_that_cannot_be_fetched_is_left_out(
    location: ArchiveLocation, host: FileHost, how: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copier, "MAX_COVER_BYTES", 5000)
    body = how.get("body", JPEG)
    assert isinstance(body, bytes)
    cover = host.give("c", body, **{name: value for name, value in how.items() if name != "body"})
    copied = await copy_once(location.open(), Result(host.give("v", VIDEO), cover_url=cover))
    assert copied.outcome is Outcome.COPIED
    assert copied.archived is not None and copied.archived.cover is None
    assert location.visible() == {f"{BASE_PATH}.mp4", f"{BASE_PATH}.json", INDEX}


async def test_cover_of_an_unreachable_host_is_left_out(location: ArchiveLocation, host: FileHost) -> None:
    copied = await copy_once(location.open(), Result(host.give("v", VIDEO), cover_url="http://127.0.0.1:9/c"))
    assert copied.outcome is Outcome.COPIED


# --- interrupted between two writes -------------------------------------------------------------------------------


class Dying(ArchiveStore):
    """Raises at the write of the small file number `last`, counted from 1."""

    last = 0

    async def put_small(self, path: str, data: bytes, media_type: str) -> None:
        self.last -= 1
        if self.last == 0:
            raise StoreError("died")
        await super().put_small(path, data, media_type)


@pytest.mark.parametrize(
    ("last", "left", "downloads"),
    [
        (1, {f"{BASE_PATH}.mp4"}, 2),
        (2, {f"{BASE_PATH}.mp4", f"{BASE_PATH}.jpg"}, 2),
        (3, {f"{BASE_PATH}.mp4", f"{BASE_PATH}.jpg", f"{BASE_PATH}.json"}, 1),
    ],
    ids=["before the cover", "before the record", "before the index"],
)
async def test_task_missing_in_the_index_is_not_found(
    location: ArchiveLocation, host: FileHost, last: int, left: set[str], downloads: int
) -> None:
    result = Result(host.give("v", VIDEO), cover_url=host.give("c", JPEG))
    dying = Dying.open(location.url)
    dying.last = last
    copied = await copy_once(dying, result)
    assert (copied.outcome, copied.cause) == (Outcome.FAILED, "died")
    assert location.visible() == left
    store = location.open()
    assert await look_up(store, "jimeng", ID) is None

    repaired = await copy_once(store, result)
    assert repaired.outcome is (Outcome.COPIED if downloads == 2 else Outcome.ALREADY_THERE)
    assert host.asked.count("v") == downloads
    found = await look_up(store, "jimeng", ID)
    assert found is not None and found == repaired.archived
    assert found.cover is not None


async def test_record_without_its_video_is_copied_again(location: ArchiveLocation, host: FileHost) -> None:
    store, result = location.open(), Result(host.give("v", VIDEO))
    await copy_once(store, result)
    await store.delete([f"{BASE_PATH}.mp4"])
    assert (await copy_once(store, result)).outcome is Outcome.COPIED
    assert f"{BASE_PATH}.mp4" in location.visible()


@pytest.mark.parametrize("path", [INDEX, f"{BASE_PATH}.json"])
@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b"../../x.json", b"x" * 2_000_000])
async def test_altered_files_are_not_trusted(location: ArchiveLocation, host: FileHost, path: str, data: bytes) -> None:
    store, result = location.open(), Result(host.give("v", VIDEO))
    await copy_once(store, result)
    await store.put_small(path, data, "text/plain")
    assert await look_up(store, "jimeng", ID) is None
    copied = await copy_once(store, result)
    assert copied.outcome in (Outcome.COPIED, Outcome.ALREADY_THERE)
    assert await look_up(store, "jimeng", ID) == copied.archived


async def test_concurrent_copies_of_one_task_both_complete(location: ArchiveLocation, host: FileHost) -> None:
    result = Result(host.give("v", video(3_000_000)), cover_url=host.give("c", JPEG))
    results = await asyncio.gather(*(copy_once(location.open(), result) for _ in range(4)))
    assert {copied.outcome for copied in results} <= {Outcome.COPIED, Outcome.ALREADY_THERE}
    assert len(location.visible()) == 4
    assert (await copy_once(location.open(), result)).outcome is Outcome.ALREADY_THERE


@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_copy_completed_by_another_process_is_kept(
    kind: str, host: FileHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower copy has a different file, such as a preview."""
    store = new_location(kind, tmp_path, monkeypatch).open()
    slow = asyncio.create_task(copy_once(store, Result(host.give("preview", video(2000), hold_at=100))))
    await until(lambda: "preview" in host.asked)
    first = await copy_once(store, Result(host.give("best", VIDEO)))
    host.let_go.set()
    second = await slow
    assert (first.outcome, second.outcome) == (Outcome.COPIED, Outcome.ALREADY_THERE)
    assert second.archived == first.archived
    assert first.archived is not None
    assert await is_whole(store, first.archived)


async def test_unusual_ids_and_broken_characters_are_stored(location: ArchiveLocation, host: FileHost) -> None:
    metadata = TaskMetadata("jimeng", "../a/b 猫#1", created=CREATED, prompt="猫 \ud800")
    store = location.open()
    copied = await copy_once(store, Result(host.give("v", VIDEO)), metadata)
    assert copied.outcome is Outcome.COPIED
    found = await look_up(store, "jimeng", metadata.id)
    assert found is not None and found.record.prompt == "猫 ?"
    assert all(path.startswith(("jimeng/2025/09/13/", "index/jimeng/")) for path in location.visible())
