"""Health checks, the API documentation and the metrics."""

from importlib.metadata import version

from gateway.accounts.health import AccountState
from providers import registry
from tests.gateway.api.routes.conftest import Api


async def test_health_names_the_version(api: Api) -> None:
    assert (await api.get("/healthz")).json() == {"status": "ok", "version": version("video-gateway")}


async def test_ping_answers_pong(api: Api) -> None:
    assert (await api.get("/ping")).text == "pong"


async def test_metrics_count_accounts_by_state(managed_api: Api) -> None:
    await managed_api.post("/v1/accounts/first/pause")
    lines = (await managed_api.get("/metrics")).text.splitlines()
    for state in ("paused", "ready"):
        assert any(f'state="{state}"' in line and line.endswith(" 1.0") for line in lines)


async def test_metrics_are_for_the_operator(api: Api) -> None:
    assert (await api.get("/metrics", origin="https://page.example")).status_code == 401


async def test_the_document_and_its_page_need_no_credential(api: Api) -> None:
    for path in ("/openapi.json", "/docs"):
        answer = await api.client.get(path, headers={"authorization": ""})
        assert answer.status_code == 200


async def test_states_that_no_account_is_in_are_zero(managed_api: Api) -> None:
    text = (await managed_api.get("/metrics")).text
    for spec in registry.PROVIDERS:
        for state in AccountState:
            assert f'gateway_accounts{{provider="{spec.name}",state="{state}"}} ' in text


async def test_series_of_the_configuration_exist_before_the_first_request(managed_api: Api) -> None:
    text = (await managed_api.get("/metrics")).text
    for expected in (
        f'gateway_build_info{{version="{version("video-gateway")}"}} 1.0',
        'gateway_submits_total{account="first",outcome="no_credits"} ',
        'gateway_tasks_finished_total{model="wan2.6-t2v",outcome="failed",provider="dashscope"} ',
        'gateway_archive_copies_total{outcome="failed"} ',
        'gateway_upstream_errors_total{call="submit",kind="unreachable",provider="jimeng"} ',
        'gateway_webhooks_total{outcome="given_up"} ',
    ):
        assert expected in text


async def test_request_is_in_flight_while_it_is_answered(managed_api: Api) -> None:
    text = (await managed_api.get("/metrics")).text
    assert float(text.split("\ngateway_requests_in_flight ")[1].split()[0]) >= 1


async def test_not_ready_once_the_process_begins_to_stop(api: Api) -> None:
    ready = await api.get("/readyz")
    api.app.state.services.streams.stop()
    stopping = await api.get("/readyz")
    assert [(one.status_code, one.json()["status"]) for one in (ready, stopping)] == [(200, "ready"), (503, "stopping")]
    assert (await api.get("/healthz")).status_code == 200
