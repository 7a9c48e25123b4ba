"""File hosts of every kind, each a real server or socket."""

import pytest

from providers.sandbox.clips import CLIPS
from tests.gateway.api.file_responses.host import START, VIDEO, Gateway, Link, http, running, says

COVER = (CLIPS / "cover.jpg").read_bytes()


class TestHosts:
    async def test_host_without_ranges_gives_the_whole_file(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", START))) as host:
            answer = await gateway.ask(host.url, headers={"Range": "bytes=1-2"})
        assert b"range: bytes=1-2\r\n" in host.heads[0].lower()
        assert (answer.status_code, answer.content) == (200, START)
        assert "content-range" not in answer.headers
        assert "accept-ranges" not in answer.headers

    @pytest.mark.parametrize("status", ["405 Method Not Allowed", "403 Forbidden", "501 Not Implemented"])
    @pytest.mark.parametrize(
        ("first_byte", "length"),
        [
            (http("206 Partial Content", b"x", "Content-Range: bytes 0-0/12345", 'ETag: "e"'), "12345"),
            (http("206 Partial Content", b"x", "Content-Range: bytes 0-0/*", 'ETag: "e"'), None),
            (http("206 Partial Content", b"x", f"Content-Range: bytes 0-0/{'9' * 5000}", 'ETag: "e"'), None),
            (http("200 OK", b"whole", 'ETag: "e"'), "5"),
        ],
    )
    async def test_host_that_refuses_head_is_asked_with_get(
        self, gateway: Gateway, status: str, first_byte: bytes, length: str | None
    ) -> None:
        async with running(says(f"HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\n".encode(), first_byte)) as host:
            answer = await gateway.ask(host.url, method="HEAD", headers={"Range": "bytes=5-6"})
            assert host.methods == [b"HEAD", b"GET"]
            assert b"range: bytes=0-0\r\n" in host.heads[1].lower()
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers.get("content-length") == length
        assert answer.headers["etag"] == '"e"'
        assert "content-range" not in answer.headers

    async def test_part_that_nobody_asked_for_is_an_error(self, gateway: Gateway) -> None:
        part = http("206 Partial Content", START, f"Content-Range: bytes 0-{len(START) - 1}/99999")
        async with running(says(part, part)) as host:
            whole = await gateway.ask(host.url)
            asked = await gateway.ask(host.url, headers={"Range": f"bytes=0-{len(START) - 1}"})
        assert (whole.status_code, whole.json()["error"]["code"]) == (502, "upstream_error")
        assert (asked.status_code, asked.content) == (206, START)

    async def test_redirect_is_followed(self, gateway: Gateway, store: Link) -> None:
        async with running(says(http("302 Found", b"moved", f"Location: {store()}"))) as host:
            answer = await gateway.ask(host.url, headers={"Range": "bytes=0-9", "Authorization": "Bearer key"})
            assert b"uthorization" not in host.heads[0]
        assert (answer.status_code, answer.content) == (206, VIDEO[:10])

    async def test_redirect_loop_is_an_error(self, gateway: Gateway) -> None:
        async with running(says(http("302 Found", b"", "Location: /v.mp4"))) as host:
            answer = await gateway.ask(host.url)
            assert len(host.heads) == 4
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")

    async def test_file_without_a_length_is_passed_on(self, gateway: Gateway) -> None:
        body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
            b"32\r\n%s\r\n" % part for part in (START[:50], START[50:])
        )
        async with running(says(body + b"0\r\n\r\n")) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.content) == (200, START)
        assert "content-length" not in answer.headers

    async def test_unrequested_compression_is_passed_on(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"squeezed", "Content-Encoding: x-squeezed"))) as host:
            answer = await gateway.ask(host.url, headers={"Accept-Encoding": "gzip"})
        assert b"accept-encoding: identity\r\n" in host.heads[0].lower()
        assert (answer.headers["content-encoding"], answer.content) == ("x-squeezed", b"squeezed")

    @pytest.mark.parametrize(
        ("given", "wanted", "expected"),
        [
            ("binary/octet-stream", "video/mp4", "video/mp4"),
            ("image/webp", "video/mp4", "video/mp4"),
            ("Image/WebP; q=1", "image/jpeg", "image/webp"),
            ("application/octet-stream", "image/jpeg", "image/jpeg"),
        ],
    )
    async def test_content_type_is_that_of_the_host_or_the_expected_one(
        self, gateway: Gateway, given: str, wanted: str, expected: str
    ) -> None:
        async with running(
            says(http("200 OK", START if wanted == "video/mp4" else COVER, f"Content-Type: {given}"))
        ) as host:
            answer = await gateway.ask(host.url, type=wanted)
        assert answer.headers["content-type"] == expected

    async def test_headers_that_cannot_be_passed_on_are_left_out(self, gateway: Gateway) -> None:
        odd = http("200 OK", START, 'ETag: "视频"', "Set-Cookie: a=b", "Access-Control-Allow-Origin: *", "Server: s")
        async with running(says(odd)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.content) == (200, START)
        assert not {"etag", "set-cookie", "access-control-allow-origin"} & set(answer.headers)

    async def test_connections_are_kept(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", START))) as host:
            for _ in range(3):
                await gateway.ask(host.url)
                assert host.connections == 1

    async def test_the_proxy_of_the_account_is_used(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", START))) as host:
            answer = await gateway.ask("http://files.invalid/v%2F.mp4", proxy=host.url.removesuffix("/v.mp4"))
        assert answer.content == START
        assert host.heads[0].startswith(b"GET http://files.invalid/v%2F.mp4 ")


class TestNoMedia:
    """A page, an error or nothing in place of the file."""

    PAGES = (
        (b"<!DOCTYPE html><title>Log in</title>" + b" " * 500, "text/html; charset=utf-8"),
        (b'{"code": "AccessDenied", "message": "expired"}' + b" " * 100, "application/json"),
        (b"gateway_requests_total 5\n" * 20, "text/plain; version=0.0.4"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "application/octet-stream"),
        (b"<html>" * 50, "video/mp4"),
        (b"", "video/mp4"),
        (b"\x00", ""),
    )

    @pytest.mark.parametrize(("body", "content_type"), PAGES)
    @pytest.mark.parametrize("wanted", ["video/mp4", "image/jpeg"])
    async def test_whole_file_that_is_no_media_is_502(
        self, gateway: Gateway, body: bytes, content_type: str, wanted: str
    ) -> None:
        async with running(says(http("200 OK", body, f"Content-Type: {content_type}"))) as host:
            answer = await gateway.ask(host.url, type=wanted)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
        assert body[:20].decode() not in answer.text or not body.strip(b"\0")

    @pytest.mark.parametrize(("body", "wanted"), [(VIDEO, "image/jpeg"), (COVER, "video/mp4")])
    async def test_media_of_another_kind_is_502(self, gateway: Gateway, body: bytes, wanted: str) -> None:
        async with running(says(http("200 OK", body))) as host:
            assert (await gateway.ask(host.url, type=wanted)).status_code == 502

    @pytest.mark.parametrize("content_type", ["text/html", "application/json", "application/problem+json", "image/png"])
    async def test_head_of_what_is_no_media_is_502(self, gateway: Gateway, content_type: str) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nContent-Type: {content_type}\r\n\r\n".encode()
        async with running(says(head)) as host:
            assert (await gateway.ask(host.url, method="HEAD")).status_code == 502

    @pytest.mark.parametrize(
        "answers",
        [
            [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
            [http("405 No", b""), http("416 Range Not Satisfiable", b"<Error/>", "Content-Range: bytes */0")],
        ],
    )
    async def test_head_of_an_empty_file_is_502(self, gateway: Gateway, answers: list[bytes]) -> None:
        async with running(says(*answers)) as host:
            assert (await gateway.ask(host.url, method="HEAD")).status_code == 502

    @pytest.mark.parametrize(
        ("part", "content_type", "status"),
        [
            (slice(5000, 5100), "video/mp4", 206),
            (slice(5000, 5100), "application/octet-stream", 206),
            (slice(5000, 5100), "text/html", 502),
            (slice(0, 100), "text/plain", 206),
            (slice(0, 2), "video/mp4", 206),
        ],
    )
    async def test_part_is_known_by_its_bytes_only_from_the_start(
        self, gateway: Gateway, part: slice, content_type: str, status: int
    ) -> None:
        ranges = f"Content-Range: bytes {part.start}-{part.stop - 1}/{len(VIDEO)}"
        partial = http("206 Partial Content", VIDEO[part], ranges, f"Content-Type: {content_type}")
        async with running(says(partial)) as host:
            answer = await gateway.ask(host.url, headers={"Range": f"bytes={part.start}-{part.stop - 1}"})
        assert answer.status_code == status
        assert (answer.content == VIDEO[part]) is (status == 206)

    async def test_part_of_a_page_from_the_start_is_502(self, gateway: Gateway) -> None:
        page = http("206 Partial Content", b"<html>" * 20, "Content-Range: bytes 0-119/120", "Content-Type: video/mp4")
        async with running(says(page)) as host:
            assert (await gateway.ask(host.url, headers={"Range": "bytes=0-"})).status_code == 502
