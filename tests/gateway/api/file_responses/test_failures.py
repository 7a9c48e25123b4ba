"""Failures before the first byte of a file and in the middle of it."""

import asyncio
import logging

import httpx
import pytest

from tests.gateway.api.file_responses.host import START, Gateway, Host, collect, http, running, says, until


class TestFailureBeforeTheFirstByte:
    @pytest.mark.parametrize(
        ("response", "status", "code"),
        [
            (http("500 Internal Server Error", b"<Error/>"), 502, "upstream_unavailable"),
            (http("503 Slow Down", b"", "Retry-After: 9"), 502, "upstream_unavailable"),
            (http("400 Bad Request", b"<Error/>"), 502, "upstream_error"),
            (http("204 No Content"), 502, "upstream_error"),
            (http("302 Found"), 502, "upstream_error"),
            (b"\x00nonsense\r\n\r\n", 502, "upstream_unavailable"),
            (b"", 502, "upstream_unavailable"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 502, "upstream_unavailable"),
        ],
        ids=["500", "503", "400", "204", "302", "nonsense", "silence", "head only"],
    )
    async def test_failure_before_the_first_byte_is_an_error_response(
        self, gateway: Gateway, response: bytes, status: int, code: str
    ) -> None:
        async with running(says(response)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["x-should-retry"] == ("true" if code == "upstream_unavailable" else "false")
        assert answer.headers.get("retry-after") == {b"HTTP/1.1 503": "9"}.get(
            response[:12], "5" if code == "upstream_unavailable" else None
        )
        assert host.url not in answer.text

    async def test_unreachable_host_is_an_error_response(self, gateway: Gateway) -> None:
        answer = await gateway.ask("http://127.0.0.1:1/v.mp4")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")
        assert gateway.renewals == []

    @pytest.mark.parametrize("link", ["", "ftp://h/v.mp4", "http://", "//h/v", "http://h:99999/"])
    async def test_invalid_link_is_an_error_response(self, gateway: Gateway, link: str) -> None:
        assert (await gateway.ask(link)).status_code == 502


class TestFailureInTheMiddle:
    @pytest.mark.parametrize(
        "start",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + START,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + START + b"\r\n",
        ],
        ids=["length", "chunked"],
    )
    @pytest.mark.parametrize("way", ["close", "reset", "silence"])
    async def test_failure_in_the_middle_breaks_the_connection_of_the_client(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture, start: bytes, way: str
    ) -> None:
        async def break_off(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(start)
            await writer.drain()
            await asyncio.sleep(0.02)
            if way == "close":
                writer.close()
            elif way == "reset":
                writer.transport.abort()

        received = bytearray()
        async with running(break_off) as host, httpx.AsyncClient() as client:
            async with client.stream("GET", gateway.address(host.url)) as answer:
                assert answer.status_code == 200
                with pytest.raises(httpx.RemoteProtocolError, match="complet"):
                    await collect(answer, received)
            await host.until_left()
        assert bytes(received) == START
        # The thread of the server writes its line just after the connection is closed.
        await until(lambda: any(record.name == "gateway.access" for record in caplog.records))
        warnings = [
            record for record in caplog.records if record.levelno >= logging.WARNING and record.name == "gateway"
        ]
        assert len(warnings) == 1
        assert warnings[0].getMessage() == "response interrupted"
        assert not any(record.exc_info for record in caplog.records)
        assert host.url not in caplog.text
