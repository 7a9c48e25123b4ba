"""`download` against hosts of every kind."""

import fcntl
import gzip
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.cli import main
from gateway.cli.meters import Silence
from gateway.cli.server.background import BackgroundServer

Out = pytest.CaptureFixture[str]
Step = Callable[[Request, "Host"], Response]

VIDEO = os.urandom(300_000)
OTHER = os.urandom(200_000)
NAME = "dashscope-7.mp4"
PIECE = 10_000
KEY = {"authorization": "Bearer session-file"}


@dataclass
class Host:
    """A gateway as far as files go. `steps` answer the first requests, afterwards all goes well."""

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
    """Where the answer begins: at the wanted byte, unless the file is another one meanwhile."""
    wanted = request.headers.get("range", "")
    return int(wanted[6:-1]) if wanted and request.headers.get("if-range") == host.etag else 0


def well(request: Request, host: Host, end: int | None = None) -> Response:
    start, total = first_byte(request, host), len(host.content)
    headers = headers_of(host)
    if not start and end is None:
        return Response(host.content, 200, headers)
    if start >= total:
        return refusal(416, headers={"content-range": f"bytes */{total}"})
    part = host.content[start:end]
    return Response(part, 206, headers | {"content-range": f"bytes {start}-{start + len(part) - 1}/{total}"})


def refusal(status: int, code: str = "error", headers: Mapping[str, str] | None = None) -> Response:
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


def refused(status: int, code: str = "error") -> Step:
    return lambda request, host: refusal(status, code)


@dataclass
class TaskRef:
    """Where a test downloads: the host it asks, and the pauses that were made between tries."""

    host: Host
    url: str
    pauses: list[float]

    def part(self, name: str, content: bytes, etag: str | None = '"one"') -> None:
        Path(f"{name}.part").write_bytes(content)
        if etag is not None:
            Path(f"{name}.part.etag").write_text(etag)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[Host]]]:
    hosts: list[Host] = []

    async def answer(request: Request) -> Response:
        return await hosts[-1].answer(request)

    app = Starlette(routes=[Route("/{path:path}", answer)])
    with BackgroundServer(app) as running:
        yield running.url, hosts


@pytest.fixture
def place(server: tuple[str, list[Host]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRef:
    url, hosts = server
    hosts.append(Host())
    pauses: list[float] = []
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    nap = time.sleep

    def short(seconds: float) -> None:
        pauses.append(seconds)
        nap(min(seconds, 0.005))

    monkeypatch.setattr("gateway.cli.client.downloads.time.sleep", short)
    monkeypatch.chdir(tmp_path)
    return TaskRef(hosts[-1], url, pauses)


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_the_gateway_names_the_file(place: TaskRef, capsys: Out) -> None:
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert capsys.readouterr() == (f"{NAME}\t300,000 bytes\n", "")
    assert place.host.ranges == [(None, None)]
    assert place.host.seen[0]["accept-encoding"] == "identity"
    assert place.host.seen[0]["authorization"] == "Bearer sk-one"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('attachment; filename="../../up.mp4"', "up.mp4"),
        ('attachment; filename="..\\..\\.hidden; rm.mp4"', "hidden_rm.mp4"),
        ('attachment; filename="..."', "no_such_task.mp4"),
        ("inline", "no_such_task.mp4"),
    ],
)
def test_a_name_never_leads_out_of_the_directory(given: str, name: str, place: TaskRef, capsys: Out) -> None:
    place.host.steps = [lambda request, host: Response(VIDEO, 200, headers_of(host) | {"content-disposition": given})]
    assert main(["download", "no/such task"]) == 0
    assert files() == {name: VIDEO}


@pytest.mark.parametrize(
    ("out", "path"), [("cat.mp4", "cat.mp4"), ("new/deep/", f"new/deep/{NAME}"), ("there", f"there/{NAME}")]
)
def test_a_file_or_a_directory_can_be_named(out: str, path: str, place: TaskRef, capsys: Out) -> None:
    Path("there").mkdir()
    assert main(["download", "7", "-o", out]) == 0
    assert files() == {path: VIDEO}
    assert capsys.readouterr().out == f"{path}\t300,000 bytes\n"


def test_the_cover_picture(place: TaskRef) -> None:
    def asked(request: Request, host: Host) -> Response:
        assert request.scope["raw_path"] == b"/v1/videos/a%2Fb/content"
        assert request.query_params["variant"] == "thumbnail"
        return Response(b"jpeg", 200, {"content-type": "image/jpeg"})

    place.host.steps = [asked]
    assert main(["download", "a/b", "--thumbnail"]) == 0
    assert files() == {"a_b.jpg": b"jpeg"}


