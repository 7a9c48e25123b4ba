"""Atomic writes, and cleanup after killed processes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.archive.atomic_files import FOLDER, write


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_file_is_written_atomically(tmp_path: Path) -> None:
    visible: list[bool] = []

    async def watched() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000
        visible.append((tmp_path / "a/b.mp4").exists())
        yield b"y"

    await write(tmp_path, "a/b.mp4", watched())
    assert visible == [False]
    assert (tmp_path / "a/b.mp4").read_bytes() == b"x" * 3_000_000 + b"y"
    assert list((tmp_path / FOLDER).iterdir()) == []


async def test_files_of_dead_processes_are_removed_and_open_ones_kept(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        await go_on.wait()
        yield b"y"

    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1-dead#123").write_bytes(b"half of it")
    writing = asyncio.create_task(write(tmp_path, "slow", slow()))
    while not [left for left in (tmp_path / FOLDER).iterdir() if left.stat().st_size > 1000]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await write(tmp_path, "quick", pieces(b"z"))
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    go_on.set()
    await writing
    assert (tmp_path / "slow").stat().st_size == 2_000_001
    assert list((tmp_path / FOLDER).iterdir()) == []


async def test_files_of_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "mine.txt").write_bytes(b"x")
    await write(tmp_path, "a", pieces(b"x"))
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["mine.txt"]


async def test_removed_folder_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, attempts = Path.replace, [0]

    def tidied(self: Path, target: Path) -> Path:
        attempts[0] += 1
        if attempts[0] == 1:
            target.parent.rmdir()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", tidied)
    await write(tmp_path, "a/b", pieces(b"x"))
    assert (tmp_path / "a/b").read_bytes() == b"x"


async def test_concurrent_writes_all_succeed(tmp_path: Path) -> None:
    await asyncio.gather(*(write(tmp_path, f"a/{number % 5}", pieces(b"x" * 1000)) for number in range(40)))
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == list("01234")
    assert list((tmp_path / FOLDER).iterdir()) == []
