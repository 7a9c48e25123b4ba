"""Mixed traffic under random faults, and what the gateway holds: `python -m tests.faults --soak [SECONDS]`.

The gateway is a process of its own, the sandbox another. First so many tasks are submitted that the gateway's memory of
tasks and of keys is full, without faults; then the traffic runs, and the fault changes several times a second. Linux
only: memory is read from /proc. `leaks` judges the samples.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from providers import registry
from tests.bench.processes import Server
from tests.faults.catalog import ANSWERS, SENDING, Fault
from tests.faults.growth import Sample, described, held_by, leaks
from tests.faults.relay import Breakage, Connecting, Loop, Relay, Stage
from tests.faults.submits import REFERENCE_MODELS, TEXT_MODELS
from tests.pictures import data_url

FILLED_TASKS = 50_000
"""As many as the gateway knows owners of; the task cache and the records of idempotency keys hold fewer."""
FILLED_ACCOUNTS = 10_000
"""As many as the pool has records of."""
DEFAULT_SECONDS = 1800

_CLIENTS = 16
_FILLING_CLIENTS = 32
_PAUSE_SECONDS = 0.1
_FAULT_SECONDS = 0.25
_BROKEN_SHARE = 0.3
_SAMPLE_SECONDS = 1.0
_LINES = 20
_ACCOUNTS = 20
_RECENT = 2000

# An endless answer keeps a core busy, and large ones measure the network.
_FAULTS = tuple(fault for fault in (*ANSWERS, *SENDING) if not fault.name.startswith(("endless", "body of")))
_UNREACHED: tuple[Fault, ...] = (Fault("refused", connecting=Connecting.REFUSED),)


def soak(seconds: int) -> int:
    """The exit status: 0 if nothing grows and no answer was an internal error."""
    everyone = frozenset(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="faults-soak-", ignore_cleanup_errors=True) as name, Loop() as loop:
        folder = Path(name)
        sandbox = [sys.executable, "-m", "gateway", "sandbox", "--port", "0", "--task-seconds", "1"]
        sandbox += ["--credits", "100000000", "--max-running", "1000000", "--queries-per-second", "0", "--no-draw"]
        with Server("sandbox", sandbox, everyone, folder) as upstream:
            address = upstream.said(r"JIMENG_BASE_URL=(http://[0-9.]+:\d+)")
            with Relay(loop, address) as relay:
                environment = _environment(relay.url)
                command = [sys.executable, "-m", "gateway", "serve", "--port", "0"]
                with Server("gateway", command, everyone, folder, environment) as gateway:
                    url = gateway.said(r"listening on (http://[0-9.]+:\d+)")
                    return asyncio.run(_Soak(url, relay, gateway, seconds).run())


def _environment(url: str) -> dict[str, str]:
    found = {
        spec.variable(key): f"{url}{path}"
        for spec in registry.PROVIDERS
        for key, path in spec.sandbox.addresses.items()
    }
    return found | {"JIMENG_QPS": "0", "DASHSCOPE_QPS": "0"}


class _Soak:
    """The traffic. Every client does one thing after another, chosen at random."""

    def __init__(self, url: str, relay: Relay, gateway: Server, seconds: int) -> None:
        self._url = url
        self._relay = relay
        self._gateway = gateway
        self._seconds = seconds
        self._random = random.Random(1)
        self._tasks: deque[tuple[str, str, str]] = deque(maxlen=_RECENT)
        """Id, credential and provider."""
        self._statuses: Counter[str] = Counter()
        self._number = 0
        self._image = data_url()
        self._filled = min(1.0, seconds / DEFAULT_SECONDS)
        """A shorter soak fills its share only: to fill all takes minutes."""
        self._filled_tasks, self._filled_accounts = (
            int(most * self._filled) for most in (FILLED_TASKS, FILLED_ACCOUNTS)
        )

    async def run(self) -> int:
        async with aiohttp.ClientSession(
            self._url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(30)
        ) as self._http:
            await self._fill()
            samples = await self._traffic()
        return _report(samples, self._filled, self._statuses, self._gateway.log)

    async def _fill(self) -> None:
        before, began = self._gateway.memory_mb(), time.monotonic()

        async def client() -> None:
            while self._number < self._filled_tasks:
                await self._submit()
            while self._number < self._filled_tasks + self._filled_accounts:
                await self._stranger()

        await asyncio.gather(*(client() for _ in range(_FILLING_CLIENTS)))
        took, after = time.monotonic() - began, self._gateway.memory_mb()
        print(
            f"{self._filled_tasks} tasks, {self._filled_accounts} accounts in {took:.0f} s: "
            f"{before:.0f} → {after:.0f} MB",
            flush=True,
        )
        self._statuses.clear()

    async def _traffic(self) -> list[Sample]:
        end = time.monotonic() + self._seconds
        began, samples = time.monotonic(), list[Sample]()

        async def client() -> None:
            actions = [self._submit, self._poll, self._poll, self._poll, self._statuses_of, self._content, self._list]
            actions += [self._cancel, self._check, self._upload, self._stranger]
            while time.monotonic() < end:
                await self._random.choice(actions)()
                await asyncio.sleep(_PAUSE_SECONDS)

        async def faults() -> None:
            while time.monotonic() < end:
                await asyncio.to_thread(self._break)
                await asyncio.sleep(_FAULT_SECONDS)
                await asyncio.to_thread(self._relay.mend)

        async def sample() -> None:
            while time.monotonic() < end:
                async with self._http.get("/metrics") as answer:
                    held = held_by(await answer.text())
                samples.append(Sample(time.monotonic() - began, self._gateway.memory_mb(), *held))
                await asyncio.sleep(_SAMPLE_SECONDS)

        await asyncio.gather(*(client() for _ in range(_CLIENTS)), faults(), sample())
        return samples

    def _break(self) -> None:
        fault = self._random.choice((*_FAULTS, *_UNREACHED))
        if fault.connecting is not None:
            self._relay.break_connections(fault.connecting)
            return
        self._relay.break_with(
            Breakage(
                fault.answer,
                self._random.choice(list(Stage)),
                lambda method, path: self._random.random() < _BROKEN_SHARE,
                sending=fault.sending,
            )
        )

    # --- what clients do ----------------------------------------------------------------------------------------

    async def _submit(self) -> None:
        model, credential = self._caller()
        await self._create({"model": model, "prompt": f"a cat {self._number}"}, credential)

    async def _upload(self) -> None:
        credential = f"soak{self._random.randrange(_ACCOUNTS)}"
        await self._create({"model": REFERENCE_MODELS["jimeng"], "prompt": "a cat", "image": self._image}, credential)

    async def _create(self, fields: dict[str, Any], credential: str) -> None:
        self._number += 1
        key = {"Idempotency-Key": f"key-{self._number}"}
        answer = await self._ask("POST", "/v1/videos/generations", credential, json=fields, headers=key)
        if answer is not None and "task_id" in answer:
            self._tasks.append((answer["task_id"], credential, answer["provider"]))

    async def _poll(self) -> None:
        id, credential, _ = self._task()
        await self._ask("GET", f"/v1/videos/tasks/{id}", credential)

    async def _statuses_of(self) -> None:
        _, credential, _ = self._task()
        ids = [id for id, owner, _ in self._tasks if owner == credential][:20]
        await self._ask("GET", f"/v1/videos/tasks?ids={','.join(ids)}", credential)

    async def _content(self) -> None:
        id, credential, _ = self._task()
        await self._ask("GET", f"/v1/videos/{id}/content", credential)

    async def _list(self) -> None:
        await self._ask("GET", "/v1/videos", self._caller()[1])

    async def _cancel(self) -> None:
        id, credential, _ = self._task()
        await self._ask("POST", f"/v1/videos/tasks/{id}/cancel", credential)

    async def _check(self) -> None:
        await self._ask("POST", "/token/check", self._caller()[1])

    async def _stranger(self) -> None:
        """Somebody who comes once."""
        self._number += 1
        await self._ask("GET", f"/v1/videos/tasks/{10**18 + self._number}", f"stranger{self._number}")

    def _caller(self) -> tuple[str, str]:
        number = self._random.randrange(_ACCOUNTS)
        if self._random.random() < 0.5:
            return TEXT_MODELS["jimeng"], f"soak{number}"
        return TEXT_MODELS["dashscope"], f"sk-soak{number}"

    def _task(self) -> tuple[str, str, str]:
        return self._random.choice(self._tasks)

    async def _ask(self, method: str, path: str, credential: str, **more: Any) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {credential}"} | more.pop("headers", {})
        try:
            async with self._http.request(method, path, headers=headers, **more) as answer:
                body = await answer.read()
                self._statuses[str(answer.status)] += 1
                return await answer.json() if answer.status == 200 and body.startswith(b"{") else None
        except (aiohttp.ClientError, TimeoutError) as error:
            self._statuses[type(error).__name__] += 1
            return None


def _report(samples: Sequence[Sample], filled: float, statuses: Counter[str], log: Path) -> int:
    for one in samples[:: max(1, len(samples) // _LINES)]:
        print(f"{one.at:6.0f} s  {one.memory:6.1f} MB  {one.descriptors:4.0f} descriptors  {one.tasks:4.0f} tasks")
    print("answers: " + ", ".join(f"{status}: {count}" for status, count in statuses.most_common()))
    lines = log.read_text("utf-8", "replace").splitlines()
    # Without the time, and of requests without what differs.
    errors = Counter(line.split(" ", 1)[1].partition(" method=")[0] for line in lines if " error   " in line)
    print("\n".join(f"{count} × {line}" for line, count in errors.most_common(_LINES)) or "no errors in the log")
    print("\n".join(line for line in lines if " status=500 " in line))
    found = leaks(samples, filled=filled)
    print("\n".join(described(samples)))
    print(f"LEAKS: {', '.join(found)}" if found else "flat")
    return 1 if found or statuses["500"] else 0
