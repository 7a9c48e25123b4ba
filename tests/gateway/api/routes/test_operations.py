"""Health checks, the API documentation and the metrics."""

from importlib.metadata import version

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
