"""How much memory pictures and videos take on their way: `python -m tests.bench.media_memory`.

A gateway in a process of its own, the embedded upstream in this one. Printed is how far the gateway's resident memory
rises above what it was when idle: while clips go up to both upstreams, while a large video comes out of the archive,
and while several come out at once. Linux only: it reads /proc.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import httpx

from gateway.archive.records import Record, write_record
from providers.contract.accounts import Account
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.bench.stream_memory import resident_mb
from tests.pictures import CLIP, picture

TARGET_MB = 40
KEY, SESSION = "sk-bench-media", "benchmediasession"
ARCHIVED = "0385dc79-5ff8-4d82-bcb6-000000000001"
_MB = 1024 * 1024


def padded_clip(folder: Path, megabytes: int) -> Path:
    """A real MP4 with zeros behind it, which players pass over."""
    path = folder / f"clip-{megabytes}.mp4"
    with path.open("wb") as file:
        file.write(CLIP.read_bytes())
        file.truncate(megabytes * _MB)
    return path


def fill_archive(folder: Path, megabytes: int) -> None:
    """An archive with one large video of KEY's."""
    home = folder / "dashscope" / "2026" / "01" / "01"
    home.mkdir(parents=True)
    video = padded_clip(folder, megabytes).rename(home / f"{ARCHIVED}.mp4")
    digest = hashlib.sha256()
    with video.open("rb") as file:
        while piece := file.read(_MB):
            digest.update(piece)
    record = Record(
        version=1,
        provider="dashscope",
        id=ARCHIVED,
        account=Account("dashscope", KEY).principals,
        bytes=video.stat().st_size,
        media_type="video/mp4",
        sha256=digest.hexdigest(),
        archived_at=1.0,
    )
    (home / f"{ARCHIVED}.json").write_bytes(write_record(record))
    index = folder / "index" / "dashscope"
    index.mkdir(parents=True)
    (index / ARCHIVED).write_text(f"dashscope/2026/01/01/{ARCHIVED}.json")


def start(upstream: SandboxServer, archive: Path) -> tuple[subprocess.Popen[str], str]:
    """The gateway that is measured, and its address."""
    environment = os.environ | {
        "JIMENG_BASE_URL": upstream.jimeng_url,
        "JIMENG_IMAGEX_URL": upstream.imagex_url,
        "JIMENG_VOD_URL": upstream.vod_url,
        "DASHSCOPE_BASE_URL": upstream.dashscope_url,
        "ARCHIVE_URL": archive.as_uri(),
        "GATEWAY_PORT": "0",
    }
    gateway = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert gateway.stderr is not None
    for line in gateway.stderr:
        if found := re.search(r"listening on (\S+?),", line):
            return gateway, found[1]
    raise SystemExit("the gateway did not start")


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def submit(url: str, credential: str, fields: dict[str, str], files: dict[str, Path]) -> None:
    opened: dict[str, IO[bytes]] = {name: path.open("rb") for name, path in files.items()}
    try:
        answer = httpx.post(
            f"{url}/v1/videos/generations",
            headers={"Authorization": f"Bearer {credential}"},
            data=fields,
            files=opened,
            timeout=300,
        )
    finally:
        for file in opened.values():
            file.close()
    assert answer.status_code == 200, answer.text


def read_and_drop(url: str) -> int:
    received = 0
    with httpx.stream(
        "GET", f"{url}/v1/videos/{ARCHIVED}/content", headers={"Authorization": f"Bearer {KEY}"}, timeout=300
    ) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            received += len(piece)
    return received


def cases(url: str, folder: Path, upload_mb: int, clients: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is measured, by name."""
    half, whole, still = (
        padded_clip(folder, upload_mb // 2),
        padded_clip(folder, upload_mb),
        folder / "still.png",
    )
    still.write_bytes(picture().ljust(19 * _MB))
    references = {"prompt": "p", "functionMode": "omni_reference"}
    wan = {"model": "wan2.7-r2v"} | references
    seedance = {"model": "jimeng-video-seedance-2.0"} | references
    yield (
        f"two clips of {upload_mb // 2} MB in one form, to DashScope",
        lambda: submit(url, KEY, wan, {"video_file_1": half, "video_file_2": half}),
    )
    yield f"a clip of {upload_mb} MB to Jimeng", lambda: submit(url, SESSION, seedance, {"video_file_1": whole})
    yield "a picture of 19 MB to DashScope", lambda: submit(url, KEY, {"model": "wan2.6-i2v"}, {"image": still})
    yield "a large video out of the archive", lambda: read_and_drop(url)

    def at_once() -> None:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(read_and_drop, [url] * clients))

    yield f"the same for {clients} clients at once", at_once


def measure(upload_mb: int, content_mb: int, clients: int) -> float:
    """The largest growth of them all, in MB."""
    worst = 0.0
    with (
        tempfile.TemporaryDirectory(prefix="bench-media-") as name,
        SandboxServer(SandboxSettings(task_seconds=1.0, max_running=100, credits=10_000)) as upstream,
    ):
        folder = Path(name)
        archive = folder / "archive"
        archive.mkdir()
        fill_archive(archive, content_mb)
        gateway, url = start(upstream, archive)
        try:
            httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {KEY},{SESSION}"}).raise_for_status()
            idle = resident_mb(gateway.pid)
            print(f"idle: {idle:.1f} MB")
            for what, run in cases(url, folder, upload_mb, clients):
                forget_peak(gateway.pid)
                started = time.perf_counter()
                run()
                seconds = time.perf_counter() - started
                growth = resident_mb(gateway.pid, "VmHWM") - idle
                worst = max(worst, growth)
                after = resident_mb(gateway.pid) - idle
                print(f"{what}: {growth:+.1f} MB at its peak, {after:+.1f} MB afterwards, {seconds:.1f} s")
        finally:
            gateway.terminate()
            gateway.wait(30)
    print(f"largest growth {worst:.1f} MB, target at most {TARGET_MB} MB: {'met' if worst <= TARGET_MB else 'MISSED'}")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.media_memory", description=__doc__)
    parser.add_argument("--upload", type=int, default=200, help="MB that go up")
    parser.add_argument("--content", type=int, default=2048, help="MB of the video in the archive")
    parser.add_argument("--clients", type=int, default=3, help="how many read it at the same time in the last case")
    given = parser.parse_args()
    sys.exit(measure(given.upload, given.content, given.clients) > TARGET_MB)


if __name__ == "__main__":
    main()
