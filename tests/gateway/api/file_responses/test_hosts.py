"""File hosts of every kind, each a real server or socket."""

import pytest

from tests.gateway.api.file_responses.host import VIDEO, Gateway, Link, http, running, says


class TestHosts:
    async def test_host_without_ranges_gives_the_whole_file(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"whole"))) as host:
            answer = await gateway.ask(host.url, headers={"Range": "bytes=1-2"})
        assert b"range: bytes=1-2\r\n" in host.heads[0].lower()
        assert (answer.status_code, answer.content) == (200, b"whole")
        assert "content-range" not in answer.headers
        assert "accept-ranges" not in answer.headers

    @pytest.mark.parametrize("status", ["405 Method Not Allowed", "403 Forbidden", "501 Not Implemented"])
    @pytest.mark.parametrize(
        ("first_byte", "length"),
        [
            (http("206 Partial Content", b"x", "Content-Range: bytes 0-0/12345", 'ETag: "e"'), "12345"),
            (http("206 Partial Content", b"x", "Content-Range: bytes 0-0/*", 'ETag: "e"'), None),
            (http("200 OK", b"whole", 'ETag: "e"'), "5"),
            (http("416 Range Not Satisfiable", b"<Error/>", "Content-Range: bytes */0", 'ETag: "e"'), "0"),
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
        body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nvide\r\n1\r\no\r\n0\r\n\r\n"
        async with running(says(body)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.content) == (200, b"video")
        assert "content-length" not in answer.headers

    async def test_unrequested_compression_is_passed_on(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"squeezed", "Content-Encoding: x-squeezed"))) as host:
            answer = await gateway.ask(host.url, headers={"Accept-Encoding": "gzip"})
        assert b"accept-encoding: identity\r\n" in host.heads[0].lower()
        assert (answer.headers["content-encoding"], answer.content) == ("x-squeezed", b"squeezed")

    async def test_empty_file_is_passed_on(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK"))) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.headers["content-length"]) == (200, "0")

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
        async with running(says(http("200 OK", b"x", f"Content-Type: {given}"))) as host:
            answer = await gateway.ask(host.url, type=wanted)
        assert answer.headers["content-type"] == expected

    async def test_headers_that_cannot_be_passed_on_are_left_out(self, gateway: Gateway) -> None:
        odd = http("200 OK", b"x", 'ETag: "视频"', "Set-Cookie: a=b", "Access-Control-Allow-Origin: *", "Server: s")
        async with running(says(odd)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.content) == (200, b"x")
        assert not {"etag", "set-cookie", "access-control-allow-origin"} & set(answer.headers)

    async def test_connections_are_kept(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"x"))) as host:
            for _ in range(3):
                await gateway.ask(host.url)
                assert host.connections == 1

    async def test_the_proxy_of_the_account_is_used(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"by proxy"))) as host:
            answer = await gateway.ask("http://files.invalid/v%2F.mp4", proxy=host.url.removesuffix("/v.mp4"))
        assert answer.content == b"by proxy"
        assert host.heads[0].startswith(b"GET http://files.invalid/v%2F.mp4 ")
