"""Whatever something at the address of a gateway responds is shown, or is an error in one line."""

from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.client.downloads import _content_range, _safe_name, _strong_etag
from gateway.cli.client.event_stream import _read, _StreamEndedError
from gateway.cli.client.gateway_client import GatewayClient, TaskView
from gateway.cli.errors import CommandError
from tests.foreign_data import bodies, headers, texts

NAMES = ("task_id", "status", "progress", "result", "url", "error", "message", "data", "tasks", "code")
CLIENT = GatewayClient("http://127.0.0.1:9", "gw-key")


@settings(max_examples=120)
@given(st.sampled_from([200, 404, 502]), bodies(NAMES), headers)
def test_any_response_is_tasks_or_an_error(status: int, body: bytes, poll_after: str) -> None:
    given_headers = [(b"openai-poll-after-ms", poll_after.encode("latin-1"))]
    try:
        response = CLIENT._read(httpx.Response(status, headers=given_headers, content=body))
        assert response.poll_after >= 0
        assert all(isinstance(task, TaskView) for task in response.tasks)
    except CommandError as error:
        told = str(error)
        assert told


@settings(max_examples=80)
@given(st.sampled_from(["status", "end", "timeout", "x"]), bodies(NAMES))
def test_any_event_is_a_task_or_the_end_of_the_stream(kind: str, data: bytes) -> None:
    event = cast(ServerSentEvent, SimpleNamespace(event=kind, data=data.decode("utf-8", "surrogateescape")))
    before = TaskView("a", "processing")
    try:
        assert isinstance(_read(CLIENT, "a", event, before), TaskView)
    except (CommandError, _StreamEndedError):
        assert kind in ("status", "end", "timeout")


@settings(max_examples=60)
@given(headers | texts, texts)
def test_any_header_of_a_file_is_read_or_ignored(value: str, name: str) -> None:
    for text in (value, f"bytes {value}-{value}/{value}", f"bytes */{value}"):
        start, total = _content_range({"content-range": text})
        assert (start is None or start >= 0) and (total is None or total >= 0)
    assert _strong_etag(value) in ("", value)
    assert not set(_safe_name(name)) & set("/\\\x00") and not _safe_name(name).startswith(".")


@pytest.mark.parametrize(
    "task",
    [
        {"task_id": "a", "status": "completed", "result": "x"},
        {"task_id": "a", "status": "completed", "progress": "half"},
        {"task_id": "a", "status": "completed", "result": {"url": "http://[x"}},
        {"task_id": "a"},
    ],
)
def test_task_of_another_shape_is_an_error(task: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        CLIENT.task_view(task)


def test_endless_nesting_and_delay_are_an_error_and_the_default() -> None:
    with pytest.raises(CommandError, match="without JSON"):
        CLIENT._read(httpx.Response(200, content=b"[" * 100_000))
    response = httpx.Response(200, content=b"{}", headers={"openai-poll-after-ms": "9" * 5000})
    assert 0 < CLIENT._read(response).poll_after < 60