def test_standard_output_takes_the_file_and_nothing_else(
    place: TaskRef, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["download", "7", "-o", "-"]) == 0
    assert capfdbinary.readouterr() == (VIDEO, b"standard output: 300,000 bytes\n")
    assert files() == {}


def test_a_terminal_is_no_place_for_a_video(place: TaskRef, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["download", "7", "-o", "-"]) == 2
    assert capsys.readouterr().err.startswith("error: a video is nothing to read")
    assert place.host.seen == []


@pytest.mark.parametrize("out", [[], ["-o", NAME], ["-o", "./"]])
def test_a_file_is_only_replaced_when_that_is_wished(out: list[str], place: TaskRef, capsys: Out) -> None:
    Path(NAME).write_bytes(b"mine")
    assert main(["download", "7", *out]) == 2
    assert capsys.readouterr().err == (
        f"error: {NAME} is there already: replace it with --force, or name another with -o\n"
    )
    assert files() == {NAME: b"mine"}
    assert main(["download", "7", *out, "--force"]) == 0
    assert files() == {NAME: VIDEO}


def test_a_broken_connection_is_continued(place: TaskRef, capsys: Out) -> None:
    place.host.steps = [cut_after(100_000), cut_after(50_000)]
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert files() == {"cat.mp4": VIDEO}
    assert place.host.ranges == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"one"')]
    out, err = capsys.readouterr()
    assert out == "cat.mp4\t300,000 bytes\n"
    assert [line.endswith("the file is not whole; trying again") for line in err.splitlines()] == [True, True]
    assert place.pauses == [0.5, 0.5]


def test_a_gateway_that_is_away_for_a_while(place: TaskRef, capsys: Out) -> None:
    place.host.steps = [cut_after(100_000), refused(503), refused(502), cut_after(0)]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert place.pauses == [0.5, 1.0, 2.0, 4.0]
    assert "that is it (request without id); trying again" in capsys.readouterr().err


def test_it_gives_up_and_the_same_command_goes_on(place: TaskRef, capsys: Out) -> None:
    place.host.steps = [cut_after(100_000), *[cut_after(0)] * 4]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert files() == {"cat.mp4.part": VIDEO[:100_000], "cat.mp4.part.etag": b'"one"'}
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: cat.mp4 broke off at 100,000 of 300,000 bytes (the answer of ")
    assert last.endswith(": the same command goes on from there")
    place.host.seen.clear()
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert files() == {"cat.mp4": VIDEO}
    assert place.host.ranges == [("bytes=100000-", '"one"')]


def test_every_try_that_brings_something_gives_new_ones(place: TaskRef) -> None:
    place.host.steps = [cut_after(PIECE) for _ in range(20)]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert set(place.pauses) == {0.5}


def test_a_refusal_on_the_way_keeps_what_is_there(place: TaskRef, capsys: Out) -> None:
    place.host.steps = [cut_after(100_000), refused(404)]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: that is it (request without id)"
    assert set(files()) == {"cat.mp4.part", "cat.mp4.part.etag"}


@pytest.mark.parametrize("out", [[], ["-o", NAME], ["-o", "./", "--force"]])
def test_the_part_of_an_earlier_run_is_continued(out: list[str], place: TaskRef) -> None:
    place.part(NAME, VIDEO[:123_456])
    assert main(["download", "7", *out]) == 0
    assert files() == {NAME: VIDEO}
    assert place.host.ranges[-1] == ("bytes=123456-", '"one"')


@pytest.mark.parametrize("out", [[], ["-o", NAME]])
@pytest.mark.parametrize("etag", [None, "", '"two"', "ünreadable"])
def test_a_part_of_another_file_is_not(out: list[str], etag: str | None, place: TaskRef) -> None:
    place.part(NAME, OTHER, etag)
    assert main(["download", "7", *out]) == 0
    assert files() == {NAME: VIDEO}


def test_a_file_that_changes_on_the_way_is_taken_anew(place: TaskRef) -> None:
    def changed(request: Request, host: Host) -> Response:
        host.content, host.etag = OTHER, '"two"'
        return cut_after(150_000)(request, host)

    place.host.steps = [cut_after(100_000), changed]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: OTHER}
    assert place.host.ranges == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"two"')]


def test_a_host_without_ranges_gives_all_of_it_again(place: TaskRef) -> None:
    place.host.steps = [cut_after(100_000), lambda request, host: Response(VIDEO, 200, headers_of(host))]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}


