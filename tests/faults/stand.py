"""The test stand of one row: a gateway of its own, and a relay with the fault between it and the sandbox."""

import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings, TimeoutSettings
from gateway.polling.batcher import DEADLINE_SECONDS
from providers import registry
from providers.sandbox.clips import BEST, PREVIEW, SHIPPED
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.clock import SandboxClock
from tests.deploy import reverse_proxies
from tests.e2e.conftest import PATIENT, FastClock, settings_for
from tests.faults.relay import Breakage, Loop, Relay
from tests.faults.rows import Gateways, Row, Through

SANDBOX = SandboxSettings(
    task_seconds=0.05, visible_after=0.01, queries_per_second=0, max_running=1000, credits=100_000, drip_seconds=4.0
)
QUICK = TimeoutSettings(connect=0.4, read=1.2, total=1.5)
"""For faults that last until a time-out."""
VIDEOS = frozenset(clip.files[name].read_bytes() for clip in SHIPPED.values() for name in (BEST, PREVIEW))
DAY = 86_400.0

_CLIENT_SECONDS = 30.0
_FOLLOW_SECONDS = 8.0
_GATEWAY_KEY = "gw-faults"
_S3_VARIABLES = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}

_numbers = itertools.count(1)
_environment = threading.Lock()
_buckets = threading.Lock()
"""The S3 server sets itself up at the first request, and fails where two come at once."""


