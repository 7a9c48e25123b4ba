"""Request bodies: JSON and forms become the same object."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from gateway.api.middleware import BodyLimit
from gateway.api.schemas.body_parser import MAX_DEPTH, MAX_FIELDS, MAX_FILES, nest, read_json, read_object
from gateway.core.errors import GatewayError
from providers.media_files import MediaFile
from tests.pictures import clip, noise, picture, sound


@pytest.mark.parametrize(
    ("items", "nested"),
    [
        ([], {}),
        ([("a", "1")], {"a": "1"}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[b]", "1"), ("a[c][d]", "2")], {"a": {"b": "1", "c": {"d": "2"}}}),
        ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("input_reference[image_url]", "https://h/a")], {"input_reference": {"image_url": "https://h/a"}}),
        ([("a[", "1"), ("]b", "2"), ("a]", "3")], {"a[": "1", "]b": "2", "a]": "3"}),
        ([("猫", "1")], {"猫": "1"}),
        ([("a[0]", "1"), ("a[1]", "2")], {"a": ["1", "2"]}),
        ([("a[10]", "b"), ("a[2]", "a")], {"a": ["a", "b"]}),
        ([("a[][u]", "1"), ("a[][v]", "2"), ("a[][u]", "3")], {"a": [{"u": "1", "v": "2"}, {"u": "3"}]}),
        ([("a[0][u]", "1"), ("a[1][u]", "2")], {"a": [{"u": "1"}, {"u": "2"}]}),
    ],
)
def test_bracketed_names_become_objects_and_lists(items: list[tuple[str, str]], nested: dict[str, Any]) -> None:
    assert nest(items) == nested


@pytest.mark.parametrize(
    "items",
    [
        [("a", "1"), ("a[b]", "2")],
        [("a[b]", "1"), ("a", "2")],
        [("a[]", "1"), ("a[b]", "2")],
        [("a[]", "1"), ("a[][b]", "2")],
        [("a" + "[b]" * MAX_DEPTH, "1")],
    ],
)
def test_contradictory_or_deep_names_are_refused(items: list[tuple[str, str]]) -> None:
    with pytest.raises(GatewayError) as caught:
        nest(items)
    assert caught.value.spec.status == 400


@given(st.lists(st.tuples(st.text("ab[]", max_size=12), st.text(max_size=3)), max_size=6))
def test_any_field_names_are_an_object_or_an_error(items: list[tuple[str, str]]) -> None:
    try:
        nested = nest(items)
    except GatewayError as error:
        nested = {"refused": error.code}
    assert isinstance(nested, dict)


# --- bodies that are passed on -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_body_is_passed_on_as_it_is_without_a_byte_order_mark(mark: bytes) -> None:
    body = b' {"a": 1.00, "a": "\\u00e9"}\n'

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": mark + body}

    request = Request({"type": "http", "headers": []}, receive)
    assert await read_json(request, 100) == (body, {"a": "é"})


# --- forms with files -----------------------------------------------------------------------------------------------


async def _echo(request: Request) -> JSONResponse:
    async with read_object(request, limit=10_000) as fields:
        held = [value for value in _flat(fields) if isinstance(value, MediaFile)]
        answer = {"fields": fields, "read": [hashlib.sha256(file.read()).hexdigest() for file in held]}
        shown = orjson.loads(orjson.dumps(answer, default=_shown))
    _LEFT.extend(held)
    return JSONResponse(shown)


def _shown(value: Any) -> str:
    return value.sha256 if isinstance(value, MediaFile) else str(value.hex())


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in _flat(item)]
    return [found for item in value for found in _flat(item)] if isinstance(value, list) else [value]


async def _plain(request: Request) -> JSONResponse:
    async with read_object(request, limit=500, files=False) as fields:
        return JSONResponse(fields)


async def _large(request: Request) -> JSONResponse:
    async with read_object(request, limit=32 * 1024 * 1024) as fields:
        return JSONResponse(fields)


_LEFT: list[MediaFile] = []


async def _refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GatewayError)
    return JSONResponse(error.body("en", ""), error.spec.status)


ROUTES = {"/": _echo, "/plain": _plain}


@pytest.fixture
def form() -> Iterator[TestClient]:
    app = Starlette(
        routes=[Route(path, call, methods=["POST"]) for path, call in ROUTES.items()],
        middleware=[Middleware(BodyLimit, limit=1000, upload_limit=3_000_000)],
        exception_handlers={GatewayError: _refusal},
    )
    with TestClient(app) as client:
        yield client


@pytest.fixture
def large() -> Iterator[TestClient]:
    app = Starlette(routes=[Route("/", _large, methods=["POST"])], exception_handlers={GatewayError: _refusal})
    with TestClient(app) as client:
        yield client


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["image", "input_reference", "images[]", "images[0]", "meta[a]"])
def test_file_is_read_and_closed_afterwards(form: TestClient, name: str) -> None:
    _LEFT.clear()
    answer = form.post("/", data={"prompt": "猫"}, files={name: ("cat.png", picture(), "text/plain")}).json()
    assert answer["read"] == [digest(picture())]
    assert answer["fields"]["prompt"] == "猫"
    with pytest.raises(ValueError):
        _LEFT[0].read()


def test_several_files_of_one_name_are_a_list_in_order(form: TestClient) -> None:
    files = [("images[]", ("a", picture())), ("images[]", ("b", clip())), ("images[]", ("c", sound()))]
    assert form.post("/", files=files).json()["read"] == [digest(picture()), digest(clip()), digest(sound())]


def test_file_larger_than_memory_is_spooled_whole(form: TestClient) -> None:
    content = noise("image/bmp", 900, 900)
    assert len(content) > 2 * 1024 * 1024
    assert form.post("/", files={"image": content}).json()["read"] == [digest(content)]


def test_empty_file_field_is_absent(form: TestClient) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\np\r\n'
        b'--x\r\nContent-Disposition: form-data; name="image"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
    )
    answer = form.post("/", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.json()["fields"] == {"prompt": "p"}


def test_file_without_content_is_not_absent(form: TestClient) -> None:
    assert form.post("/", files={"image": ("cat.png", b"")}).json()["fields"] == {"image": {"head": ""}}


@pytest.mark.parametrize("content", [b"a text", b"GIF89a....", b"%PDF-1.7", b"\x89PN"])
def test_unreadable_file_is_left_to_its_field(form: TestClient, content: bytes) -> None:
    answer = form.post("/", files={"image": ("cat.png", content, "image/png")})
    assert answer.json()["fields"] == {"image": {"head": content.hex()}}


def test_form_has_its_own_size_limit(form: TestClient) -> None:
    assert form.post("/", json={"prompt": "p" * 1000}).status_code == 413
    assert form.post("/", files={"image": noise("image/bmp", 1200, 900)}).status_code == 413


def test_total_size_of_text_fields_is_limited(form: TestClient) -> None:
    texts = {f"field{number}": "x" * 900 for number in range(12)}
    assert form.post("/", data=texts, files={"image": picture()}).status_code == 413
    assert form.post("/", data={"a": texts["field0"]}, files={"image": picture()}).status_code == 200


def test_file_among_upstream_parameters_is_refused(form: TestClient) -> None:
    assert form.post("/", files={"provider_options[seed]": picture()}).status_code == 400


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1']
)
def test_truncated_form_is_refused(form: TestClient, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert form.post("/", content=body, headers=headers).status_code in (200, 400)
    assert form.post("/", content=body, headers={"content-type": "multipart/form-data"}).status_code == 400


def test_too_many_files_are_refused(form: TestClient) -> None:
    files = [("images[]", ("a", picture("image/png", 16, 16)))] * (MAX_FILES + 1)
    answer = form.post("/", files=files)
    assert answer.status_code == 400
    assert str(MAX_FILES) in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["multipart/form-dataX; boundary=x", "multipart/mixed; boundary=x", "image/png", "x"])
def test_form_limit_applies_to_forms_only(form: TestClient, kind: str) -> None:
    assert form.post("/", content=b" " * 2_000_000, headers={"content-type": kind}).status_code == 400


def test_unsupported_content_type_is_refused_unread() -> None:
    async def endless() -> Message:
        raise AssertionError("read")

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"multipart/form-dataX")]}
    with pytest.raises(GatewayError) as caught:
        asyncio.run(_enter(Request(scope, endless)))
    assert caught.value.code == "invalid_value"


async def _enter(request: Request) -> None:
    async with read_object(request, limit=10_000):
        pass


def test_first_file_where_none_is_allowed_ends_the_reading(form: TestClient) -> None:
    assert form.post("/plain", files={"image": picture()}).status_code == 400
    assert form.post("/plain", files={"token": (None, "x")}).json() == {"token": "x"}
    assert form.post("/plain", json={"token": "x" * 900}).status_code == 413


def test_urlencoded_form_has_the_small_limit(large: TestClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert large.post("/", content=b"a=%E7%8C%AB&b[]=1&b[]=2&c=1+2", headers=headers).json() == {
        "a": "猫",
        "b": ["1", "2"],
        "c": "1 2",
    }
    assert large.post("/", content=b"a=" + b"%41" * 400_000, headers=headers).status_code == 413
    assert large.post("/", content=b"&".join([b"a=1"] * (MAX_FIELDS + 2)), headers=headers).status_code == 400
    assert large.post("/", content=b'{"a": "b"}', headers=headers).json() == {"a": "b"}


def test_body_with_too_many_values_is_refused_before_parsing(large: TestClient) -> None:
    for body in (b'{"provider_options":{"x":[' + b",".join([b"[]"] * 60_000) + b"]}}", b'{"a":' + b"[" * 60_000):
        began = time.perf_counter()
        assert large.post("/", content=body, headers={"content-type": "application/json"}).status_code == 400
        assert time.perf_counter() - began < 2
    many = orjson.dumps({"prompt": "a, b, c" * 5000, "image": "data:image/png;base64," + "A" * 1_000_000})
    assert large.post("/", content=many, headers={"content-type": "application/json"}).status_code == 200


def test_form_with_too_many_values_in_its_texts_is_refused_before_parsing(large: TestClient) -> None:
    for text in ("[" + "1," * 60_000 + "1]", ' {"a": ' + "[" * 60_000, '{"a":[' + "{}," * 30_000 + "1]}"):
        assert large.post("/", files={"attachment": (None, text)}).status_code == 400
        assert large.post("/", data={"images": text}).status_code == 400
    assert large.post("/", files={"prompt": (None, "a, b" * 60_000)}).status_code == 200


# --- encodings ----------------------------------------------------------------------------------------------------

CAT = "一只猫"
_JSON = "application/json"


@pytest.mark.parametrize(
    "kind",
    [_JSON, "application/json; charset=utf-8", 'application/json; charset="UTF-8"', "application/json;charset=utf8"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(large: TestClient, kind: str, mark: bytes) -> None:
    body = mark + orjson.dumps({"prompt": CAT})
    assert large.post("/", content=body, headers={"content-type": kind}).json() == {"prompt": CAT}


@pytest.mark.parametrize("charset", ["gbk", "latin-1", "utf-16", "utf-7", "punycode", "unknown", "idna"])
@pytest.mark.parametrize(
    "kind", [_JSON, "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"]
)
def test_any_other_declared_charset_is_refused(large: TestClient, kind: str, charset: str) -> None:
    answer = large.post("/", content=b'{"a": "b"}', headers={"content-type": f"{kind}; charset={charset}"})
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"prompt": "中文"}'.encode("gbk"), _JSON),
        (f'{{"prompt": "{CAT}"}}'.encode("utf-16"), _JSON),
        ('{"prompt": "é"}'.encode("latin-1"), _JSON),
        (b"prompt=\xd6\xd0", "application/x-www-form-urlencoded"),
        (b"prompt=%D6%D0", "application/x-www-form-urlencoded"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xd6\xd0\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=gbk'
            b"\r\n\r\na\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_bytes_of_another_encoding_are_refused_with_the_reason(large: TestClient, body: bytes, kind: str) -> None:
    answer = large.post("/", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["message"]


def test_broken_json_in_utf_8_is_not_called_an_encoding_error(large: TestClient) -> None:
    answer = large.post("/", content=f'{{"prompt": "{CAT}"'.encode(), headers={"content-type": _JSON})
    assert "JSON" in answer.json()["error"]["message"]


def test_long_form_in_a_slow_charset_is_refused_at_once(large: TestClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x-" * 40_000 + b"\r\n--x--\r\n"
    began = time.perf_counter()
    headers = {"content-type": "multipart/form-data; boundary=x; charset=punycode"}
    assert large.post("/", content=body, headers=headers).status_code == 400
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("media_type", ["image/png", "IMAGE/PNG", "application/octet-stream"])
def test_part_with_a_media_type_is_a_file_without_a_file_name(form: TestClient, media_type: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="image"\r\nContent-Type: {media_type}\r\n\r\n'.encode()
    body = head + picture() + b"\r\n--x--\r\n"
    answer = form.post("/", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.json()["read"] == [digest(picture())]


def test_file_keeps_the_name_that_the_client_gave_it(form: TestClient) -> None:
    _LEFT.clear()
    form.post(
        "/", files=[("images[]", ("舞者.png", picture())), ("images[]", ("", picture("image/png", 8, 8), "image/png"))]
    )
    assert [file.client_name for file in _LEFT] == ["舞者.png", ""]


_PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'


@pytest.mark.parametrize("charsets", ["charset=utf-8; charset=utf-7", 'x="; charset=utf-8"; charset=utf-7'])
def test_every_declared_charset_has_to_be_utf_8(large: TestClient, charsets: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a+AGE-"\r\n\r\nb\r\n--x--\r\n'
    answer = large.post("/", content=body, headers={"content-type": f"multipart/form-data; boundary=x; {charsets}"})
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["message"]


@pytest.mark.parametrize("end", [b"--x--\r\n", b"--x--"])
def test_form_ends_with_its_boundary(large: TestClient, end: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert large.post("/", content=_PART + end, headers=headers).status_code == 200


@pytest.mark.parametrize("end", [b"", b"--x", _PART, _PART[:-4], b"--x\r\n"])
def test_form_whose_last_part_is_cut_off_is_refused(large: TestClient, end: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert large.post("/", content=_PART + end, headers=headers).status_code == 400


@pytest.mark.parametrize("disposition", ["name=\"image\"; filename*=UTF-8''a%20b.png", 'name="my_filename"'])
def test_picture_part_without_a_plain_file_name_is_a_file(form: TestClient, disposition: str) -> None:
    head = f"--x\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: image/png\r\n\r\n".encode()
    body = head + picture() + b"\r\n--x--\r\n"
    answer = form.post("/", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.json()["read"] == [digest(picture())]


@pytest.mark.parametrize("kind", ["multipart", "urlencoded"])
def test_line_breaks_of_a_form_are_those_of_json(large: TestClient, kind: str) -> None:
    """Browsers send CRLF for each line break of a form field."""
    fields = {"prompt": "one\r\ntwo\nthree\rfour"}
    files = {"other": (None, "")} if kind == "multipart" else None
    assert large.post("/", data=fields, files=files).json()["prompt"] == "one\ntwo\nthree\rfour"
    assert large.post("/", json=fields).json()["prompt"] == fields["prompt"]
