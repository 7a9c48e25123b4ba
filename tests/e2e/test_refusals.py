"""What an upstream refuses, or lets fail, reaches the client as what it is."""

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer, follow
from tests.e2e.generations import SUBMIT, WAN, error_of, submit

DOWNLOAD = "上游无法下载素材，请确认链接可公开访问后重试"
WRAPPED = "InternalError.Algo"


@pytest.mark.parametrize(
    ("word", "code", "sentence"),
    [
        (f"{WRAPPED}.InvalidParameter", "invalid_value", DOWNLOAD),
        (f"{WRAPPED}.DataInspectionFailed", "content_policy_violation", "内容违规"),
        ("InvalidFile.DownloadFailed", "invalid_value", DOWNLOAD),
    ],
)
def test_refusal_with_the_code_of_an_internal_error_is_not_unconfirmed(
    client: httpx.Client, upstream: SandboxServer, key: str, word: str, code: str, sentence: str
) -> None:
    answer = client.post(SUBMIT, json={"model": WAN, "prompt": f"x #refuse={word}"}, headers=bearer(key))
    error = error_of(answer, 400, code)
    assert error["message"].startswith(sentence)
    assert error["upstream_code"] == word
    assert answer.headers["x-should-retry"] == "false"
    assert upstream.sandbox.calls("dashscope", credential=key) == 1


@pytest.mark.parametrize(
    ("word", "code", "sentence"),
    [
        (f"{WRAPPED}.InvalidParameter", "invalid_value", DOWNLOAD),
        (f"{WRAPPED}.DataInspectionFailed", "content_policy_violation", "内容违规"),
    ],
)
def test_failed_task_says_the_same(client: httpx.Client, key: str, word: str, code: str, sentence: str) -> None:
    accepted = submit(client, {"model": WAN, "prompt": f"x #fail={word}"}, key)
    task = follow(client, accepted["task_id"], key)[-1]
    assert task["error"].startswith(sentence)
    assert task["error_code"] == word
    video = client.get(f"/v1/videos/{accepted['task_id']}", headers=bearer(key)).json()
    assert (video["error"]["code"], video["error"]["upstream_code"]) == (code, word)