class ShiftedClock(FastClock):
    """The real time, moved on by what a test adds. Pauses are a fiftieth; the deadline of a query is not."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def later(self, seconds: float, call: Callable[[], object]) -> Any:
        return super().later(seconds * 50 if seconds <= DEADLINE_SECONDS else seconds, call)


class Stand:
    """A context manager. The gateway knows the relay as its upstream, or, for a row of a proxy, as its proxy.

    `archive` is the URL of an archive, `bucket_server` the S3 server behind the relay for rows of the store. With
    `through` clients reach two gateways, and the fault affects both alike, unless the route names one.
    """

    def __init__(
        self,
        row: Row,
        upstream: SandboxServer,
        upstream_clock: SandboxClock,
        loop: Loop,
        *,
        archive: str = "",
        bucket_server: str = "",
        through: Through = "",
    ) -> None:
        self.row = row
        self.upstream = upstream
        self.upstream_clock = upstream_clock
        self.clock = ShiftedClock()
        self.credentials: list[str] = []
        self.relay = Relay(loop, bucket_server or upstream.url)
        self.broken: Breakage | None = None
        self._archive = archive
        self._bucket_server = bucket_server
        self._through = through
        self._loop = loop
        self._in_front: tuple[Relay, ...] = ()
        """Between the proxy in front and its gateways, where the route is about that."""
        self._misled = False
        self._is_down = False
        self._charged = 0
        self._gateway = ExitStack()
        self._stack = ExitStack()
        self.client: httpx.Client

    def __enter__(self) -> Self:
        self._stack.enter_context(self.relay)
        self._stack.callback(lambda: self._gateway.close())
        if self.row.route.via != "direct":
            self.new_credentials(2)
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    # --- callers ------------------------------------------------------------------------------------------------

    def new_credentials(self, count: int = 1) -> None:
        """Credentials that nobody has used; managed accounts stay the same. Charges count from here."""
        self._charged = 0
        if self.row.route.via != "direct" and self.credentials:
            self._charged = self.charges()
            return
        prefix = "sk-fault" if self.row.upstream == "dashscope" else "fault"
        self.credentials = [f"{prefix}{next(_numbers)}x{time.time_ns()}" for _ in range(count)]

    def headers(self, **more: str) -> dict[str, str]:
        bearer = ",".join(self.credentials) if self.row.route.via == "direct" else _GATEWAY_KEY
        return {"Authorization": f"Bearer {bearer}"} | {name.replace("_", "-"): text for name, text in more.items()}

    def charges(self) -> int:
        """Tasks that the upstream has created for these credentials."""
        submits = self.upstream.sandbox.submits
        return sum(submits(self.row.upstream, credential) for credential in self.credentials) - self._charged

    # --- the fault ----------------------------------------------------------------------------------------------

    def break_it(self) -> None:
        """Let the fault begin: with a restart of the gateway where its address is wrong."""
        fault, route = self.row.fault, self.row.route
        if self._is_down:
            return
        self._is_down = route.in_front in ("first", "second")
        if fault.address:
            self._misled = True
            self._start()
        relays = self._broken_relays()
        if fault.connecting is not None:
            for relay in relays:
                relay.break_connections(fault.connecting)
        elif fault.answer is not None or fault.greeting is not None or fault.sending is not None:
            target = route.targets[self.row.upstream]
            matches = (lambda method, path: True) if fault.address else target.matches
            self.broken = Breakage(fault.answer, route.stage, matches, route.times, fault.greeting, fault.sending)
            for relay in relays:
                relay.break_with(self.broken)

    def mend(self) -> None:
        """End the fault. One gateway of two stays down."""
        if not self._is_down:
            for relay in self._broken_relays():
                relay.mend()
        if self._misled:
            self._misled = False
            self._start()

    def pass_time(self, answer: httpx.Response | None = None, seconds: float = 0.0) -> None:
        """Move the gateway's clock on, a little further than the answer says with Retry-After."""
        told = answer.headers.get("retry-after") if answer is not None else None
        self.clock.ahead += max(seconds, float(told) + 1 if told else 0.0)

    # --- requests -----------------------------------------------------------------------------------------------

    def submit(self, fields: dict[str, Any], **headers: str) -> httpx.Response:
        return self.client.post("/v1/videos/generations", json=fields, headers=self.headers(**headers))

    def new_task(self, fields: dict[str, Any], **headers: str) -> str:
        """The id of a task. The fault must not have begun."""
        answer = self.submit(fields, **headers)
        assert answer.status_code == 200, f"before the fault: {shown(answer)}"
        return str(answer.json()["task_id"])

    def poll(self, id: str) -> httpx.Response:
        return self.client.get(f"/v1/videos/tasks/{id}", headers=self.headers(cache_control="no-cache"))

    def ended(self, id: str) -> dict[str, Any]:
        """The status of a task at its end. Raises AssertionError for an answer other than 200 on the way."""
        give_up = time.monotonic() + _FOLLOW_SECONDS
        while True:
            answer = self.poll(id)
            assert answer.status_code == 200, f"poll: {shown(answer)}"
            task: dict[str, Any] = answer.json()
            if task["status"] in ("completed", "failed") and not task.get("stale"):
                return task
            assert time.monotonic() < give_up, f"not ended: {task}"
            time.sleep(0.02)

    def content(self, id: str) -> str:
        """`200 video` for the right bytes, `200 cut off` for a connection that breaks, else the answer."""
        try:
            with self.client.stream("GET", f"/v1/videos/{id}/content", headers=self.headers()) as answer:
                body = b"".join(answer.iter_bytes())
                if answer.status_code != 200:
                    return shown(httpx.Response(answer.status_code, headers=answer.headers, content=body))
                return "200 video" if body in VIDEOS else f"200 WRONG BODY of {len(body)} bytes"
        except (httpx.TransportError, httpx.DecodingError):
            return "200 cut off"

    def video_of(self, id: str, outcome: list[str]) -> None:
        """Follow a task to its video. Raises AssertionError where it does not arrive."""
        task = self.ended(id)
        assert task["status"] == "completed", f"task {task['status']}: {task.get('error')}"
        found = self.content(id)
        assert found == "200 video", f"content: {found}"
        outcome.append("polled, video")

    # --- the gateway --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._gateway.close()
        self._gateway = ExitStack()
        apps = [self._app() for _ in range(2 if self._through else 1)]
        servers = [self._gateway.enter_context(BackgroundServer(app, grace_seconds=0.2)) for app in apps]
        urls = [server.url for server in servers]
        if self.row.route.in_front:
            self._in_front = tuple(self._gateway.enter_context(Relay(self._loop, url)) for url in urls)
            urls = [relay.url for relay in self._in_front]
        url = self._gateway.enter_context(_nginx(urls)) if self._through else urls[0]
        self.client = self._gateway.enter_context(httpx.Client(base_url=url, timeout=_CLIENT_SECONDS))

    def _broken_relays(self) -> tuple[Relay, ...]:
        first, second = _GATEWAYS_OF[self.row.route.in_front]
        return self._in_front[first:second] if self.row.route.in_front else (self.relay,)

    def _app(self) -> Any:
        fault, route = self.row.fault, self.row.route
        base = self.relay.url
        if self._misled:
            base = fault.address.format(relay=f"127.0.0.1:{self.relay.port}")
        elif route.via != "direct" or self._bucket_server:
            base = self.upstream.url
        more: dict[str, Any] = {
            spec.name: {key: f"{base}{path}" for key, path in spec.sandbox.addresses.items()}
            for spec in registry.PROVIDERS
        }
        more |= {"timeouts": QUICK if fault.waits else PATIENT, **route.settings}
        if route.via != "direct":
            scheme = "socks5" if route.via == "socks proxy" else "http"
            proxy = SecretStr(f"{scheme}://127.0.0.1:{self.relay.port}")
            more["keys"] = (SecretStr(f"tests:{_GATEWAY_KEY}"),)
            more["secret"] = (SecretStr("a secret for tests"),)
            more["accounts"] = tuple(
                AccountSettings(
                    name=f"a{number}", credential=SecretStr(credential), provider=self.row.upstream, proxy=proxy
                )
                for number, credential in enumerate(self.credentials)
            )
        if self._archive:
            more["archive_url"] = self._archive
        with self._bucket_variables():
            return create_app(settings_for(self.upstream, **more), clock=self.clock)

    @contextmanager
    def _bucket_variables(self) -> Iterator[None]:
        """The environment from which an archive in a bucket is opened; it is that of the whole process."""
        if not self._archive.startswith("s3:"):
            yield
            return
        variables = {"AWS_ENDPOINT_URL": self.relay.url if self._bucket_server else "", **_S3_VARIABLES}
        with _environment:
            os.environ |= variables
            try:
                yield
            finally:
                for name in variables:
                    os.environ.pop(name, None)


