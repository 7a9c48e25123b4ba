"""An application on a free loopback port, in a thread of this process."""

import asyncio
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

_START_SECONDS = 10.0


class BackgroundServer:
    """A context manager that serves the application at `url` in a thread. On exit, running requests have
    `grace_seconds` to end.
    """

    def __init__(
        self, app: ASGIApp, grace_seconds: float = 1.0, protocol: type[asyncio.Protocol] | str = "auto", port: int = 0
    ) -> None:
        """`port` 0 takes a free one."""
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(app, http=protocol, log_config=None, access_log=False, proxy_headers=False)
        # Declared as int, but used as a float.
        config.timeout_graceful_shutdown = grace_seconds  # type: ignore[assignment]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="background-server", daemon=True
        )

    def __enter__(self) -> Self:
        """Raises RuntimeError if the server does not start."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"the server did not start on {self.url}")
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
