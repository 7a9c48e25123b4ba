"""The test stand: cores, the upstream, and whoever is compared, each started when it is first asked for."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench import litellm, nginx, wire
from tests.bench.answers import Answer, read_answer
from tests.bench.load import Loads
from tests.bench.processes import BenchError, Server, free_port, module
from tests.bench.requests import Requests

KEY = "sk-bench"

_LITELLM_START_SECONDS = 120.0
_ONE_ANSWER_SECONDS = 30.0
_SUBMITS_AT_ONCE = 8
_ASKED_AT_ONCE = 32
_LITELLM_IDS = 20
_MB = 1 << 20
_MP4_HEAD = b"\0\0\0\x18ftypisom\0\0\x02\0isommp42"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `seconds` for each measurement, `rounds` of which the median counts, `paced_seconds` for
    polls by the clock that have to last, `soak_seconds` for the run over which memory is watched."""

    seconds: int = 5
    rounds: int = 3
    warm_up_seconds: int = 1
    paced_seconds: int = 40
    soak_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Running:
    """A server and the port it answers on."""

    server: Server
    port: int


class Stand:
    """A context manager; leaving it ends everything that runs.

    The server that is measured has the first core to itself, whatever it talks to and whoever asks it has the second;
    with a single core they share it. `without` names tools to do without: nginx, wrk, litellm.
    """

    def __init__(self, folder: Path, plan: Plan, without: frozenset[str] = frozenset()) -> None:
        self.folder = folder
        self.plan = plan
        cores = sorted(os.sched_getaffinity(0))
        self.server_core = frozenset(cores[:1])
        self.load_core = frozenset(cores[1:2] or cores[:1])
        self.nginx_binary = None if "nginx" in without else shutil.which("nginx")
        self.wrk_binary = None if "wrk" in without else shutil.which("wrk")
        self.litellm_python = None if "litellm" in without else os.environ.get("LITELLM_PYTHON")
        self.loads = Loads(folder, self.load_core, self.wrk_binary)
        self._stack = ExitStack()

    def __enter__(self) -> "Stand":
        # What runs in this process, such as the sandbox, is on the load's side.
        os.sched_setaffinity(0, self.load_core)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @cached_property
    def upstream(self) -> Running:
        """DashScope's wire, and a file."""
        port = free_port()
        if self.nginx_binary:
            command = nginx.upstream_command(self.nginx_binary, self.folder, port)
        else:
            command = module("plain_upstream", str(port), str(self._file_path))
        server = self._stack.enter_context(Server("upstream", command, self.load_core, self.folder))
        return Running(server.listening(port), port)

    @cached_property
    def proxy(self) -> Running | None:
        """nginx as a plain reverse proxy before the upstream; None where there is no nginx."""
        if self.nginx_binary is None:
            return None
        port = free_port()
        command = nginx.proxy_command(self.nginx_binary, self.folder, port, self.upstream.port)
        server = self._stack.enter_context(Server("nginx", command, self.server_core, self.folder))
        return Running(server.listening(port), port)

    @cached_property
    def litellm(self) -> Running | None:
        """LiteLLM's proxy before the upstream; None where LITELLM_PYTHON names no Python that can start it."""
        if self.litellm_python is None:
            return None
        port = free_port()
        command = litellm.command(self.litellm_python, self.folder, port, self.upstream.port, KEY)
        try:
            server = self._stack.enter_context(
                Server("litellm", command, self.server_core, self.folder, litellm.ENVIRONMENT)
            )
            return Running(server.listening(port, _LITELLM_START_SECONDS), port)
        except BenchError as error:
            print(f"LiteLLM is left out: {error}", file=sys.stderr)
            return None

    @cached_property
    def litellm_ids(self) -> list[str]:
        """The ids of a few running tasks that LiteLLM has submitted."""
        return self.submit(self.litellm.port, litellm.SUBMIT, _LITELLM_IDS, "id") if self.litellm else []

    @contextmanager
    def gateway(self, environment: Mapping[str, str] | None = None, *, workers: int = 1) -> Iterator[Running]:
        """The gateway before the upstream, for as long as the block runs. More workers than one get both cores."""
        cores = self.server_core if workers == 1 else self.server_core | self.load_core
        command = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--workers", str(workers)]
        upstream = {"DASHSCOPE_BASE_URL": f"http://127.0.0.1:{self.upstream.port}/api/v1"}
        with Server("gateway", command, cores, self.folder, upstream | dict(environment or {})) as server:
            port = urlsplit(server.said(r"listening on (http://[0-9.]+:\d+)")).port
            assert port
            self.ask(port, Requests(("/healthz",)))
            yield Running(server, port)

    def ask(self, port: int, requests: Requests, expected: bytes = b"") -> Answer:
        """The answer to the first of the requests. Raises BenchError unless it is a good one and holds `expected`."""
        what = f"{requests.method} {requests.paths[0]}"
        try:
            answer = _exchange(port, requests.one(port).encode())
        except OSError as error:
            raise BenchError(f"{what}: {error}") from error
        if answer is None:
            raise BenchError(f"{what}: no answer")
        if not answer.good or expected not in answer.body:
            said = answer.body[:300].decode("utf-8", "replace")
            raise BenchError(f"{what} was answered {answer.status}: {said}")
        return answer

    def ask_each(self, port: int, requests: Requests) -> None:
        """Let each of the requests be answered once. Raises BenchError when one of them is not answered well."""
        each = [replace(requests, paths=(path,)) for path in requests.paths]
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            for _ in pool.map(lambda one: self.ask(port, one), each):
                pass

    def submit(self, port: int, requests: Requests, count: int, field: str) -> list[str]:
        """The ids of `count` new tasks, a few submitted at a time. Raises BenchError."""

        def one(number: int) -> str:
            id: str = json.loads(self.ask(port, requests).body)[field]
            return id

        # By itself: the others of an account that is new wait for it anyway.
        first = one(0)
        with ThreadPoolExecutor(_SUBMITS_AT_ONCE) as pool:
            return [first, *pool.map(one, range(1, count))]

    @cached_property
    def _file_path(self) -> Path:
        return self.folder / "files" / wire.FILE_PATH.lstrip("/")

    def make_file(self) -> None:
        """Let the upstream have its file, written out so that it costs what a file costs."""
        if self._file_path.exists():
            return
        self._file_path.parent.mkdir()
        block = os.urandom(_MB)
        with self._file_path.open("wb") as out:
            # The gateway passes on nothing that does not begin as a video does.
            out.write(_MP4_HEAD + block[len(_MP4_HEAD) :])
            for _ in range(wire.FILE_BYTES // _MB - 1):
                out.write(block)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _exchange(port: int, request: bytes) -> Answer | None:
    """The answer to a request on a connection of its own, None when it is broken off. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), _ONE_ANSWER_SECONDS) as connection:
        connection.sendall(request)
        received = b""
        while (answer := read_answer(received)) is None:
            more = connection.recv(65536)
            if not more:
                return None
            received += more
        return answer
