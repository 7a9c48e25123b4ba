"""Modules that are imported by the first request that needs them."""

import asyncio
import sys
from pathlib import Path

import pytest

from providers.on_demand import load

MODULE = """
import threading
from pathlib import Path
if Path(__file__).with_suffix(".broken").exists():
    raise OSError("Too many open files")
with Path(__file__).with_suffix(".imports").open("a") as record:
    record.write(threading.current_thread().name + "\\n")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A module that records the threads that run it."""
    file = tmp_path / f"on_demand_{abs(hash(request.node.name))}.py"
    file.write_text(MODULE.replace("Path(__file__)", f"Path({str(file)!r})"), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return file


def imports(module: Path) -> list[str]:
    return module.with_suffix(".imports").read_text("utf-8").splitlines()


async def test_module_is_imported_once_and_in_a_thread(module: Path) -> None:
    await asyncio.gather(load(module.stem), load(module.stem))
    await load(module.stem)
    assert module.stem in sys.modules
    [thread] = imports(module)
    assert thread.startswith("offload")


async def test_failed_import_is_tried_again(module: Path) -> None:
    broken = module.with_suffix(".broken")
    broken.touch()
    with pytest.raises(OSError, match="Too many open files"):
        await load(module.stem)
    broken.unlink()
    await load(module.stem)
    assert len(imports(module)) == 1
