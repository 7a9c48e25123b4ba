"""What the sandbox tells about itself."""

import httpx

from providers.sandbox.state import Ledger, tag_of
from tests.providers.sandbox.clients import Clock, DashScopeClient, JimengClient

BY_IDS = "/mweb/v1/get_history_by_ids"


async def test_calls_are_counted_by_upstream_path_and_credential(
    jimeng: JimengClient, dashscope: DashScopeClient, http: httpx.AsyncClient, ledger: Ledger
) -> None:
    first, second = await dashscope.submit(), await dashscope.submit()
    for task in (first, second, second):
        await dashscope.task(task)
    await JimengClient(http, "two").records("1", "2")
    await jimeng.records("1")
    await http.get("/v1/models")
    assert ledger.calls("dashscope", "/api/v1/tasks/{id}") == 3
    assert ledger.calls("jimeng", BY_IDS) == 2
    assert ledger.calls("jimeng", credential="two") == 1
    assert ledger.calls("chat") == 1
    assert ledger.calls() == 8
    assert (ledger.polls(second), ledger.polls("1"), ledger.polls(credential="two")) == (2, 2, 2)
    assert ledger.foreign_polls() == 0


async def test_ledger_over_http(
    jimeng: JimengClient, dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock
) -> None:
    task = await jimeng.submit("a cat #fail=2003")
    await dashscope.submit()
    clock.tick(10)
    await JimengClient(http, "two").records(task)
    shown = (await http.get("/_sandbox/books")).json()
    assert {key: shown[key] for key in ("calls", "submits", "charged", "refunded", "polls", "foreign_polls")} == {
        "calls": 3, "submits": 2, "charged": 10, "refunded": 10, "polls": 1, "foreign_polls": 1,
    }  # fmt: skip
    assert shown["accounts"]["jimeng"][tag_of("one")] == {
        "calls": {"/mweb/v1/aigc_draft/generate": 1}, "submits": 1, "charged": 10, "refunded": 10,
    }  # fmt: skip
    assert shown["tasks"] == {task: {"polls": 1, "foreign_polls": 1}}
    assert (await http.delete("/_sandbox/books")).json()["calls"] == 0
    assert (await http.get("/_sandbox/log")).json() == []
    assert await jimeng.credits() == 66


async def test_log_masks_credentials(jimeng: JimengClient, dashscope: DashScopeClient, http: httpx.AsyncClient) -> None:
    await http.get("/_sandbox/books")
    await JimengClient(http, "secret-session").records("1")
    await DashScopeClient(http, "sk-secret").post("wan2.6-t2v", {"prompt": "x"})
    await dashscope.get("/tasks/?page_no=1")
    log = await http.get("/_sandbox/log")
    assert "secret" not in log.text
    session, key, listed = log.json()
    assert session | {"upstream": "jimeng", "method": "POST", "path": BY_IDS, "status": 200} == session
    assert session["headers"]["cookie"] == f"masked:{tag_of('secret-session')}"
    assert session["body_bytes"] == len('{"history_ids": ["1"]}')
    assert key["headers"]["authorization"] == f"masked:{tag_of('sk-secret')}"
    assert (listed["path"], listed["query"]) == ("/api/v1/tasks", "page_no=1")
    assert [entry["path"] for entry in (await http.get("/_sandbox/log?last=1")).json()] == ["/api/v1/tasks"]
