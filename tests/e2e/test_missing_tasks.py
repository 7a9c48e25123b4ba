"""A task that the upstream no longer finds."""

import time

import httpx
import pytest

from tests.e2e.conftest import bearer
from tests.e2e.generations import JIMENG, SUBMIT, WAN

MODELS = pytest.mark.parametrize("model", [JIMENG, WAN])


@MODELS
def test_task_that_vanishes_keeps_its_last_state_on_every_surface(
    client: httpx.Client, session: str, key: str, model: str
) -> None:
    headers = bearer(session if model == JIMENG else key)
    created = client.post("/v1/videos", json={"model": model, "prompt": "x #vanish #seconds=1.6"}, headers=headers)
    id = created.json()["id"]
    time.sleep(0.08)
    assert client.get(f"/v1/videos/{id}", headers=headers).json()["status"] == "queued"
    give_up = time.monotonic() + 10
    while "stale" not in client.get(f"/v1/videos/{id}", headers=headers).json() and time.monotonic() < give_up:
        time.sleep(0.02)
    for _ in range(10):
        task = client.get(f"/v1/videos/tasks/{id}", headers=headers).json()
        listed = client.get(f"/v1/videos/tasks?ids={id}", headers=headers).json()["data"][0]
        video = client.get(f"/v1/videos/{id}", headers=headers).json()
        assert (task["status"], listed["status"], video["status"]) == ("pending", "pending", "queued")
        assert task["stale"] is listed["stale"] is video["stale"] is True
        assert task["error"] == "查询失败: 任务不存在或已过期"
    content = client.get(f"/v1/videos/{id}/content", headers=headers)
    assert (content.status_code, content.json()["error"]["code"]) == (400, "not_ready")


@MODELS
def test_held_answer_waits_for_a_task_that_is_found_again(
    client: httpx.Client, session: str, key: str, model: str
) -> None:
    body = {"model": model, "prompt": "x #lapse #seconds=0.8", "wait_completion": True}
    answer = client.post(SUBMIT, json=body, headers=bearer(session if model == JIMENG else key))
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
