"""`serve`: runs the gateway in one or more processes, optionally with the embedded upstream."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from gateway.cli.errors import CommandError, configuration_errors, exit_on
from gateway.cli.server.allocator import return_large_blocks
from gateway.cli.server.configuration import read_settings
from gateway.cli.server.counted_connection import open_websocket
from gateway.cli.server.listening import listen, url_of
from gateway.core import logs
from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_loader import load_settings
from providers import registry
from providers.registry import credential_hints

_KEEP_ALIVE_SECONDS = 75
"""Longer than clients wait between polls, and than proxies keep idle connections."""

_MAX_SOCKET_MESSAGE = 64 * 1024
"""Bytes of one WebSocket message of a client."""

_UVICORN: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    # The application does that: see `ForwardedHeaders`.
    "proxy_headers": False,
    "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
    "ws": open_websocket,
    "ws_max_size": _MAX_SOCKET_MESSAGE,
    # Messages are short, and a compressor takes more memory than the rest of a connection.
    "ws_per_message_deflate": False,
}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of the command line; None leaves a setting as configured. `task_seconds` is the duration of a task of the
    embedded upstream."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    config: Path | None = None
    sandbox: bool = False
    task_seconds: float = 8.0


def serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or Ctrl-C; running requests end first. Raises CommandError."""
    # Until the application handles it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _set_environment(
        GATEWAY_HOST=options.host,
        GATEWAY_PORT=options.port,
        GATEWAY_WORKERS=options.workers,
        GATEWAY_CONFIG=options.config,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(exit_on(signal.SIGINT, signal.SIGTERM, exit_code=0))
        settings = read_settings()
        listener = stack.enter_context(listen(settings.host, settings.port))
        _configure_logs(settings)
        if options.sandbox:
            settings = _start_sandbox(stack, options.task_seconds)
        if settings.workers > 1:
            settings = _share_secret(settings)
            # Before the metrics are imported: the workers aggregate them in this folder.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="video-gateway-metrics-"))
            _set_environment(PROMETHEUS_MULTIPROC_DIR=folder)

        from gateway.app import create_app
        from gateway.cli.server.announcement import announce

        with configuration_errors():
            # With workers it is built here only to report a configuration error once.
            app = create_app(settings, reload=True)
        announce(settings, app.state.services.pool.managed, listener)
        if options.sandbox:
            _announce_sandbox(settings, url_of(listener))
        return_large_blocks()
        freeze_garbage_collector()
        if settings.workers == 1:
            _serve_in_process(settings, app, listener)
        else:
            _serve_with_workers(settings, listener)


