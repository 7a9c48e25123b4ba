"""Files of an object store, and links into it that have expired."""

import pytest

from gateway.task_ids.links import EXPIRED_STATUSES
from providers.sandbox.clips import CLIPS
from tests.gateway.api.file_responses.host import VIDEO, Gateway, Link, http, running, says


class TestObjectStore:
    async def test_file_is_passed_on_whole(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store())
        assert (answer.status_code, answer.content) == (200, VIDEO)
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["content-length"] == str(len(VIDEO))
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-disposition"] == 'attachment; filename="video.mp4"'
        assert answer.headers["cache-control"] == "private, max-age=3600"
        assert answer.headers["etag"]
        assert answer.headers["last-modified"]
        assert gateway.renewals == []

    @pytest.mark.parametrize(
        ("wanted", "part"),
        [("bytes=0-99", slice(0, 100)), ("bytes=50000-", slice(50000, None)), ("bytes=-7", slice(-7, None))],
    )
    async def test_range_is_passed_on(self, gateway: Gateway, store: Link, wanted: str, part: slice) -> None:
        answer = await gateway.ask(store(), headers={"Range": wanted})
        first, last, _ = part.indices(len(VIDEO))
        assert (answer.status_code, answer.content) == (206, VIDEO[part])
        assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{len(VIDEO)}"
        assert answer.headers["content-length"] == str(last - first)

    async def test_several_parts_keep_the_type_that_separates_them(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store(), headers={"Range": "bytes=0-3, 100-103"})
        assert answer.status_code == 206
        assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
        assert VIDEO[100:104] in answer.content

    async def test_range_beyond_the_end_is_416(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store(), headers={"Range": f"bytes={len(VIDEO)}-"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (416, "range_not_satisfiable")
        assert answer.headers["content-range"] == f"bytes */{len(VIDEO)}"

    async def test_if_range_gives_a_part_only_of_an_unchanged_file(self, gateway: Gateway, store: Link) -> None:
        etag = (await gateway.ask(store(), method="HEAD")).headers["etag"]
        same = await gateway.ask(store(), headers={"Range": "bytes=0-9", "If-Range": etag})
        other = await gateway.ask(store(), headers={"Range": "bytes=0-9", "If-Range": '"other"'})
        assert (same.status_code, same.content) == (206, VIDEO[:10])
        assert (other.status_code, other.content) == (200, VIDEO)

    @pytest.mark.parametrize("wanted", ["seconds=1-2", "bytes=a-b", "bytes=" + "0-1," * 200])
    async def test_unreadable_range_returns_the_whole_file(self, gateway: Gateway, store: Link, wanted: str) -> None:
        answer = await gateway.ask(store(), headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (200, VIDEO)

    async def test_head_gives_the_headers_without_a_body(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store(), method="HEAD")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(VIDEO))
        assert answer.headers["content-type"] == "video/mp4"

    async def test_cover_is_passed_on(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("cover.jpg"), type="image/jpeg", name="cover.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content == (CLIPS / "cover.jpg").read_bytes()


class TestExpiredLink:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_expired_link_is_renewed_once(self, gateway: Gateway, store: Link, method: str) -> None:
        fresh = store()
        answer = await gateway.ask(store("best.mp4", "link-expired"), fresh, method=method)
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(VIDEO)))
        assert gateway.renewals == [fresh]

    @pytest.mark.parametrize("status", sorted(EXPIRED_STATUSES))
    async def test_each_expiry_status_renews_the_link(self, gateway: Gateway, store: Link, status: int) -> None:
        async with running(says(http(f"{status} No", b"<Error/>"))) as host:
            assert (await gateway.ask(host.url, store())).status_code == 200
        assert len(gateway.renewals) == 1

    async def test_renewed_link_is_fetched_with_the_range_of_the_client(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("best.mp4", "link-404"), store(), headers={"Range": "bytes=5-6"})
        assert (answer.status_code, answer.content) == (206, VIDEO[5:7])

    @pytest.mark.parametrize(
        ("word", "status", "code"), [("link-expired", 502, "upstream_error"), ("link-404", 404, "not_found")]
    )
    async def test_expired_link_that_cannot_be_renewed_is_an_error(
        self, gateway: Gateway, store: Link, word: str, status: int, code: str
    ) -> None:
        answer = await gateway.ask(store("best.mp4", word), store("best.mp4", word))
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["x-should-retry"] == "false"
        assert len(gateway.renewals) == 1

    async def test_expired_link_without_another_is_an_error(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("best.mp4", "link-expired"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert "expired" in answer.json()["error"]["message"]

    async def test_expired_link_of_a_missing_task_is_an_error(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("best.mp4", "link-expired"), "refused")
        assert answer.json()["error"]["code"] == "task_not_found"

    async def test_expired_link_leaves_no_connection_open(self, gateway: Gateway, store: Link) -> None:
        async with running(says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n<Error>")) as host:
            assert (await gateway.ask(host.url, store())).status_code == 200
            await host.until_left()