_GATEWAYS_OF: Mapping[Gateways, tuple[int, int]] = {"": (0, 0), "first": (0, 1), "second": (1, 2), "both": (0, 2)}


@contextmanager
def _nginx(urls: Sequence[str]) -> Iterator[str]:
    """The URL of nginx with the sample of `deploy/` in front of two gateways."""
    first, second = (url.removeprefix("http://") for url in urls)
    with (
        tempfile.TemporaryDirectory(prefix="faults-nginx-", ignore_cleanup_errors=True) as folder,
        reverse_proxies.nginx(Path(folder), (first, second), "") as running,
    ):
        yield running.url


def shown(answer: httpx.Response) -> str:
    """`502 upstream_unavailable retry`: the status, the error's code, and whether to retry."""
    try:
        body = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.headers.get('content-type', '')}"
    error = (body.get("error") or body) if isinstance(body, dict) else None
    parts = [str(answer.status_code), str(error.get("code") or "") if isinstance(error, dict) else ""]
    parts += ["retry"] if answer.headers.get("x-should-retry") == "true" else []
    return " ".join(part for part in parts if part)


def new_bucket(server: str) -> str:
    """The URL of an archive in a new bucket."""
    name = f"b-{next(_numbers)}-{os.getpid()}-{time.time_ns()}"
    with _buckets:
        httpx.put(f"{server}/{name}", trust_env=False).raise_for_status()
    return f"s3://{name}/pre"
