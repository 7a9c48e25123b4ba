"""Traces: a span for each request, each step of a submit and each call to an upstream, below the client's own span."""

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core import tracing
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SESSION = "traced-session"
CLIENT = bearer(SESSION) | {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), tracing.new_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.use(None)
    provider.shutdown()


@pytest.fixture
def client(upstream: SandboxServer) -> Iterator[httpx.Client]:
    app = create_app(settings_for(upstream), clock=FastClock())
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, headers=CLIENT, timeout=20) as client:
        yield client


def submit(client: httpx.Client) -> str:
    answer = client.post("/v1/videos/generations", json={"prompt": "a cat", "model": "jimeng-video-3.0-fast"})
    return str(answer.json()["task_id"])


def one(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = (span for span in spans.get_finished_spans() if span.name == name)
    return found


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


def test_submit_is_a_tree_of_spans_below_the_client(spans: InMemorySpanExporter, client: httpx.Client) -> None:
    task = submit(client)
    request = one(spans, "POST /v1/videos/generations")
    assert request.context is not None
    assert (format(request.context.trace_id, "032x"), parent_of(request)) == (TRACE, int(PARENT, 16))
    assert request.kind is SpanKind.SERVER
    attributes = dict(request.attributes or {})
    assert attributes["http.response.status_code"] == 200
    assert attributes["gateway.task"] == task
    lease, call = one(spans, "lease account"), one(spans, "upstream submit")
    assert {parent_of(lease), parent_of(call)} == {request.context.span_id}
    assert (call.kind, dict(call.attributes or {})["gateway.provider"]) == (SpanKind.CLIENT, "jimeng")


def test_rewriting_of_a_prompt_is_a_step_of_its_submit(spans: InMemorySpanExporter, client: httpx.Client) -> None:
    """The call to the language model is below it."""
    body = {"prompt": "a cat", "model": "wan2.6-t2v", "enhance_prompt": True}
    answer = client.post("/v1/videos/generations", json=body, headers=bearer("sk-traced"))
    assert answer.json()["revised_prompt"]
    request, step = one(spans, "POST /v1/videos/generations"), one(spans, "rewrite prompt")
    assert request.context is not None and step.context is not None
    assert (parent_of(step), parent_of(one(spans, "upstream chat"))) == (request.context.span_id, step.context.span_id)


def test_poll_and_its_query_are_spans(spans: InMemorySpanExporter, client: httpx.Client) -> None:
    id = submit(client)
    spans.clear()
    client.get(f"/v1/videos/tasks/{id}")
    names = {span.name for span in spans.get_finished_spans()}
    assert names == {"GET /v1/videos/tasks/{id}", "upstream query"}


def test_failed_call_and_its_request_have_the_kind_of_error(spans: InMemorySpanExporter, client: httpx.Client) -> None:
    body = {"prompt": "x #refuse=5000", "model": "jimeng-video-3.0-fast"}
    assert client.post("/v1/videos/generations", json=body).status_code == 429
    call = one(spans, "upstream submit")
    assert call.status.status_code is StatusCode.ERROR
    assert dict(call.attributes or {})["error.type"] == "no_credits"


def test_spans_hold_no_credential_and_no_prompt(spans: InMemorySpanExporter, client: httpx.Client) -> None:
    client.post("/v1/videos/generations", json={"prompt": "my-secret-prompt"})
    client.get(f"/v1/videos/tasks/{SESSION}", headers={"x-request-id": f"id-{SESSION}"})
    chat = {"model": "qwen-gw-0123456789", "messages": [{"role": "user", "content": "x"}]}
    client.post("/v1/chat/completions", json=chat, headers=bearer("sk-traced"))
    text = "".join(span.to_json() for span in spans.get_finished_spans())
    assert spans.get_finished_spans()
    assert SESSION not in text
    assert "my-secret-prompt" not in text
    assert "gw-0123456789" not in text


def test_trace_is_not_sent_to_the_upstream(
    spans: InMemorySpanExporter, client: httpx.Client, upstream: SandboxServer
) -> None:
    submit(client)
    sent = [name.lower() for entry in upstream.sandbox.log() for name in entry["headers"]]
    assert sent
    assert not {"traceparent", "tracestate", "baggage"} & set(sent)


def test_without_tracing_no_span_is_made(client: httpx.Client) -> None:
    assert not tracing.is_on()
    assert tracing.start_span("x", {}) is None
    assert submit(client)
