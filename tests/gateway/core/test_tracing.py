"""Traces are on where the standard variables ask for them."""

import builtins
import gzip
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import pytest

from gateway.core import tracing


class Collector:
    """An OTLP collector on loopback. `received` are the path and the body of each request."""

    def __init__(self) -> None:
        received: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append(
                    (self.path, gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.received = received
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize(
    ("environment", "requested"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_standard_variables_decide(environment: dict[str, str], requested: bool) -> None:
    assert tracing.is_requested(environment) is requested


async def test_missing_library_is_a_warning_and_no_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setattr(builtins, "__import__", without)
    with caplog.at_level(logging.WARNING, "gateway"):
        async with tracing.exported():
            assert not tracing.is_on()
    assert "pip install opentelemetry-sdk" in caplog.text


@pytest.mark.parametrize(("name", "service"), [(None, "video-gateway"), ("mine", "mine")])
def test_service_name(monkeypatch: pytest.MonkeyPatch, name: str | None, service: str) -> None:
    if name is not None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
    assert tracing.new_provider().resource.attributes["service.name"] == service


async def test_spans_are_sent_to_the_collector_by_the_time_of_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with tracing.exported():
            with tracing.span("a step"):
                pass
        assert not tracing.is_on()
    assert [path for path, _ in collector.received] == ["/v1/traces"]
    assert b"a step" in collector.received[0][1]
