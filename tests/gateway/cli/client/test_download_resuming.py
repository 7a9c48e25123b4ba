"""`download` after a broken connection or an earlier run: which bytes are resumed."""

import gzip
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.cli import main
from tests.gateway.cli.client.download_host import (
    NAME,
    OTHER,
    PIECE,
    VIDEO,
    DownloadFixture,
    Host,
    Out,
    Step,
    cut_after,
    error_response,
    error_step,
    files,
    headers_of,
    well,
)


def test_broken_connection_is_resumed(env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [cut_after(100_000), cut_after(50_000)]
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert files() == {"cat.mp4": VIDEO}
    assert env.host.ranges == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"one"')]
    out, err = capsys.readouterr()
    assert out == "cat.mp4\t300,000 bytes\n"
    assert [line.endswith("the file is incomplete; retrying") for line in err.splitlines()] == [True, True]
    assert env.pauses == [0.5, 0.5]


def test_unavailable_gateway_is_retried(env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [cut_after(100_000), error_step(503), error_step(502), cut_after(0)]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert env.pauses == [0.5, 1.0, 2.0, 4.0]
    assert "that is it; retrying" in capsys.readouterr().err


def test_download_gives_up_and_the_next_run_resumes(env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [cut_after(100_000), *[cut_after(0)] * 4]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert files() == {"cat.mp4.part": VIDEO[:100_000], "cat.mp4.part.etag": b'"one"'}
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: the download of cat.mp4 failed at 100,000 of 300,000 bytes (the response of ")
    assert last.endswith(": the same command resumes it")
    env.host.seen.clear()
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert files() == {"cat.mp4": VIDEO}
    assert env.host.ranges == [("bytes=100000-", '"one"')]


def test_progress_resets_the_retry_count(env: DownloadFixture) -> None:
    env.host.steps = [cut_after(PIECE) for _ in range(20)]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert set(env.pauses) == {0.5}


def test_error_during_the_download_keeps_the_part(env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [cut_after(100_000), error_step(404)]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: that is it"
    assert set(files()) == {"cat.mp4.part", "cat.mp4.part.etag"}


@pytest.mark.parametrize("out", [[], ["-o", NAME], ["-o", "./", "--force"]])
def test_part_of_an_earlier_run_is_resumed(out: list[str], env: DownloadFixture) -> None:
    env.part(NAME, VIDEO[:123_456])
    assert main(["download", "7", *out]) == 0
    assert files() == {NAME: VIDEO}
    assert env.host.ranges[-1] == ("bytes=123456-", '"one"')


@pytest.mark.parametrize("out", [[], ["-o", NAME]])
@pytest.mark.parametrize("etag", [None, "", '"two"', "ünreadable"])
def test_part_of_another_file_is_not_resumed(out: list[str], etag: str | None, env: DownloadFixture) -> None:
    env.part(NAME, OTHER, etag)
    assert main(["download", "7", *out]) == 0
    assert files() == {NAME: VIDEO}


def test_file_that_changes_during_the_download_is_restarted(env: DownloadFixture) -> None:
    def changed(request: Request, host: Host) -> Response:
        host.content, host.etag = OTHER, '"two"'
        return cut_after(150_000)(request, host)

    env.host.steps = [cut_after(100_000), changed]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: OTHER}
    assert env.host.ranges == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"two"')]


def test_host_without_ranges_restarts_the_download(env: DownloadFixture) -> None:
    env.host.steps = [cut_after(100_000), lambda request, host: Response(VIDEO, 200, headers_of(host))]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}


@pytest.mark.parametrize("etag", ["", 'W/"one"'])
def test_nothing_is_resumed_without_a_strong_etag(etag: str, env: DownloadFixture, capsys: Out) -> None:
    env.host.etag = etag
    env.host.steps = [cut_after(100_000), *[cut_after(0)] * 4]
    assert main(["download", "7"]) == 1
    assert capsys.readouterr().err.endswith(
        "(RemoteProtocolError): the file is incomplete): the same command restarts it\n"
    )
    assert set(files()) == {f"{NAME}.part"}
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert set(env.host.ranges) == {(None, None)}


def _elsewhere(request: Request, host: Host) -> Response:
    part = {"content-range": f"bytes 5-{len(VIDEO) - 1}/{len(VIDEO)}"}
    return Response(VIDEO[5:], 206, headers_of(host) | part)


def _unnamed(request: Request, host: Host) -> Response:
    return Response(VIDEO[100_000:], 206, headers_of(host))


def _of_another(request: Request, host: Host) -> Response:
    part = {"content-range": f"bytes 100000-{len(OTHER) - 1}/{len(OTHER)}", "etag": '"two"'}
    return Response(OTHER[100_000:], 206, headers_of(host) | part)


def _compressed(request: Request, host: Host) -> Response:
    answer = well(request, host)
    answer.headers["content-encoding"] = "gzip"
    return answer


def _beyond(request: Request, host: Host) -> Response:
    return error_response(416, headers={"content-range": "bytes */99"})


def _beyond_what(request: Request, host: Host) -> Response:
    return error_response(416)


@pytest.mark.parametrize("answer", [_elsewhere, _unnamed, _of_another, _compressed, _beyond, _beyond_what])
def test_response_with_another_range_is_not_appended(answer: Step, env: DownloadFixture) -> None:
    env.part(NAME, VIDEO[:100_000])
    env.host.steps = [answer]
    assert main(["download", "7", "-o", NAME]) == 0
    assert files() == {NAME: VIDEO}
    assert env.host.ranges == [("bytes=100000-", '"one"'), (None, None)]


@pytest.mark.parametrize("answer", [_elsewhere, _beyond])
def test_unrequested_partial_response_is_refused(answer: Step, env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [answer]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert "sent only a part of the file without a range request" in capsys.readouterr().err
    assert files() == {}


def test_complete_part_is_only_renamed(env: DownloadFixture) -> None:
    env.part(NAME, VIDEO)
    assert main(["download", "7", "-o", NAME]) == 0
    assert files() == {NAME: VIDEO}
    assert env.host.ranges == [("bytes=300000-", '"one"')]


def test_shorter_range_than_requested_is_continued(env: DownloadFixture) -> None:
    env.part(NAME, VIDEO[:100_000])
    env.host.steps = [lambda request, host: well(request, host, 200_000)]
    assert main(["download", "7", "-o", NAME]) == 0
    assert files() == {NAME: VIDEO}
    assert env.host.ranges == [("bytes=100000-", '"one"'), ("bytes=200000-", '"one"')]


def test_truncated_file_is_never_renamed(env: DownloadFixture, capsys: Out) -> None:
    env.part(NAME, VIDEO[:100_000])

    def nothing(request: Request, host: Host) -> Response:
        part = {"content-range": "bytes 100000-100000/300000"}
        return Response(b"", 206, headers_of(host) | part)

    env.host.steps = [nothing] * 6
    assert main(["download", "7", "-o", NAME]) == 1
    assert "is incomplete: 100,000 of 300,000 bytes" in capsys.readouterr().err
    assert set(files()) == {f"{NAME}.part", f"{NAME}.part.etag"}


def test_file_of_unknown_length_is_downloaded(env: DownloadFixture, capsys: Out) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield VIDEO

    env.host.steps = [lambda request, host: StreamingResponse(pieces(), 200, headers_of(host))]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}


def test_compressed_file_is_stored_as_it_is_and_not_resumed(env: DownloadFixture) -> None:
    packed = gzip.compress(VIDEO)

    def compressed(request: Request, host: Host) -> Response:
        answer = Response(packed, 200, headers_of(host) | {"content-encoding": "gzip"})
        if len(host.seen) > 1:
            return answer

        async def half() -> AsyncIterator[bytes]:
            yield packed[:100_000]
            raise ConnectionError("cut")

        return StreamingResponse(half(), 200, dict(answer.headers))

    env.host.steps = [compressed, compressed]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert env.host.ranges == [(None, None), (None, None)]