class WorkerApp:
    """Builds the application of a worker process, which loads the configuration itself.

    `settings` are the last valid ones: a worker that starts while the file is invalid uses those.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self) -> ASGIApp:
        # As in the command: most objects that are made now are modules.
        gc.disable()
        from gateway.app import create_app

        # Until the application handles it: the supervisor forwards a SIGHUP to workers that still start.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _configure_logs(self.settings)
        # The parent process has logged the warnings already.
        logging.disable(logging.WARNING)
        try:
            app = create_app(load_settings(), reload=True)
        except SettingsError as error:
            logs.GATEWAY.error(f"new configuration rejected, keeping the current one: {error}")
            app = create_app(self.settings, reload=True)
        finally:
            logging.disable(logging.NOTSET)
        _limited(self.settings)
        return_large_blocks()
        freeze_garbage_collector()
        return app


def freeze_garbage_collector() -> None:
    """Exclude the loaded modules from garbage collections, which would delay requests.

    The collector counts objects, not bytes: a cycle of a few objects may hold the body of a failed request. So it still
    runs often; without the modules, that takes about 2% of the time of live polls. What the start itself leaves behind
    is some hundred KB: to collect it would take a tenth of the start.
    """
    gc.enable()
    gc.freeze()
    # A full collection only runs once the objects that survived since the last one are a quarter of those that it left:
    # this one leaves hardly any.
    gc.collect()
    gc.set_threshold(2_000, 5, 5)


def _set_environment(**variables: str | int | Path | None) -> None:
    """Set environment variables, which take precedence over the file and which worker processes inherit."""
    os.environ.update({name: str(value) for name, value in variables.items() if value is not None})


def _configure_logs(settings: Settings) -> None:
    logs.configure(settings.log_level, settings.log_format)
    if settings.log_level != "debug":
        # The start and stop lines of uvicorn repeat those of the gateway.
        for name in ("uvicorn", "uvicorn.error"):
            logging.getLogger(name).setLevel(max(logging.WARNING, logs.GATEWAY.level))


def _start_sandbox(stack: contextlib.ExitStack, task_seconds: float) -> Settings:
    """Start the embedded upstream in a thread. Returns the settings that use it."""
    from providers.sandbox.server import SandboxServer
    from providers.sandbox.settings import SandboxSettings

    upstream = stack.enter_context(SandboxServer(SandboxSettings(task_seconds=task_seconds, draw_clips=True)))
    _set_environment(**upstream.environment())
    return read_settings()


def _share_secret(settings: Settings) -> Settings:
    """Every worker must verify the task ids that another one signed."""
    if not settings.keys or settings.secret:
        return settings
    _set_environment(GATEWAY_SECRET=secrets.token_urlsafe(32))
    logs.GATEWAY.warning(
        "GATEWAY_SECRET is not set: the workers share a random one, so task ids become invalid at restart and on other "
        "replicas; set it to a long random text"
    )
    return read_settings()


def _announce_sandbox(settings: Settings, url: str) -> None:
    own = bool(settings.keys) and not settings.pass_through
    any_credential = f"any credential of the right form is accepted: {credential_hints().en}"
    logs.GATEWAY.info(
        "using the embedded upstream, which is free: " + ("use one of the configured keys" if own else any_credential)
    )
    if settings.log_format == "text":
        from gateway.cli.output import print_message

        # Not a log line, which would mask the header.
        demos = (spec.sandbox.demo for spec in registry.PROVIDERS)
        key = "$GATEWAY_KEY" if own else next(demo.credential for demo in demos if demo is not None)
        print_message(
            f"try: curl {url}/v1/videos/generations -H 'Content-Type: application/json' "
            f'-H "Authorization: Bearer {key}" -d \'{{"prompt": "a cat on the beach at sunset"}}\''
        )


def _limited(settings: Settings) -> type[asyncio.Protocol]:
    """The HTTP protocol with the limits of this process."""
    from gateway.cli.server.connection_limits import ConnectionLimits
    from gateway.cli.server.http_protocol import LimitedProtocol

    LimitedProtocol.limits = ConnectionLimits.of(settings)
    return LimitedProtocol


def _serve_in_process(settings: Settings, app: ASGIApp, listener: socket.socket) -> None:
    import uvicorn

    from gateway.cli.server.graceful_stop import GracefulServer

    GracefulServer(uvicorn.Config(app, http=_limited(settings), **_UVICORN)).run(sockets=[listener])


def _serve_with_workers(settings: Settings, listener: socket.socket) -> None:
    import uvicorn
    from prometheus_client.multiprocess import mark_process_dead
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess, multiprocess

    from gateway.cli.server.graceful_stop import WorkerProcess

    # uvicorn has no other way to name the class of a worker's server.
    multiprocess.Process = WorkerProcess  # type: ignore[misc]
    worker_app = WorkerApp(settings)

    class Supervisor(Multiprocess):
        def keep_subprocess_alive(self) -> None:
            before = {process.pid for process in self.processes}
            super().keep_subprocess_alive()
            for pid in before - {process.pid for process in self.processes}:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]

        def handle_hup(self) -> None:
            """Forward SIGHUP: the workers reload their configuration; a restart would lose their state."""
            with contextlib.suppress(SettingsError):
                worker_app.settings = load_settings()
            for process in self.processes:
                if process.pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGHUP)

    config = uvicorn.Config(worker_app, factory=True, http=_limited(settings), workers=settings.workers, **_UVICORN)
    supervisor = Supervisor(config, sockets=[listener])
    supervisor.run()
    logs.GATEWAY.info("stopped", extra={"fields": {"workers": len(supervisor.processes)}})
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise CommandError("a worker process could not start: see the log lines above")
