"""Local files of Alibaba's SDK through the gateway: the client uploads them itself, for the account that makes the
video."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.contract.accounts import Account, public_tag
from providers.sandbox.server import SandboxServer
from tests import pictures
from tests.e2e.conftest import FastClock, bearer, settings_for

ACCOUNTS = tuple(f"sk-uploads{number}" for number in range(1, 5))
TAGS = {public_tag(Account("dashscope", credential)): credential for credential in ACCOUNTS}
SUBMIT = "/api/v1/services/aigc/video-generation/video-synthesis"
HEADERS = {"X-DashScope-Async": "enable", "X-DashScope-OssResourceResolve": "enable"}
MODEL = "wan2.6-i2v"


@pytest.fixture(scope="module")
def team(upstream: SandboxServer) -> Iterator[httpx.Client]:
    """A client with the key of a gateway that has several accounts."""
    settings = settings_for(
        upstream,
        keys=(SecretStr("team:gw-team"),),
        secret=(SecretStr("a secret for tests"),),
        dashscope={"credentials": ACCOUNTS},
    )
    with (
        BackgroundServer(create_app(settings, clock=FastClock())) as running,
        httpx.Client(base_url=running.url, headers=bearer("gw-team"), timeout=10) as client,
    ):
        yield client


def policy(client: httpx.Client, session: str = "s", model: str = MODEL, **headers: str) -> dict[str, Any]:
    query = {"action": "getPolicy", "model": model}
    answer = client.get("/api/v1/uploads", params=query, headers={"x-dashscope-sdk-session-id": session, **headers})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"data", "request_id"}
    data: dict[str, Any] = answer.json()["data"]
    return data


def uploaded(data: dict[str, Any], name: str = "a picture.png") -> str:
    """The address of a file that is uploaded as the SDK does it."""
    key = f"{data['upload_dir']}/{name}"
    fields = {
        "OSSAccessKeyId": data["oss_access_key_id"],
        "Signature": data["signature"],
        "policy": data["policy"],
        "key": key,
        "x-oss-object-acl": data["x_oss_object_acl"],
        "x-oss-forbid-overwrite": data["x_oss_forbid_overwrite"],
        "success_action_status": "200",
    }
    answer = httpx.post(data["upload_host"], data=fields, files={"file": (name, pictures.picture())})
    assert answer.status_code == 200, answer.text
    return f"oss://{key}"


def submit(client: httpx.Client, *links: str, **headers: str) -> httpx.Response:
    names = ("img_url", "audio_url")
    body = {"model": MODEL, "input": {"prompt": "a cat", **dict(zip(names, links, strict=False))}}
    return client.post(SUBMIT, json=body, headers=HEADERS | headers)


def tag_of(data: dict[str, Any]) -> str:
    return str(data["upload_dir"]).rpartition("/gateway-")[2]


def test_video_is_made_by_the_account_of_its_files(team: httpx.Client, upstream: SandboxServer) -> None:
    used = set()
    for session in map(str, range(8)):
        data = policy(team, session)
        account = TAGS[tag_of(data)]
        before = upstream.sandbox.submits("dashscope", account)
        assert submit(team, uploaded(data)).status_code == 200
        assert upstream.sandbox.submits("dashscope", account) == before + 1
        used.add(account)
    assert len(used) > 1


def test_all_files_of_one_client_are_for_one_account(team: httpx.Client) -> None:
    assert len({tag_of(policy(team, "one")) for _ in range(6)}) == 1


def test_files_of_two_accounts_are_refused_before_anything_is_charged(
    team: httpx.Client, upstream: SandboxServer
) -> None:
    first = policy(team, "0")
    other = next(data for number in range(1, 40) if tag_of(data := policy(team, str(number))) != tag_of(first))
    before = upstream.sandbox.submits("dashscope")
    answer = submit(team, uploaded(first), uploaded(other, "b.png"), **{"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
    assert "different accounts" in answer.json()["message"]
    assert upstream.sandbox.submits("dashscope") == before


def test_file_of_an_account_that_is_gone_is_to_be_uploaded_again(team: httpx.Client) -> None:
    answer = submit(team, "oss://dashscope-instant/x/gateway-0123456789ab/a.png", **{"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
    assert "upload them again" in answer.json()["message"]


def test_policy_of_a_single_key_is_that_of_the_service(client: httpx.Client, key: str) -> None:
    data = policy(client, **bearer(key))
    assert "gateway-" not in data["upload_dir"]
    assert submit(client, uploaded(data), **bearer(key)).status_code == 200


def test_address_without_the_resolve_header_is_refused_by_the_service(client: httpx.Client, key: str) -> None:
    data = policy(client, **bearer(key))
    answer = submit(client, uploaded(data), **bearer(key), **{"X-DashScope-OssResourceResolve": ""})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter.DataInspection")


def test_refusal_of_a_policy_is_that_of_the_service(client: httpx.Client) -> None:
    query = {"action": "getPolicy", "model": MODEL}
    answer = client.get("/api/v1/uploads", params=query, headers=bearer("sk-expired-1"))
    assert (answer.status_code, answer.json()["code"]) == (401, "InvalidApiKey")
    assert answer.json()["message"] == "Invalid API-key provided."
