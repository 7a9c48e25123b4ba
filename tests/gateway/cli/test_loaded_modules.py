"""Which modules a process has loaded when it answers: what few requests need is imported by the first of them, so that
the start stays fast and an idle process small."""

import json
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.cli.server.background import BackgroundServer
from tests.process import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

PROGRAM = """
import gc, json, sys
from gateway.cli import main
try:
    main(sys.argv[1:])
finally:
    print("at the end:", json.dumps({"modules": sorted(sys.modules), "collects": gc.isenabled(),
        "frozen": gc.get_freeze_count()}))
"""
COMMAND = (sys.executable, "-c", PROGRAM)

ON_DEMAND = {
    "calls through proxies, files and links": {"aiohttp", "aiohttp_socks", "python_socks", "attr"},
    "streamed responses and files": {"httpx", "httpcore"},
    "the command line of httpx, and terminals": {"rich", "pygments", "markdown_it"},
    "pictures": {"PIL", "imagesize"},
    "the archive": {"obstore"},
    "WebSockets": {"websockets", "wsproto"},
    "traces": {"opentelemetry"},
    "the documentation": {
        "gateway.api.openapi.document",
        "gateway.api.openapi.page",
        "gateway.api.schemas.responses",
        "gateway.api.schemas.language",
    },
    "the embedded upstream": {"providers.sandbox.server"},
    "tests and tools": {"_pytest", "hypothesis", "jinja2", "yaml", "requests", "moto", "unittest"},
}
"""By who needs them: none is loaded after the start and a poll."""

OF_THE_SERVER = {"gateway.app", "gateway.core.settings", "gateway.api", "gateway.cli.server", "providers", "starlette"}


async def running_task(request: Request) -> JSONResponse:
    output = {"task_id": request.path_params["id"], "task_status": "RUNNING"}
    return JSONResponse({"request_id": "1", "output": output})


def of(modules: set[str], names: set[str]) -> set[str]:
    """Those of the names that are loaded, themselves or a part of them."""
    return {name for name in names if any(module == name or module.startswith(f"{name}.") for module in modules)}


def test_start_and_a_poll_load_nothing_that_few_requests_need(tmp_path: Path) -> None:
    upstream = Starlette(routes=[Route("/api/v1/tasks/{id}", running_task)])
    serve = ("serve", "--port", "0")
    with (
        BackgroundServer(upstream) as server,
        running(tmp_path, *serve, program=COMMAND, DASHSCOPE_BASE_URL=f"{server.url}/api/v1") as process,
    ):
        url = process.find(r"listening on (http://127\.0\.0\.1:\d+)")
        poll = httpx.get(
            f"{url}/v1/videos/tasks/0385dc79-5ff8-4d82-bcb6-0123456789ab",
            headers={"authorization": "Bearer sk-one"},
            timeout=20,
            trust_env=False,
        )
        assert poll.json()["status"] == "processing"
        status = Path(f"/proc/{process.process.pid}/status")
        huge_pages = re.search(r"THP_enabled:\s+(\d)", status.read_text("ascii")) if status.exists() else None
        process.end(signal.SIGTERM)
        end = json.loads(process.find("at the end: (.*)"))
    loaded = set(end["modules"])
    assert {"gateway.app", "uvicorn.server"} <= loaded
    assert {who: found for who, names in ON_DEMAND.items() if (found := of(loaded, names))} == {}
    assert huge_pages is None or huge_pages[1] == "0"
    # The collector, paused while the modules are loaded, excludes them and runs again.
    assert end["collects"] and end["frozen"] > 10_000


@pytest.mark.parametrize("argv", [["--help"], ["submit", "a cat", "--url", "http://127.0.0.1:9", "--key", "gw-1"]])
def test_commands_of_a_client_load_no_server(tmp_path: Path, argv: list[str]) -> None:
    with running(tmp_path, *argv, program=COMMAND) as process:
        end = json.loads(process.find("at the end: (.*)"))
    assert "gateway.cli.client_commands" in end["modules"]
    assert of(set(end["modules"]), OF_THE_SERVER) == set()
