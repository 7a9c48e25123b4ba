"""A language model rewrites the prompt of a video, on every surface, in the user's language, with the pictures."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from pydantic import SecretStr

from gateway.api.schemas.responses import VideoObject
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.key_limit_settings import KeyLimits, KeyLimitSettings
from gateway.core.settings import AccountSettings
from providers.sandbox.language.compatible import CompatibleMode
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.e2e.enhanced import (
    ENDING,
    JIMENG,
    SUBMIT,
    WAN,
    WAN_IMAGE,
    asked,
    made_with,
    new_token,
    prompt_of,
    reason_of,
    submit,
)
from tests.pictures import picture

SHOT = {"camera_movement": "push_forward", "lighting": "soft", "motion_prompt": "slowly"}
PNG = picture()


def test_video_is_made_with_the_rewritten_prompt(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    answer = submit(client, key, **SHOT)
    assert answer["revised_prompt"].startswith("a cat, push forward, soft, slowly. ")
    assert answer["revised_prompt"].endswith(ENDING)
    assert "warnings" not in answer
    assert made_with(upstream, key) == answer["revised_prompt"]
    status = client.get(f"/v1/videos/tasks/{answer['task_id']}", headers=bearer(key)).json()
    assert "revised_prompt" not in status


def test_prompt_stays_in_its_language(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    answer = submit(client, key, "一只猫", **SHOT)
    assert answer["revised_prompt"].startswith("一只猫，镜头向前推进，柔和光线，slowly。画面细节丰富")
    assert made_with(upstream, key) == answer["revised_prompt"]
    (body,) = upstream.sandbox.bodies("chat", key)
    assert body["messages"][0]["content"].startswith("你为视频生成模型撰写提示词")


@pytest.mark.parametrize("path", [SUBMIT, "/v1/videos", "/videos", "/v1/video/generations"])
@pytest.mark.parametrize("form", [False, True])
def test_every_surface_and_format_takes_the_switch(
    client: httpx.Client, upstream: SandboxServer, key: str, path: str, form: bool
) -> None:
    body: dict[str, Any] = {"model": WAN, "prompt": "a cat"}
    if form:
        parts = {name: (None, value) for name, value in {**body, "enhance_prompt": "true"}.items()}
        answer = client.post(path, files=parts, headers=bearer(key))
    else:
        answer = client.post(path, json={**body, "enhancePrompt": True}, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    assert answer.json()["revised_prompt"].endswith(ENDING)
    assert made_with(upstream, key) == answer.json()["revised_prompt"]
    if path.endswith("/videos"):
        VideoObject.model_validate(answer.json())
        assert answer.json()["prompt"] == "a cat"


@pytest.mark.parametrize("value", [False, None, "false", ""])
def test_prompt_is_not_rewritten_unasked(client: httpx.Client, upstream: SandboxServer, key: str, value: Any) -> None:
    answer = submit(client, key, enhance_prompt=value)
    assert made_with(upstream, key) == "a cat"
    assert "revised_prompt" not in answer
    assert asked(upstream, key) == 0


def test_held_answer_has_the_prompt_beside_the_link(client: httpx.Client, key: str) -> None:
    body = {"model": WAN, "prompt": "a cat", "enhance_prompt": True, "wait_completion": True}
    answer = client.post(SUBMIT, json=body, headers=bearer(key)).json()
    assert answer["status"] == "completed"
    assert answer["data"] == [{"url": answer["result"]["url"], "revised_prompt": answer["revised_prompt"]}]


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_openai_library_asks_for_it_with_an_extra_field(url: str, upstream: SandboxServer, key: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        extra = {"enhance_prompt": True}
        video = client.videos.create(model=WAN, prompt="a cat", extra_body=extra)
    assert video.model_extra is not None
    assert video.model_extra["revised_prompt"] == made_with(upstream, key)


@pytest.mark.parametrize("operation", ["remix", "edits", "extensions"])
def test_prompt_for_an_earlier_video_is_rewritten(
    client: httpx.Client, upstream: SandboxServer, key: str, operation: str
) -> None:
    made = client.post("/v1/videos", json={"model": WAN, "prompt": "a dog"}, headers=bearer(key)).json()
    while client.get(f"/v1/videos/{made['id']}", headers=bearer(key)).json()["status"] != "completed":
        pass
    body: dict[str, Any] = {"prompt": "make it snow", "enhance_prompt": True}
    path = f"/v1/videos/{made['id']}/remix" if operation == "remix" else f"/v1/videos/{operation}"
    body |= {} if operation == "remix" else {"video": {"id": made["id"]}}
    answer = client.post(path, json=body, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    revised = answer.json()["revised_prompt"]
    assert revised.startswith("make it snow. ")
    assert upstream.sandbox.bodies("dashscope", key)[-1]["input"]["prompt"] == revised
    (asking,) = upstream.sandbox.bodies("chat", key)
    word = {"remix": "new version", "edits": "instruction to change", "extensions": "continues an existing"}[operation]
    assert word in asking["messages"][0]["content"]


def test_jimeng_video_has_a_prompt_of_another_providers_model(
    client: httpx.Client, upstream: SandboxServer, session: str
) -> None:
    token = new_token()
    answer = submit(client, f"{session},{token}", model=JIMENG)
    assert answer["revised_prompt"].endswith(ENDING)
    assert answer["revised_prompt"] in str(upstream.sandbox.bodies("jimeng", session))
    assert asked(upstream, token) == 1


def test_next_provider_writes_where_the_first_cannot(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    token = new_token("poor")
    assert submit(client, f"{key},{token}")["revised_prompt"].endswith(ENDING)
    assert (asked(upstream, token), asked(upstream, key)) == (1, 1)


@pytest.mark.parametrize("provider", ["dashscope", "other"])
def test_model_that_sees_pictures_gets_them(
    client: httpx.Client, upstream: SandboxServer, key: str, provider: str
) -> None:
    token = key if provider == "dashscope" else new_token()
    files = {"image": ("cat.png", PNG, "image/png")}
    fields = {"model": WAN_IMAGE, "prompt": "a cat", "enhance_prompt": "true"}
    credential = key if token == key else f"{key},{token}"
    answer = client.post(SUBMIT, data=fields, files=files, headers=bearer(credential))
    assert answer.status_code == 200, answer.text
    assert "as in the picture" in answer.json()["revised_prompt"]
    (body,) = upstream.sandbox.bodies("chat", token)
    shown, said = body["messages"][1]["content"]
    # The sandbox keeps the beginning of a long text.
    assert shown["image_url"]["url"][:60] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"[:60]
    assert said["text"] == "Description: a cat"


def test_address_of_a_picture_is_passed_on(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    address = "https://host.example/a.png"
    answer = submit(client, key, "", model=WAN_IMAGE, image_url=address)
    assert answer["revised_prompt"].startswith("主体的外观和场景与图片一致")
    (body,) = upstream.sandbox.bodies("chat", key)
    assert body["messages"][1]["content"][0]["image_url"] == {"url": address}


@pytest.fixture
def blind(upstream: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A gateway in front of an upstream without a model that sees pictures."""
    monkeypatch.delitem(CompatibleMode.chat_models, "qwen-vl-plus")
    with (
        BackgroundServer(create_app(settings_for(upstream), clock=FastClock())) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield client


def test_without_a_model_that_sees_pictures_only_the_words_are_sent(
    blind: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    answer = submit(blind, key, model=WAN_IMAGE, image_url="https://host.example/a.png")
    assert answer["revised_prompt"].startswith("a cat. Rich")
    (body,) = upstream.sandbox.bodies("chat", key)
    assert body["messages"][1]["content"] == "Description: a cat"
    assert reason_of(submit(blind, key, "", model=WAN_IMAGE, image_url="https://host.example/b.png")) == "missing"


def managed_client(upstream: SandboxServer, *credentials: str, **settings: Any) -> BackgroundServer:
    accounts = tuple(
        AccountSettings(name=f"a{number}", credential=SecretStr(one)) for number, one in enumerate(credentials)
    )
    secrets: dict[str, Any] = {"keys": (SecretStr("alice:gw-alice"),), "secret": (SecretStr("a long secret"),)}
    given = settings_for(upstream, accounts=accounts, **secrets, **settings)
    return BackgroundServer(create_app(given, clock=FastClock()))


def test_gateway_key_uses_the_accounts_of_the_gateway(upstream: SandboxServer, session: str) -> None:
    token = new_token()
    with managed_client(upstream, session, token) as server, httpx.Client(base_url=server.url) as client:
        assert submit(client, "gw-alice", model=JIMENG)["revised_prompt"].endswith(ENDING)
        assert prompt_of(client, "gw-alice")["language_model"].startswith("Qwen/")
    assert asked(upstream, token) == 2


def test_gateway_key_without_a_language_account_says_whom_to_ask(upstream: SandboxServer, session: str) -> None:
    with managed_client(upstream, session) as server, httpx.Client(base_url=server.url) as client:
        answer = submit(client, "gw-alice", model=JIMENG)
        assert reason_of(answer) == "no_managed_account"
        assert "administrator" in answer["warnings"][0]["message"]
        refused = client.post("/v1/videos/prompts", json={"prompt": "x"}, headers=bearer("gw-alice"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")


def test_model_is_one_that_the_limits_of_the_gateway_key_allow(upstream: SandboxServer, key: str) -> None:
    def client_with(*models: str) -> BackgroundServer:
        limits = KeyLimitSettings(keys={"alice": KeyLimits(models=models)})
        return managed_client(upstream, key, key_limits=limits)

    with client_with("wan*", "qwen-max") as server, httpx.Client(base_url=server.url) as client:
        assert submit(client, "gw-alice")["revised_prompt"].endswith(ENDING)
        assert prompt_of(client, "gw-alice")["language_model"] == "qwen-max"
    with client_with("wan*") as server, httpx.Client(base_url=server.url) as client:
        assert reason_of(submit(client, "gw-alice")) == "no_managed_account"
    assert {body["model"] for body in upstream.sandbox.bodies("chat", key)} == {"qwen-max"}
