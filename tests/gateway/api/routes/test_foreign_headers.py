"""Whatever a client sends in headers and in the query, no request fails as an error of the gateway."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.conftest import settings_for
from tests.foreign_data import headers, texts

NAMES = (
    *("authorization", "range", "if-range", "accept", "accept-language", "idempotency-key", "x-request-id"),
    *("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "host", "traceparent", "tracestate"),
    *("prefer", "content-type", "x-stainless-retry-count", "last-event-id", "cookie", "origin", "cache-control"),
    *("x-dashscope-async", "x-dashscope-ossresourceresolve", "if-none-match", "expect"),
)
PATHS = (
    *("/v1/videos/tasks/1", "/v1/videos/video_1", "/v1/videos", "/v1/models", "/v1/models/x", "/docs", "/healthz"),
    *("/api/v1/tasks/1", "/api/v1/tasks", "/v1/videos/tasks", "/v1/usage", "/metrics", "/", "/token/check"),
)
_special = st.sampled_from(
    ["Bearer ", "Bearer sk-a,sk-b", "Basic x", "bytes=0-", "wait=1e9", "00-0-0-00", "for=;", "*/*;q=x"]
)
_query = st.dictionaries(
    st.sampled_from(["wait", "lang", "limit", "after", "ids", "status", "order", "page_no", "token", "action"]),
    texts.map(lambda text: text.encode("utf-8", "replace").decode()),
    max_size=2,
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[httpx.Client]:
    """A gateway with the sandbox behind it, for pass-through callers."""
    with (
        SandboxServer(SandboxSettings(queries_per_second=0)) as upstream,
        BackgroundServer(create_app(settings_for(upstream), reload=False)) as server,
        httpx.Client(base_url=server.url, headers={"authorization": "Bearer sk-a"}, trust_env=False) as client,
    ):
        yield client


@settings(max_examples=80)
@given(
    st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "DELETE"]),
    st.sampled_from(PATHS),
    st.dictionaries(st.sampled_from(NAMES), headers | _special, max_size=4),
    _query,
)
def test_any_headers_and_query_are_no_error_of_the_gateway(
    gateway: httpx.Client, method: str, path: str, given_headers: dict[str, str], query: dict[str, str]
) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in given_headers.items()]
    try:
        answer = gateway.request(method, path, headers=httpx.Headers(sent), params=query, content=b"{}")
    except httpx.LocalProtocolError:
        reject()
    assert answer.status_code != 500, (answer.text, given_headers, query)
