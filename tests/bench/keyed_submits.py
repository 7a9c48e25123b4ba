"""How often a submit is charged whose `Idempotency-Key` reaches several processes at the same moment:
`python -m tests.bench.keyed_submits`.

Gateways in processes of their own, with the same accounts and different rotation states; the embedded upstream, which
counts the charges, is in this one.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path

import httpx

from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.bench.processes import Server

ACCOUNTS, KEYS = 6, 12
GATEWAY_KEY = "gw-bench-keyed-submits"
_CORES = frozenset(os.sched_getaffinity(0))


def environment(upstream: SandboxServer) -> dict[str, str]:
    return {
        **upstream.environment(),
        "GATEWAY_PORT": "0",
        "GATEWAY_KEYS": GATEWAY_KEY,
        "GATEWAY_SECRET": "one secret for all processes",
        "JIMENG_TOKENS": ",".join(f"benchsession{number}" for number in range(ACCOUNTS)),
    }


async def submit_to_all(clients: list[httpx.AsyncClient], number: int) -> list[httpx.Response]:
    """Every key to every process, all at the same moment."""
    sent = [
        client.post(
            "/v1/videos/generations",
            json={"model": "jimeng-video-3.0-fast", "prompt": f"round {number}, video {key}"},
            headers={"Authorization": f"Bearer {GATEWAY_KEY}", "Idempotency-Key": f"{number}-{key}"},
        )
        for key in range(KEYS)
        for client in clients
    ]
    return await asyncio.gather(*sent)


async def measure(urls: list[str], upstream: SandboxServer, rounds: int) -> bool:
    met = True
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=120)) for url in urls]
        for number in range(1, rounds + 1):
            before = upstream.sandbox.submits("jimeng")
            answers = await submit_to_all(clients, number)
            failed = [answer.text for answer in answers if answer.status_code != 200]
            charges = upstream.sandbox.submits("jimeng") - before
            met &= charges == KEYS and not failed
            print(f"round {number}: {charges} charges for {KEYS} keys, {len(failed)} of {len(answers)} failed")
            for text in failed[:1]:
                print(f"  {text}")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.keyed_submits", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    settings = SandboxSettings(task_seconds=1.0, max_running=1000, credits=1_000_000, queries_per_second=0)
    argv = [sys.executable, "-m", "gateway", "serve"]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-keyed-")))
        upstream = stack.enter_context(SandboxServer(settings))
        urls = [
            stack.enter_context(Server(f"gateway-{number}", argv, _CORES, folder, environment(upstream))).said(
                r"listening on (\S+?),"
            )
            for number in range(given.processes)
        ]
        met = asyncio.run(measure(urls, upstream, given.rounds))
    print(f"{KEYS} charges in every round: {'met' if met else 'MISSED'}")
    sys.exit(not met)


if __name__ == "__main__":
    main()