@pytest.mark.parametrize("etag", ["", 'W/"one"'])
def test_without_an_etag_that_says_the_same_bytes_nothing_is_continued(etag: str, place: TaskRef, capsys: Out) -> None:
    place.host.etag = etag
    place.host.steps = [cut_after(100_000), *[cut_after(0)] * 4]
    assert main(["download", "7"]) == 1
    assert capsys.readouterr().err.endswith(
        "(RemoteProtocolError): the file is not whole): the same command starts anew\n"
    )
    assert set(files()) == {f"{NAME}.part"}
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert set(place.host.ranges) == {(None, None)}


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
    return refusal(416, headers={"content-range": "bytes */99"})


def _beyond_what(request: Request, host: Host) -> Response:
    return refusal(416)


@pytest.mark.parametrize("answer", [_elsewhere, _unnamed, _of_another, _compressed, _beyond, _beyond_what])
def test_an_answer_that_is_no_continuation_is_not_added(answer: Step, place: TaskRef) -> None:
    place.part(NAME, VIDEO[:100_000])
    place.host.steps = [answer]
    assert main(["download", "7", "-o", NAME]) == 0
    assert files() == {NAME: VIDEO}
    assert place.host.ranges == [("bytes=100000-", '"one"'), (None, None)]


@pytest.mark.parametrize("answer", [_elsewhere, _beyond])
def test_an_unwished_part_is_no_file(answer: Step, place: TaskRef, capsys: Out) -> None:
    place.host.steps = [answer]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert "gives a part of the file only, and all was asked for" in capsys.readouterr().err
    assert files() == {}


def test_a_part_that_is_whole_only_gets_its_name(place: TaskRef) -> None:
    place.part(NAME, VIDEO)
    assert main(["download", "7", "-o", NAME]) == 0
    assert files() == {NAME: VIDEO}
    assert place.host.ranges == [("bytes=300000-", '"one"')]


def test_a_host_that_gives_less_than_asked_is_asked_for_the_rest(place: TaskRef) -> None:
    place.part(NAME, VIDEO[:100_000])
    place.host.steps = [lambda request, host: well(request, host, 200_000)]
    assert main(["download", "7", "-o", NAME]) == 0
    assert files() == {NAME: VIDEO}
    assert place.host.ranges == [("bytes=100000-", '"one"'), ("bytes=200000-", '"one"')]


def test_a_short_file_never_gets_its_name(place: TaskRef, capsys: Out) -> None:
    place.part(NAME, VIDEO[:100_000])

    def nothing(request: Request, host: Host) -> Response:
        part = {"content-range": "bytes 100000-100000/300000"}
        return Response(b"", 206, headers_of(host) | part)

    place.host.steps = [nothing] * 6
    assert main(["download", "7", "-o", NAME]) == 1
    assert "is not whole yet: 100,000 of 300,000 bytes" in capsys.readouterr().err
    assert set(files()) == {f"{NAME}.part", f"{NAME}.part.etag"}


def test_a_length_that_nobody_tells(place: TaskRef, capsys: Out) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield VIDEO

    place.host.steps = [lambda request, host: StreamingResponse(pieces(), 200, headers_of(host))]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}


def test_a_file_that_comes_compressed_is_kept_as_it_is_and_not_continued(place: TaskRef) -> None:
    packed = gzip.compress(VIDEO)

    def compressed(request: Request, host: Host) -> Response:
        answer = Response(packed, 200, headers_of(host) | {"content-encoding": "gzip"})
        if len(host.seen) > 1:
            return answer

        async def half() -> AsyncIterator[bytes]:
            yield packed[:100_000]
            raise ConnectionError("cut")

        return StreamingResponse(half(), 200, dict(answer.headers))

    place.host.steps = [compressed, compressed]
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert place.host.ranges == [(None, None), (None, None)]


