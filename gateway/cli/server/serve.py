"""`serve`: the gateway on a port, as one process or several, with the embedded upstream in front of it if wished."""

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

from gateway.cli.errors import CommandError, configuration_mistakes, end_on
from gateway.cli.server.configuration import read_settings
from gateway.cli.server.listening import address, listen
from gateway.core import logs
from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_loader import load_settings
from providers import registry
from providers.registry import credential_hints

GRACE_SECONDS = 25
"""How long running requests may go on after SIGTERM: less than the 30 s after which orchestrators kill."""

_KEEP_ALIVE_SECONDS = 75
"""Longer than clients pause between polls, and than proxies keep idle connections."""

_UVICORN: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
    "timeout_graceful_shutdown": GRACE_SECONDS,
}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says beside the configuration; None leaves a setting as it is configured.

    `task_seconds` is how long a video of the embedded upstream takes.
    """

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
    end_on(signal.SIGINT, signal.SIGTERM, exit_code=0)
    _hand_to_workers(
        GATEWAY_HOST=options.host,
        GATEWAY_PORT=options.port,
        GATEWAY_WORKERS=options.workers,
        GATEWAY_CONFIG=options.config,
    )
    with contextlib.ExitStack() as stack:
        settings = read_settings()
        taken = stack.enter_context(listen(settings.host, settings.port))
        _configure_logs(settings)
        if options.sandbox:
            settings = _start_sandbox(stack, options.task_seconds)
        if settings.workers > 1:
            settings = _agree_on_a_secret(settings)
            # Before anything counts: the workers' figures are added up there.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="video-gateway-figures-"))
            _hand_to_workers(PROMETHEUS_MULTIPROC_DIR=folder)

        from gateway.app import create_app

        with configuration_mistakes():
            # With workers it is made here only so that a mistake is told once, not by each of them.
            app = create_app(settings, reload=True)
        _announce(settings, taken, options.sandbox)
        spare_the_collector()
        if settings.workers == 1:
            _serve_here(settings, app, taken)
        else:
            _serve_with_workers(settings, taken)


class WorkerApp:
    """Makes the application of one worker process, whose configuration is in its environment and in the file.

    `settings` are the ones that were good last: a worker that comes up, or takes the place of one that died, while the
    file is bad begins with those.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self) -> ASGIApp:
        from gateway.app import create_app

        # Until the application handles it: what reaches the supervisor early is passed on to all of them.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _configure_logs(self.settings)
        # Remarks on it were made by the process that this one belongs to.
        logging.disable(logging.WARNING)
        try:
            app = create_app(load_settings(), reload=True)
        except SettingsError as error:
            logs.GATEWAY.error(f"new configuration rejected, keeping the current one: {error}")
            app = create_app(self.settings, reload=True)
        finally:
            logging.disable(logging.NOTSET)
        _limited(self.settings)
        spare_the_collector()
        return app


def spare_the_collector() -> None:
    """What was loaded stays for good: the garbage collector need not walk through all of it again and again, which
    would hold up every request meanwhile."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _hand_to_workers(**variables: str | int | Path | None) -> None:
    """The environment stands above the file, and worker processes inherit it."""
    os.environ.update({name: str(value) for name, value in variables.items() if value is not None})


def _configure_logs(settings: Settings) -> None:
    logs.configure(settings.log_level, settings.log_format)
    if settings.log_level != "debug":
        # The server's own milestones say less than the one line that is logged here.
        for name in ("uvicorn", "uvicorn.error"):
            logging.getLogger(name).setLevel(max(logging.WARNING, logs.GATEWAY.level))


def _start_sandbox(stack: contextlib.ExitStack, task_seconds: float) -> Settings:
    """The embedded upstream in a thread of this process, and the settings that lead to it."""
    from providers.sandbox.server import SandboxServer
    from providers.sandbox.settings import SandboxSettings

    upstream = stack.enter_context(SandboxServer(SandboxSettings(task_seconds=task_seconds)))
    _hand_to_workers(**upstream.environment())
    return read_settings()


def _agree_on_a_secret(settings: Settings) -> Settings:
    """Every worker has to open what another one sealed."""
    if not settings.keys or settings.secret:
        return settings
    _hand_to_workers(GATEWAY_SECRET=secrets.token_urlsafe(32))
    logs.GATEWAY.warning(
        "GATEWAY_SECRET is not set: the workers share a random one, so task ids will not outlive this run "
        "nor be known to other replicas; set it to a long random text"
    )
    return read_settings()


def _announce(settings: Settings, taken: socket.socket, sandbox: bool) -> None:
    url = address(taken)
    logs.GATEWAY.info(f"listening on {url}, documentation at {url}/docs")
    if not sandbox:
        return
    own = bool(settings.keys) and not settings.pass_through
    any_credential = f"any credential of the right form will do: {credential_hints().en}"
    logs.GATEWAY.info(
        "behind it is the embedded upstream, which charges nothing: "
        + ("use one of the configured keys" if own else any_credential)
    )
    if settings.log_format == "text":
        from gateway.cli.output import say

        # Not a log line: there the header would be masked.
        key = "$GATEWAY_KEY" if own else registry.PROVIDERS[0].sandbox.demo.credential
        say(
            f"try: curl {url}/v1/videos/generations -H 'Content-Type: application/json' "
            f'-H "Authorization: Bearer {key}" -d \'{{"prompt": "a cat on the beach at sunset"}}\''
        )


def _limited(settings: Settings) -> type[asyncio.Protocol]:
    """The HTTP protocol with the limits of this process."""
    from gateway.cli.server.http_protocol import ConnectionLimits, LimitedProtocol

    LimitedProtocol.limits = ConnectionLimits.of(settings)
    return LimitedProtocol


def _serve_here(settings: Settings, app: ASGIApp, taken: socket.socket) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if self.server_state.tasks:
                logs.GATEWAY.info(f"stopping: running requests have {GRACE_SECONDS} s to end, Ctrl-C ends them now")
            await super().shutdown(sockets)

    Server(uvicorn.Config(app, http=_limited(settings), **_UVICORN)).run(sockets=[taken])


def _serve_with_workers(settings: Settings, taken: socket.socket) -> None:
    import uvicorn
    from prometheus_client.multiprocess import mark_process_dead
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    worker_app = WorkerApp(settings)

    class Supervisor(Multiprocess):
        def keep_subprocess_alive(self) -> None:
            before = {process.pid for process in self.processes}
            super().keep_subprocess_alive()
            for pid in before - {process.pid for process in self.processes}:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]

        def handle_hup(self) -> None:
            """The workers read their configuration again themselves; a restart would forget what they know."""
            with contextlib.suppress(SettingsError):
                worker_app.settings = load_settings()
            for process in self.processes:
                if process.pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGHUP)

    config = uvicorn.Config(worker_app, factory=True, http=_limited(settings), workers=settings.workers, **_UVICORN)
    supervisor = Supervisor(config, sockets=[taken])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise CommandError("a worker process could not start; the log lines above say why")
