"""The site's configuration decides which models there are, while the gateway runs."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.jimeng.settings import ExtraModel
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.conftest import bearer

SUBMIT = "/v1/videos/generations"
FAST, MINI = "jimeng-video-seedance-2.0-fast", "jimeng-video-seedance-2.0-mini"
FAST_KEY, MINI_KEY = "dreamina_seedance_40", "dreamina_seedance_40_mini"
SESSION = "5e55101d0123456789"
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(task_seconds=0.05, visible_after=0.0, credits=9999, max_running=99)) as running:
        yield running


@pytest.fixture
def client(upstream: SandboxServer) -> Iterator[httpx.Client]:
    extra = ExtraModel(
        name="my-model", key="dreamina_minimax_h3", benefit_type="minimax_h3_768p_output", resolutions=("768P",)
    )
    settings = Settings.model_construct(providers=upstream.settings(jimeng={"models": (extra,)}), poll_freshness=0.0)
    with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def submit(client: httpx.Client, session: str = SESSION, **fields: Any) -> httpx.Response:
    body = {"prompt": "a cat", **fields}
    return client.post(SUBMIT, json=body, headers=bearer(session) | ENGLISH)


def listed(client: httpx.Client, session: str = SESSION) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/models", headers=bearer(session)).raise_for_status()
    return {row["id"]: row for row in answer.json()["data"]}


def test_next_default_model_replaces_one_that_left_the_site(upstream: SandboxServer, client: httpx.Client) -> None:
    assert submit(client).json()["model"] == FAST
    upstream.jimeng_models.retire(FAST_KEY)

    # The gateway's list is a moment old: the site says that the model is gone, and nothing is charged or paused.
    before = upstream.sandbox.submits()
    refused = submit(client, model=FAST)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["upstream_code"]) == (404, "model_not_found", "2061")
    assert refused.headers["x-should-retry"] == "false"
    assert FAST in error["message"]
    assert f"closest models: {FAST}-vip, jimeng-video-seedance-2.0, " in error["message"]
    assert upstream.sandbox.submits() == before

    assert submit(client).json()["model"] == MINI
    assert FAST not in listed(client)

    # From now on it is refused without asking the site.
    calls = upstream.sandbox.calls("jimeng", "/mweb/v1/aigc_draft/generate")
    refused = submit(client, model=FAST)
    assert refused.status_code == 404
    assert "closest" in refused.json()["error"]["message"]
    assert upstream.sandbox.calls("jimeng", "/mweb/v1/aigc_draft/generate") == calls


def test_submit_without_a_model_uses_the_next_default_in_the_same_request(
    upstream: SandboxServer, client: httpx.Client
) -> None:
    submit(client)
    upstream.jimeng_models.retire(FAST_KEY)
    assert submit(client).json()["model"] == MINI
    assert upstream.sandbox.submits() == 2


def test_model_names_of_each_site_are_understood(client: httpx.Client) -> None:
    mainland, abroad = listed(client), listed(client, f"sg-{SESSION}")
    assert "jimeng-video-minimax-h3" in mainland
    assert "jimeng-video-minimax-h3" not in abroad
    assert "jimeng-video-3.5-pro" in abroad
    assert "4k" in abroad["jimeng-video-seedance-2.0"]["resolutions"]
    assert "4k" not in mainland["jimeng-video-seedance-2.0"]["resolutions"]
    title = mainland[MINI]["title"]
    assert submit(client, model=title).json()["model"] == MINI
    assert submit(client, model=MINI_KEY).json()["model"] == MINI
    assert submit(client, f"sg-{SESSION}").json()["model"] == "jimeng-video-3.5-pro"
    assert mainland[MINI]["status"] == "available"


def test_every_listed_model_of_every_site_can_be_generated(client: httpx.Client) -> None:
    """Each listed resolution of each model passes the site's own checks of draft and benefit."""
    for prefix in ("", "us-", "sg-"):
        rows = listed(client, prefix + SESSION)
        assert len(rows) > 6
        for name, row in rows.items():
            if name == "my-model":
                # It is the operator's word that a site has it.
                continue
            for resolution in row["resolutions"] or [None]:
                asked = {"resolution": resolution} if resolution else {}
                answer = submit(client, prefix + SESSION, model=name, **asked)
                assert answer.status_code == 200, (prefix, name, resolution, answer.text)


def test_a_model_of_the_configuration_is_listed_beside_those_of_the_site(client: httpx.Client) -> None:
    assert "my-model" in listed(client)


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 500}, {"ret": "1015"}])
def test_without_the_configuration_call_the_built_in_table_is_used(
    upstream: SandboxServer, client: httpx.Client, fault: dict[str, Any]
) -> None:
    upstream.jimeng_models.set_config_fault(**fault)
    assert submit(client).json()["model"] == FAST
    assert set(listed(client)) >= {FAST, MINI, "jimeng-video-wan-3.0"}
    refused = submit(client, model="jimeng-video-3.0")
    assert refused.status_code == 404
    assert "closest" in refused.json()["error"]["message"]


def test_cached_model_list_survives_a_failed_configuration_call(upstream: SandboxServer, client: httpx.Client) -> None:
    upstream.jimeng_models.retire(MINI_KEY)
    assert MINI not in listed(client)
    upstream.jimeng_models.set_config_fault(status=500)
    assert MINI not in listed(client)
    assert submit(client, model=MINI).status_code == 404
