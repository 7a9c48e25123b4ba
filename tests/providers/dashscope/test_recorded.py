"""Answers of the real service, as its pages, its clients and captures show them, through every parser.

Each file of `recorded` has the answer with its HTTP status, its source and date, and what it means (`reading`). Nothing
in them tells an account apart.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.tasks import Phase, TaskState
from providers.dashscope.errors import code_and_message, error_from
from providers.dashscope.provider import DashScope
from providers.dashscope.tasks import parse, parse_page, parse_row
from providers.dashscope.uploads import parse_policy
from tests.providers.dashscope.wire import BASE, ID, REQUEST_ID, SUBMIT, submitted

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))
UNREACHABLE = error_from(400, "InvalidURL.Timeout", "").message


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    chosen = [path for path in RECORDED if load(path)["kind"] in kinds]
    return pytest.mark.parametrize("record", [load(path) for path in chosen], ids=[path.stem for path in chosen])


def check_error(error: ProviderError | None, expected: dict[str, Any]) -> None:
    assert error is not None
    said = (error.kind.value, error.code, error.detail)
    assert said == (expected["kind"], expected["code"], expected["detail"])
    if expected.get("unreachable"):
        assert error.message == UNREACHABLE


def unix(value: str | float | None) -> float | None:
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recording_has_a_source_and_is_small(path: Path) -> None:
    record = load(path)
    assert set(record) == {"source", "date", "kind", "status", "answer", "reading"}
    assert record["source"]
    assert re.fullmatch(r"20\d\d(-\d\d(-\d\d)?)?", record["date"])
    assert path.stat().st_size < 3000
    assert not re.search(r"sk-\w{8}|LTAI\w+|Signature=[^Y]", path.read_text())


def test_every_kind_of_answer_is_recorded() -> None:
    records = [load(path) for path in RECORDED]
    assert {record["kind"] for record in records} == {"submit", "task", "list", "cancel", "policy", "error"}
    states = {record["answer"]["output"]["task_status"] for record in records if record["kind"] == "task"}
    assert states >= {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN", "SUSPENDED"}


PARSERS: tuple[Callable[[Any], object], ...] = (
    lambda answer: parse(ID, answer),
    parse_page,
    parse_row,
    parse_policy,
    code_and_message,
    lambda answer: error_from(400, *code_and_message(answer)),
)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_no_response_breaks_a_parser(path: Path) -> None:
    answer = load(path)["answer"]
    parts = [answer, *answer.values(), *(answer["data"] if isinstance(answer.get("data"), list) else ())]
    for parser in PARSERS:
        for part in parts:
            parser(part)


@of_kind("task")
def test_tasks(record: dict[str, Any]) -> None:
    reading, state = record["reading"], parse(ID, record["answer"])
    if "phase" not in reading:
        assert isinstance(state, ProviderError)
        check_error(state, reading["error"])
        return
    assert isinstance(state, TaskState)
    assert state.phase is Phase(reading["phase"])
    times = {name: unix(reading.get(name)) for name in ("created_at", "started_at", "ended_at")}
    assert {name: getattr(state, name) for name in times} == pytest.approx(times)
    if "error" in reading:
        check_error(state.error, reading["error"])
    else:
        assert state.error is None
    if state.phase is Phase.COMPLETED:
        result = state.result
        assert result is not None
        assert (result.url, result.duration) == (reading["url"], reading["seconds"])
        assert (result.width, result.height) == (reading["width"], reading["height"])
        if "expires_at" in reading:
            assert result.expires_at == reading["expires_at"]


@of_kind("list")
def test_lists(record: dict[str, Any]) -> None:
    page, reading = parse_page(record["answer"]), record["reading"]
    assert page.pages == reading["pages"]
    assert [state.id for state in page.states] == reading["ids"]
    assert page.ids == set(reading["ids"])
    assert page.newest_first
    for state, row in zip(page.states, reading["rows"], strict=True):
        known = (state.phase.value, state.model, state.created_at, state.ended_at)
        assert known == (row["phase"], row["model"], row["created_at"], row["ended_at"])


@of_kind("policy")
def test_policies(record: dict[str, Any]) -> None:
    policy, reading = parse_policy(record["answer"]), record["reading"]
    assert policy is not None
    assert (policy.host, policy.folder, policy.max_bytes) == (reading["host"], reading["folder"], reading["max_bytes"])
    assert (policy.acl, policy.forbid_overwrite) == ("private", "true")


@of_kind("submit")
async def test_submits(provider: DashScope, router: respx.MockRouter, account: Account, record: dict[str, Any]) -> None:
    # The pages show only the beginning of a request id.
    assert record["answer"]["request_id"].startswith(("7438d53d-6eb8-4596-8835-", "4909100c-7b5a-9f92-bfe5-"))
    answer = {**record["answer"], "request_id": REQUEST_ID}
    router.post(SUBMIT).mock(httpx.Response(record["status"], json=answer))
    if "id" in record["reading"]:
        assert await submitted(provider, account) == record["reading"]["id"]
        return
    with pytest.raises(ProviderError) as caught:
        await submitted(provider, account)
    check_error(caught.value, record["reading"]["error"])


@of_kind("cancel")
async def test_cancels(provider: DashScope, router: respx.MockRouter, account: Account, record: dict[str, Any]) -> None:
    router.post(f"{BASE}/tasks/{ID}/cancel").mock(httpx.Response(record["status"], json=record["answer"]))
    if "error" not in record["reading"]:
        await provider.cancel(ID, account)
        return
    with pytest.raises(ProviderError) as caught:
        await provider.cancel(ID, account)
    check_error(caught.value, record["reading"]["error"])


@of_kind("error")
async def test_errors_of_a_query(
    provider: DashScope, router: respx.MockRouter, account: Account, record: dict[str, Any]
) -> None:
    router.get(f"{BASE}/tasks/{ID}").mock(httpx.Response(record["status"], json=record["answer"]))
    with pytest.raises(ProviderError) as caught:
        await provider.query([ID], account)
    check_error(caught.value, record["reading"]["error"])