def test_standard_output_is_continued(place: TaskRef, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    place.host.steps = [cut_after(100_000)]
    assert main(["download", "7", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == VIDEO


def test_what_was_written_to_standard_output_is_not_taken_back(
    place: TaskRef, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def changed(request: Request, host: Host) -> Response:
        host.content, host.etag = OTHER, '"two"'
        return well(request, host)

    place.host.steps = [cut_after(100_000), changed]
    assert main(["download", "7", "-o", "-"]) == 1
    out, err = capfdbinary.readouterr()
    assert out == VIDEO[:100_000]
    assert err.splitlines()[-1] == (
        b"error: the file cannot be continued: what was written, 100,000 bytes, is not whole"
    )


def test_a_reader_that_has_enough_ends_it_in_one_line(place: TaskRef) -> None:
    place.host.content = VIDEO * 20
    command = [sys.executable, "-m", "gateway", "download", "7", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.read(10) == VIDEO[:10]
        running.stdout.close()
        assert running.stderr.read() == b"error: whoever reads standard output has closed it\n"
        assert running.wait(10) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_device_ends_it_in_one_line(place: TaskRef) -> None:
    command = [sys.executable, "-m", "gateway", "download", "7", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b"error: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1


def test_only_small_pieces_are_held(place: TaskRef, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(Silence, "show", lambda self, name, done, total: steps.append(done))
    place.host.content = VIDEO * 10
    assert main(["download", "7"]) == 0
    assert max(later - earlier for earlier, later in pairwise(steps)) <= 256 * 1024


def test_an_interrupt_says_how_to_go_on(place: TaskRef, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def interrupt(self: object, name: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Silence, "show", interrupt)
        assert main(["download", "7", "-o", "cat.mp4"]) == 130
    said, interrupted = capsys.readouterr().err.splitlines()
    assert said.startswith("cat.mp4.part keeps ")
    assert said.endswith(" bytes: the same command goes on from there")
    assert interrupted == "interrupted"
    kept = files()["cat.mp4.part"]
    assert kept and VIDEO.startswith(kept)
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert place.host.ranges[-1] == (f"bytes={len(kept)}-", '"one"')
    assert files() == {"cat.mp4": VIDEO}


def test_two_downloads_never_write_one_file(place: TaskRef, capsys: Out) -> None:
    place.part(NAME, VIDEO[:100_000])
    with Path(f"{NAME}.part").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for out in ([], ["-o", NAME]):
            assert main(["download", "7", *out]) == 1
            assert capsys.readouterr().err.startswith(f"error: another download is at work on {NAME}.part")
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}


def test_a_disk_that_is_full(place: TaskRef, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.cli.client.downloads.os.fsync", full)
        assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert capsys.readouterr().err == "error: cat.mp4 cannot be written: No space left on device\n"
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert files() == {"cat.mp4": VIDEO}


def test_a_directory_that_cannot_be_made(place: TaskRef, capsys: Out) -> None:
    Path("taken").write_bytes(b"")
    assert main(["download", "7", "-o", "taken/"]) == 1
    assert capsys.readouterr().err == "error: taken cannot be written: File exists\n"


def test_bytes_run_along_a_bar_on_a_terminal(place: TaskRef, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def changed(request: Request, host: Host) -> Response:
        host.etag = '"two"'
        return well(request, host)

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    place.host.steps = [cut_after(100_000), changed]
    assert main(["download", "7", "-o", "[b]cat.mp4"]) == 0
    out, err = capsys.readouterr()
    assert out == "[b]cat.mp4\t300,000 bytes\n"
    assert "━" in err
    assert "[b]cat.mp4" in err
    assert "300.0/300.0 kB" in err
    assert "trying again" in err


def test_no_other_host_is_followed_to(place: TaskRef, capsys: Out) -> None:
    with BackgroundServer(Starlette(routes=[Route("/{path:path}", lambda request: Response(VIDEO))])) as other:
        place.host.steps = [lambda request, host: RedirectResponse(f"{other.url}/cat.mp4")]
        assert main(["download", "7"]) == 1
    assert "answered 307 with something else than JSON: is it the gateway?" in capsys.readouterr().err
    assert files() == {}


def test_a_page_is_no_video(place: TaskRef, capsys: Out) -> None:
    place.host.steps = [lambda request, host: Response("<p>Log in", media_type="text/html")]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert "answered with something else than a file: is it the gateway?" in capsys.readouterr().err
    assert files() == {}


@pytest.mark.parametrize("status", [401, 404, 502])
def test_what_is_refused_at_once_is_not_tried_again(status: int, place: TaskRef, capsys: Out) -> None:
    place.host.steps = [refused(status)]
    assert main(["download", "7"]) == 1
    assert capsys.readouterr().err == "error: that is it (request without id)\n"
    assert place.pauses == []


def test_nobody_listens(place: TaskRef, capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["download", "7", "--url", f"127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err.startswith("error: no gateway answers at ")
    assert place.pauses == []


def test_an_answer_that_never_begins(place: TaskRef, capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:

        def hang_up() -> None:
            for _ in range(5):
                connection, _ = closing.accept()
                connection.recv(65536)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        assert main(["download", "7", "--url", f"127.0.0.1:{closing.getsockname()[1]}"]) == 1
        thread.join(10)
    assert place.pauses == [0.5, 1.0, 2.0, 4.0]
    assert "did not arrive" in capsys.readouterr().err.splitlines()[-1]
