"""A host of one file that answers as a test sets it."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

Out = pytest.CaptureFixture[str]
Step = Callable[[Request, "Host"], Response]

VIDEO = os.urandom(300_000)
OTHER = os.urandom(200_000)
NAME = "dashscope-7.mp4"
PIECE = 10_000
KEY = {"authorization": "Bearer session-file"}


@dataclass
class Host:
    """The file routes of a gateway. `steps` answer the first requests; later ones succeed."""

    content: bytes = VIDEO
    etag: str = '"one"'
    steps: list[Step] = field(default_factory=list)
    seen: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def ranges(self) -> list[tuple[str | None, str | None]]:
        return [(headers.get("range"), headers.get("if-range")) for headers in self.seen]

    async def answer(self, request: Request) -> Response:
        self.seen.append(dict(request.headers))
        return self.steps.pop(0)(request, self) if self.steps else well(request, self)


def headers_of(host: Host) -> dict[str, str]:
    return {
        "content-type": "video/mp4",
        "content-disposition": f'attachment; filename="{NAME}"',
        "accept-ranges": "bytes",
    } | ({"etag": host.etag} if host.etag else {})


def first_byte(request: Request, host: Host) -> int:
    """The first byte of the response: the requested one, unless the file has changed."""
    wanted = request.headers.get("range", "")
    return int(wanted[6:-1]) if wanted and request.headers.get("if-range") == host.etag else 0


def well(request: Request, host: Host, end: int | None = None) -> Response:
    start, total = first_byte(request, host), len(host.content)
    headers = headers_of(host)
    if not start and end is None:
        return Response(host.content, 200, headers)
    if start >= total:
        return error_response(416, headers={"content-range": f"bytes */{total}"})
    part = host.content[start:end]
    return Response(part, 206, headers | {"content-range": f"bytes {start}-{start + len(part) - 1}/{total}"})


def error_response(status: int, code: str = "error", headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"message": "that is it", "code": code}}, status, dict(headers or {}))


def cut_after(count: int) -> Step:
    """The connection breaks when `count` bytes have come."""

    def step(request: Request, host: Host) -> Response:
        answer = well(request, host)
        body = bytes(answer.body)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, count, PIECE):
                yield body[at : min(at + PIECE, count)]
            raise ConnectionError("cut")

        return StreamingResponse(pieces(), answer.status_code, dict(answer.headers))

    return step


def error_step(status: int, code: str = "error") -> Step:
    return lambda request, host: error_response(status, code)


@dataclass
class DownloadFixture:
    """A download host, and the pauses between attempts."""

    host: Host
    url: str
    pauses: list[float]

    def part(self, name: str, content: bytes, etag: str | None = '"one"') -> None:
        Path(f"{name}.part").write_bytes(content)
        if etag is not None:
            Path(f"{name}.part.etag").write_text(etag)


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}
