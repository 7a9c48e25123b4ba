"""Requests of DashScope's own API as its SDK sends them."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.native import NativeEntrance
from providers.contract.requests import VideoRequest
from providers.dashscope.native.entrance import DashScopeEntrance

PATH = "/api/v1/services/aigc/video-generation/video-synthesis"
ASYNC = {"X-DashScope-Async": "enable"}
TAG, OTHER_TAG = "0123456789ab", "ba9876543210"
FOLDER = "dashscope-instant/1f2e/2026-10-20/5b1c"
ENTRANCE: NativeEntrance = DashScopeEntrance()


def read(headers: dict[str, str] = ASYNC, *, managed: bool = False, **fields: Any) -> VideoRequest:
    fields = {"model": "wan2.6-t2v", "input": {"prompt": "a cat"}} | fields
    return ENTRANCE.read_submit(PATH, Headers(headers), orjson.dumps(fields), fields, managed=managed)


def refused(headers: dict[str, str] = ASYNC, **fields: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        read(headers, **fields)
    return caught.value


def test_body_goes_on_as_it_is() -> None:
    fields = {"model": "wan2.6-t2v", "input": {"prompt": "a", "function": "video-synthesis"}, "more": [1]}
    body = b" " + orjson.dumps(fields)
    raw = ENTRANCE.read_submit(PATH, Headers(ASYNC), body, fields, managed=False).raw
    assert raw is not None
    assert (raw.provider, raw.model, raw.body, raw.headers) == ("dashscope", "wan2.6-t2v", body, {})
    assert raw.path == "/services/aigc/video-generation/video-synthesis"


def test_fields_describe_the_request() -> None:
    request = read(parameters={"size": "1280*720", "duration": 10, "resolution": "720P"})
    assert (request.model, request.prompt, request.duration) == ("wan2.6-t2v", "a cat", 10)
    assert (request.size, request.resolution) == ("1280x720", "720p")


@pytest.mark.parametrize(
    "fields",
    [
        {"input": None},
        {"input": "text"},
        {"input": {"prompt": None}},
        {"parameters": []},
        {"parameters": {"size": 7, "duration": "x", "resolution": 1}},
        {"parameters": {"duration": True}},
    ],
)
def test_what_cannot_be_read_is_left_to_the_service(fields: dict[str, Any]) -> None:
    request = read(**fields)
    assert (request.duration, request.size, request.resolution) == (None, None, None)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _SCALARS | st.just(f"oss://x/gateway-{TAG}/a"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"model": _VALUES}, optional=dict.fromkeys(("input", "parameters", "more"), _VALUES)))
def test_any_object_is_a_request_or_an_error_of_the_service(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    try:
        raw = ENTRANCE.read_submit(PATH, Headers(ASYNC), body, orjson.loads(body), managed=True).raw
    except ProviderError:
        assert not isinstance(fields["model"], str) or not 0 < len(fields["model"].strip()) <= 200
    else:
        assert raw is not None
        assert (raw.body, raw.model) == (body, fields["model"])


@pytest.mark.parametrize("headers", [{}, {"X-DashScope-Async": "disable"}])
def test_submit_without_the_asynchronous_header_is_refused(headers: dict[str, str]) -> None:
    error = refused(headers)
    assert (error.kind, error.code) == (ErrorKind.NOT_ENTITLED, "AccessDenied")
    assert error.detail == "current user api does not support synchronous calls."


@pytest.mark.parametrize("model", [None, "", " ", 7])
def test_submit_without_a_model_is_refused(model: Any) -> None:
    error = refused(model=model)
    assert (error.code, error.detail) == ("InvalidParameter", "Field required: model")


def test_name_that_is_too_long_is_no_model() -> None:
    error = refused(model="x" * 201)
    assert (error.code, error.detail) == ("InvalidParameter", "Model not exist.")
    assert read(model="x" * 200).model == "x" * 200


@pytest.mark.parametrize("managed", [True, False])
def test_only_headers_that_go_with_the_body_are_passed_on(managed: bool) -> None:
    headers = {
        **ASYNC,
        "x-dashscope-ossresourceresolve": "enable",
        "X-DashScope-WorkSpace": "llm-1",
        "x-dashscope-sdk-client": "python",
        "X-DashScope-DataInspection": "a\x7fb",
        "Cookie": "secret",
    }
    raw = read(headers, managed=managed).raw
    assert raw is not None
    workspace = {} if managed else {"X-DashScope-WorkSpace": "llm-1"}
    assert raw.headers == {"X-DashScope-OssResourceResolve": "enable", **workspace}


@pytest.mark.parametrize(
    ("links", "tag"),
    [
        ([f"oss://{FOLDER}/gateway-{TAG}/a.png"], TAG),
        ([f"oss://{FOLDER}/gateway-{TAG}/a.png", f"oss://{FOLDER}/gateway-{TAG}/b.mp3"], TAG),
        ([f"oss://{FOLDER}/gateway-{TAG}/a.png", "https://x/b.png"], TAG),
        ([f"oss://{FOLDER}/a.png"], ""),
        ([f"oss://{FOLDER}/gateway-xyz/a.png"], ""),
        ([f"https://x/gateway-{TAG}/a.png"], ""),
        ([], ""),
    ],
)
def test_account_of_the_uploaded_files_is_read_from_their_addresses(links: list[str], tag: str) -> None:
    raw = read(input={"media": [{"type": "image", "url": link} for link in links]}).raw
    assert raw is not None
    assert raw.account_tag == tag


@pytest.mark.parametrize(
    "inputs",
    [
        r'{"img_url": "\u006fss://%s"}',
        r'{"img_url": "oss:\/\/%s"}',
        '{"x":' + "[" * 990 + '"oss://%s"' + "]" * 990 + "}",
    ],
)
def test_address_is_found_however_it_is_written(inputs: str) -> None:
    body = '{"model": "m", "input": %s}' % (inputs % f"{FOLDER}/gateway-{TAG}/a.png")
    raw = ENTRANCE.read_submit(PATH, Headers(ASYNC), body.encode(), orjson.loads(body), managed=True).raw
    assert raw is not None
    assert raw.account_tag == TAG


def test_files_of_two_accounts_are_refused() -> None:
    links = {name: f"oss://{FOLDER}/gateway-{tag}/a.png" for name, tag in (("first", TAG), ("last", OTHER_TAG))}
    error = refused(input=links)
    assert (error.kind, error.code) == (ErrorKind.INVALID_REQUEST, "InvalidParameter")
    assert error.message is not None
    assert "upload" in error.message.en


def test_grant_has_a_folder_of_its_own_for_each_account() -> None:
    granted = {"upload_dir": FOLDER, "policy": "p"}
    assert ENTRANCE.grant(granted, "") == {"data": granted}
    tagged = ENTRANCE.grant(granted, TAG)["data"]
    assert tagged == {"upload_dir": f"{FOLDER}/gateway-{TAG}", "policy": "p"}
    raw = read(input={"img_url": f"oss://{tagged['upload_dir']}/a b.png"}).raw
    assert raw is not None
    assert raw.account_tag == TAG


def test_what_the_sdk_adds_is_not_translated() -> None:
    given = {"prompt": "a", "extend_prompt": True, "function": "video-synthesis", "img_url": "https://x"}
    translated = ENTRANCE.translated({"model": "m", "input": given, "parameters": {"size": "1280*720"}})
    assert translated["input"] == {"prompt": "a", "img_url": "https://x"}
    assert ENTRANCE.translated({"input": 7}) == {"input": 7}


@pytest.mark.parametrize("query", [{}, {"action": "getPolicy"}, {"action": "other", "model": "m"}, {"model": "m"}])
def test_request_for_a_grant_names_action_and_model(query: dict[str, str]) -> None:
    with pytest.raises(ProviderError):
        ENTRANCE.read_uploads(query)
    assert ENTRANCE.read_uploads({"action": "getPolicy", "model": "m"}) == "m"


def test_session_of_the_sdk_tells_one_process_from_another() -> None:
    assert ENTRANCE.client_session(Headers({"X-DashScope-SDK-Session-Id": "abc"})) == "abc"
    assert ENTRANCE.client_session(Headers({})) == ""


def test_unknown_task_is_no_error() -> None:
    missing = ENTRANCE.missing("x")
    assert missing == (200, {"output": {"task_id": "x", "task_status": "UNKNOWN"}})
