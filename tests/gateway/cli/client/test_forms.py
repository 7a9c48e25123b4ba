"""`submit` with local files: the form as a server parses it, and a real gateway."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.cli import main
from gateway.cli.client.forms import has_files, open_form
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.sandbox.files import PICTURES
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings

Out = pytest.CaptureFixture[str]

CAT, DOG, CLIP = b"\x89PNG cat", b"\x89PNG dog", os.urandom(300_000)
URL = "https://a/1.png"


@dataclass
class Reader:
    """The last request: the parts of a form in order, a file as name, type and content; or JSON."""

    parts: list[tuple[str, Any]] = field(default_factory=list)
    json: Any = None
    length: str | None = None

    def __getitem__(self, name: str) -> Any:
        return dict(self.parts)[name]

    async def answer(self, request: Request) -> Response:
        self.parts, self.json, self.length = [], None, request.headers.get("content-length")
        if request.headers["content-type"] == "application/json":
            self.json = await request.json()
        else:
            async with request.form() as form:
                for name, value in form.multi_items():
                    if isinstance(value, str):
                        self.parts.append((name, value))
                    else:
                        self.parts.append((name, (value.filename, value.content_type, await value.read())))
        return JSONResponse({"task_id": "7", "status": "pending"})


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Reader]]:
    reader = Reader()
    app = Starlette(routes=[Route("/v1/videos/generations", reader.answer, methods=["POST"])])
    with BackgroundServer(app) as running:
        yield running.url, reader


@pytest.fixture
def reader(server: tuple[str, Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setenv("GATEWAY_URL", server[0])
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.chdir(tmp_path)
    for name, content in (("cat.png", CAT), ("dog.png", DOG), ("clip.mp4", CLIP)):
        Path(name).write_bytes(content)
    return server[1]


def file(name: str, content: bytes) -> tuple[str, str, bytes]:
    return name, "application/octet-stream", content


def test_picture_file_is_sent_as_a_form(reader: Reader, capsys: Out) -> None:
    assert main(["submit", "a “cat”", "--image", "cat.png", "--duration", "5", "--option", "watermark=true"]) == 0
    assert capsys.readouterr().out == "7\n"
    assert reader.parts == [
        ("prompt", "a “cat”"),
        ("duration", "5"),
        ("image", file("cat.png", CAT)),
        ("provider_options", '{"watermark": true}'),
    ]
    assert reader.length is not None


def test_pictures_keep_their_order_as_files_and_urls(reader: Reader) -> None:
    pictures = ["--image", "dog.png", "--image", URL, "--image", str(Path("cat.png").absolute())]
    assert main(["submit", "a cat", *pictures, "--references"]) == 0
    assert reader.parts == [
        ("prompt", "a cat"),
        ("images[]", file("dog.png", DOG)),
        ("images[]", URL),
        ("images[]", file("cat.png", CAT)),
        ("functionMode", "omni_reference"),
    ]


def test_last_frame_and_videos_are_sent(reader: Reader) -> None:
    videos = ["--video", "clip.mp4", "--video", "oss://a/clip.mp4"]
    assert main(["submit", "", "--image", URL, "--last-frame", "dog.png", *videos]) == 0
    assert reader.parts == [
        ("prompt", ""),
        ("image_url", URL),
        ("last_frame", file("dog.png", DOG)),
        ("video_file_1", file("clip.mp4", CLIP)),
        ("video_file_2", "oss://a/clip.mp4"),
    ]


def test_urls_alone_are_sent_as_json(reader: Reader) -> None:
    data = "DATA:image/png;base64,iVBOR"
    assert main(["submit", "a cat", "--image", URL, "--last-frame", data, "--video", "http://a/v", "--references"]) == 0
    assert reader.json == {
        "prompt": "a cat",
        "image_url": URL,
        "last_frame": data,
        "video_file_1": "http://a/v",
        "functionMode": "omni_reference",
    }


def test_rewriting_is_asked_for(reader: Reader) -> None:
    assert main(["submit", "a cat", "--enhance"]) == 0
    assert reader.json == {"prompt": "a cat", "enhance_prompt": True}
    assert main(["submit", "a cat", "--enhance", "--image", "cat.png"]) == 0
    assert reader["enhance_prompt"] == "true"


def test_every_field_can_be_sent_in_a_form(reader: Reader) -> None:
    more = ["audio=false", "seed=null", 'file_paths=["https://a", "https://b"]', 'x={"ü": [1]}']
    assert main(["submit", "a cat", "--image", "cat.png", *(text for one in more for text in ("--field", one))]) == 0
    assert reader.parts[2:] == [
        ("audio", "false"),
        ("seed", ""),
        ("file_paths[]", "https://a"),
        ("file_paths[]", "https://b"),
        ("x", '{"ü": [1]}'),
    ]


def test_file_name_with_invalid_encoding_is_sent(reader: Reader) -> None:
    name = os.fsdecode(b'c\xff"t.png')
    Path(name).write_bytes(CAT)
    assert main(["submit", "a cat", "--image", name]) == 0
    assert reader["image"][2] == CAT


def test_prompt_with_invalid_encoding_is_refused(reader: Reader, capsys: Out) -> None:
    assert main(["submit", "a \udcff cat", "--image", "cat.png"]) == 2
    assert "not valid text" in capsys.readouterr().err


def test_file_is_read_while_it_is_sent() -> None:
    body = {"image": Path(__file__), "images": [URL, Path(__file__)]}
    assert has_files(body)
    assert not has_files({"image": str(Path(__file__)), "images": [URL]})
    with open_form(body) as parts:
        handles = [content for _, (_, content, _) in parts if not isinstance(content, bytes)]
        assert [handle.tell() for handle in handles] == [0, 0]
    assert all(handle.closed for handle in handles)


def test_empty_file_is_reported(reader: Reader, capsys: Out) -> None:
    Path("empty.png").touch()
    assert main(["submit", "a cat", "--image", "empty.png"]) == 2
    assert capsys.readouterr().err == "error: --image empty.png: the file is empty\n"


def test_unreadable_file_is_an_error(reader: Reader, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def forbidden(path: Path, mode: str) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    assert main(["submit", "a cat", "--image", "cat.png"]) == 2
    assert capsys.readouterr().err == "error: cat.png cannot be read: Permission denied\n"


def test_gateway_accepts_the_files(reader: Reader, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    picture = next(path for path in sorted(PICTURES.iterdir()) if path.suffix == ".png")
    character = SandboxSettings(task_seconds=0.04, visible_after=0.0, queries_per_second=0)
    with SandboxServer(character) as upstream:
        settings = Settings.model_construct(providers=upstream.settings(), poll_freshness=0.0)
        with BackgroundServer(create_app(settings)) as server:
            monkeypatch.setenv("GATEWAY_URL", server.url)
            options = ["submit", "a cat", "--model", "wan2.6-i2v", "--image", str(picture), "--json"]
            assert main(options) == 0
            assert json.loads(capsys.readouterr().out)["provider"] == "dashscope"
            assert upstream.sandbox.submits("dashscope") == 1
            assert main(["submit", "a cat", "--enhance", "--model", "wan2.6-t2v"]) == 0
            assert capsys.readouterr().err.startswith("prompt: a cat. Rich natural detail")
            assert main(["submit", "a cat #say=refusal", "--enhance", "--model", "wan2.6-t2v"]) == 0
            said = capsys.readouterr()
            assert said.err.startswith("warning: ") and len(said.out.split()) == 1
