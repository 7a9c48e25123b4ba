"""OpenTelemetry traces, if OTEL_ variables ask for them: a span for each request, each step of a submit and each call
to an upstream; none for a poll that is answered from the cache. Off, a span costs one comparison.

A client's `traceparent` becomes the parent of its request's span. It is not sent on: an upstream is a third party,
which has no use for the id, and to which a header that its own page never sends would show that a program is calling.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from gateway.core.logs import GATEWAY, mask

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

INSTALL = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_KINDS = {"server": 1, "client": 2, "internal": 0}

Kind = Literal["server", "client", "internal"]


class _State:
    """Of this process."""

    tracer: "Tracer | None" = None


def is_requested(environment: Mapping[str, str] = os.environ) -> bool:
    """True where the standard variables ask for traces: an OTLP endpoint, or `OTEL_TRACES_EXPORTER=otlp`."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter == "otlp"
    return any(environment.get(name) for name in _ENDPOINTS)


@asynccontextmanager
async def exported() -> AsyncGenerator[None, None]:
    """Export traces inside the context, if they are requested and the libraries are installed. On exit, what is left is
    sent."""
    if not is_requested():
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        GATEWAY.warning(f"OTEL_ variables ask for traces, which need libraries of their own: {INSTALL}")
        yield
        return
    provider = new_provider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)
    try:
        yield
    finally:
        use(None)
        # It blocks for as long as the collector does not answer.
        await asyncio.to_thread(provider.shutdown)


def new_provider() -> "TracerProvider":
    """A provider of spans with the resource of the standard variables; its service is `video-gateway` unless named."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return TracerProvider(resource=Resource.create({} if named else {SERVICE_NAME: "video-gateway"}))


def use(provider: "TracerProvider | None") -> None:
    """Use the spans of a provider; None turns them off."""
    _State.tracer = provider.get_tracer("gateway") if provider is not None else None


def is_on() -> bool:
    return _State.tracer is not None


def start_span(name: str, attributes: Mapping[str, str], *, kind: Kind = "internal") -> "Span | None":
    """A span of the running request, which `end_span` ends; None while traces are off. It has no children."""
    if _State.tracer is None:
        return None
    return _State.tracer.start_span(name, attributes=attributes, kind=_kind(kind))


def end_span(span: "Span", error: str = "") -> None:
    """End a span, with the kind of its error if there was one."""
    if error:
        _fail(span, error)
    span.end()


@contextmanager
def span(name: str) -> Iterator[None]:
    """A step of the running request. Spans that start inside are its children."""
    if _State.tracer is None:
        yield
        return
    with _State.tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield
        except BaseException as error:
            # Without its text, which may quote a request.
            _fail(current, getattr(error, "code", "") or type(error).__name__)
            raise


@contextmanager
def request_span(method: str, headers: Iterable[tuple[bytes, bytes]]) -> "Iterator[Span | None]":
    """The span of a request, a child of the client's `traceparent`; None while traces are off. The caller names it."""
    if _State.tracer is None:
        yield None
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name.startswith(b"trace")}
    with _State.tracer.start_as_current_span(
        method,
        TraceContextTextMapPropagator().extract(carrier),
        kind=_kind("server"),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        yield current


def describe_request(span: "Span", method: str, route: str, status: int, fields: Mapping[str, Any]) -> None:
    """Name a request's span and set its attributes. `fields` are those of its log line:
    credentials are masked in them as there."""
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    for name, value in fields.items():
        span.set_attribute(f"gateway.{name}", mask(str(value)))
    if status >= 500:
        _fail(span, str(status))


def _fail(span: "Span", error: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", error)


def _kind(kind: Kind) -> Any:
    from opentelemetry.trace import SpanKind

    return SpanKind(_KINDS[kind])
