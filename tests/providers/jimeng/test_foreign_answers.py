"""Whatever Jimeng's site and its upload services answer is read, or is an error of an upload."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.contract.errors import ErrorKind, ProviderError
from providers.jimeng import history
from providers.jimeng.uploads import answers
from providers.media_files import MediaKind
from providers.transport.transports import Reply
from tests.foreign_data import bodies, values

_UPLOAD_NAMES = (
    *("UploadAddress", "InnerUploadAddress", "UploadNodes", "UploadHosts", "UploadHost", "StoreInfos", "StoreUri"),
    *("Auth", "SessionKey", "Results", "Uri", "UriStatus", "Vid", "VideoMeta", "Duration", "Width", "PluginResult"),
)
_TOKEN_NAMES = ("access_key_id", "secret_access_key", "session_token", "upload_domain", "region", "service_id")
_RESULT_NAMES = ("ResponseMetadata", "Error", "Code", "CodeN", "Message", "Result", "code", "message", "error")
_PAGE_NAMES = (
    "records_list",
    "history_list",
    "has_more",
    "next_offset",
    "history_record_id",
    "task",
    "status",
    "item_list",
)
_HEADER = re.compile(r"[\x21-\x7e]*")


def image(result: Any) -> object:
    return answers.parse_image(result, MediaKind.IMAGE)


def media(result: Any) -> object:
    return answers.parse_media(result, MediaKind.VIDEO)


@pytest.mark.parametrize("parse", [answers.parse_image_address, answers.parse_media_address, image, media])
@settings(max_examples=60)
@given(values(_UPLOAD_NAMES))
def test_any_upload_answer_is_read_or_an_error(parse: Callable[[Any], object], result: Any) -> None:
    try:
        assert parse(result)
    except ProviderError as error:
        kind = error.kind
    else:
        kind = ErrorKind.UPLOAD_FAILED
    assert kind is ErrorKind.UPLOAD_FAILED


@settings(max_examples=80)
@given(values(_TOKEN_NAMES) | st.fixed_dictionaries(dict.fromkeys(_TOKEN_NAMES, values())))
def test_any_token_has_keys_for_a_header_or_is_an_error(data: Any) -> None:
    try:
        keys = answers.parse_token(data).keys
    except ProviderError as error:
        assert error.kind is ErrorKind.UPLOAD_FAILED  # noqa: PT017
    else:
        assert all(_HEADER.fullmatch(one) for one in (keys.access_key, keys.secret_key, keys.session_token))


@pytest.mark.parametrize("read", [answers.open_result, answers.check_stored])
@settings(max_examples=60)
@given(st.builds(Reply, st.integers(100, 599), bodies(_RESULT_NAMES)))
def test_any_reply_of_an_upload_is_a_result_or_an_error(read: Callable[[Reply], object], reply: Reply) -> None:
    try:
        read(reply)
        kind = ErrorKind.UPLOAD_FAILED
    except ProviderError as error:
        kind = error.kind
    assert kind is ErrorKind.UPLOAD_FAILED


@settings(max_examples=60)
@given(values(_PAGE_NAMES))
def test_any_page_and_row_of_the_history_is_read(data: Any) -> None:
    page = history.parse_history(data)
    assert isinstance(page, history.HistoryPage)
    if isinstance(data, dict):
        listed = history.parse_listed(data)
        assert listed is None or listed.state.id
