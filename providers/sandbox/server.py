"""The sandbox on a port, in a thread of this process."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from providers import registry
from providers.contract.settings import UpstreamSettings
from providers.contract.spec import SandboxPart
from providers.sandbox.app import create_sandbox
from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger

_START_SECONDS = 10.0


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, whose requests carry their transport in `state`, so that an answer can be a closed
    connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


_OPTIONS: dict[str, Any] = {
    "http": _Protocol,
    "ws": "none",
    "lifespan": "off",
    "server_header": False,
    "timeout_keep_alive": 75,
    "backlog": 2048,
}


class SandboxServer:
    """The sandbox on a loopback port. A context manager; `start` and `stop` do the same by hand.

    with SandboxServer(SandboxSettings(task_seconds=0.05)) as upstream:
        ... upstream.dashscope_url, upstream.sandbox.submits("dashscope") ...

    `port` 0 takes a free one. The port is bound when the object is made, so the URLs are known before the start.
    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.app = create_sandbox(settings, clock)
        self._socket = socket.create_server((host, port), backlog=2048)
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, access_log=False, **_OPTIONS))
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def jimeng_url(self) -> str:
        """Base of `/mweb`, `/commerce` and `/passport`."""
        return self.url

    @property
    def imagex_url(self) -> str:
        """Base of Jimeng's picture uploads: `/?Action=ApplyImageUpload`."""
        return f"{self.url}/imagex"

    @property
    def vod_url(self) -> str:
        """Base of Jimeng's film and sound uploads: `/?Action=ApplyUploadInner`."""
        return f"{self.url}/vod"

    @property
    def dashscope_url(self) -> str:
        """Base of `/services` and `/tasks`."""
        return f"{self.url}/api/v1"

    @property
    def compatible_url(self) -> str:
        """Base of DashScope's OpenAI-shaped `/chat/completions`."""
        return f"{self.url}/compatible-mode/v1"

    @property
    def modelscope_url(self) -> str:
        """Base of ModelScope's `/chat/completions`."""
        return f"{self.url}/v1"

    def environment(self) -> dict[str, str]:
        """The environment variables that lead a gateway here, with their values."""
        return {
            spec.variable(key): f"{self.url}{path}"
            for spec in registry.PROVIDERS
            for key, path in spec.sandbox.addresses.items()
        }

    def settings(self, **changes: Mapping[str, Any]) -> dict[str, UpstreamSettings]:
        """The settings of every provider that lead a gateway here, by the provider's name. `changes` are further fields
        for a provider: `settings(dashscope={"queries_per_second": 0})`."""
        return {
            spec.name: spec.settings(**self._addresses(spec.sandbox) | dict(changes.get(spec.name, {})))
            for spec in registry.PROVIDERS
        }

    def _addresses(self, part: SandboxPart) -> dict[str, Any]:
        return {key: f"{self.url}{path}" for key, path in part.addresses.items()}

    @property
    def sandbox(self) -> Ledger:
        """What it has seen."""
        ledger: Ledger = self.app.state.sandbox
        return ledger

    @property
    def jimeng_models(self) -> JimengModels:
        """The models that Jimeng's sites have: `retire`, `restore`, `set_config_fault`."""
        models: JimengModels = self.app.state.jimeng_models
        return models

    def start(self) -> Self:
        """Serve in a thread; returns once it answers. Raises RuntimeError when it does not come up."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the sandbox did not start on {self.url}")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Close every connection, the ones in use too, and end the thread. Harmless when it does not run."""
        if self._loop is not None and self._thread.is_alive():
            self._server.should_exit = self._server.force_exit = True
            self._loop.call_soon_threadsafe(self._abort)
            self._thread.join()
        self._socket.close()
        self.app.state.clips.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            self._loop = runner.get_loop()
            runner.run(self._server.serve(sockets=[self._socket]))

    def _abort(self) -> None:
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
