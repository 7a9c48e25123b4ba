"""The page at the root."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.core.settings import Settings

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PREFIX = "/video"


@pytest.fixture(scope="module", params=["", PREFIX], ids=["no prefix", "prefix"])
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    settings = Settings.model_construct(providers={}, root_path=request.param)
    with TestClient(create_app(settings), base_url=f"http://gateway{request.param}") as made:
        yield made


def links_of(page: str) -> list[str]:
    return re.findall(r"(?:src|href)=\"([^\"]+)\"", page)


def test_every_link_of_the_page_leads_somewhere(client: TestClient) -> None:
    response = client.get("/", headers=BROWSER)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    links = links_of(response.text)
    assert len(links) == 9
    prefix = client.base_url.path.rstrip("/")
    for link in links:
        # As a browser has it, for the page with and without a slash at its end.
        for page in {f"{prefix}/", prefix or "/"}:
            address = urljoin(f"http://gateway{page}", link)
            assert address.startswith(f"http://gateway{prefix}/"), link
            assert client.get(address).status_code == 200, link


def test_programs_get_json_with_working_links(client: TestClient) -> None:
    for accept in ("*/*", "application/json", ""):
        body = client.get("/", headers={"Accept": accept}).json()
        assert (body["name"], body["version"]) == ("video-gateway", version("video-gateway"))
        assert set(body["links"]) == {"playground", "dashboard", "docs", "openapi", "health"}
        for link in body["links"].values():
            assert client.get(f"http://gateway{link}").status_code == 200


def test_openapi_document_names_the_prefix_as_its_server(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["servers"] == [{"url": client.base_url.path.rstrip("/") or "/"}]


@pytest.mark.parametrize(
    ("header", "title", "language"), [("en", "Playground", "en"), ("zh-CN", "体验页", "zh"), ("", "体验页", "zh")]
)
def test_page_is_in_the_language_of_the_browser(client: TestClient, header: str, title: str, language: str) -> None:
    response = client.get("/", headers={**BROWSER, "Accept-Language": header})
    assert f'<html lang="{language}">' in response.text and title in response.text
    assert "accept-language" in response.headers["vary"]


def test_page_has_a_strict_policy_and_no_inline_code(client: TestClient) -> None:
    response = client.get("/", headers=BROWSER)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"<style|<script|\bstyle=|\bon\w+=", response.text)


def test_health_checks_of_load_balancers_may_use_the_root(client: TestClient) -> None:
    assert client.head("/").status_code == 200
    assert client.post("/").status_code == 405


@pytest.mark.parametrize("page", ["docs", "playground"])
def test_links_of_a_page_work_with_a_slash_at_its_end(client: TestClient, page: str) -> None:
    response = client.get(f"/{page}/", headers=BROWSER)
    assert response.status_code == 200 and response.url.path == f"{client.base_url.path.rstrip('/')}/{page}"
    links = [link for link in links_of(response.text) if not link.startswith(("#", "?", "https:"))]
    unquoted = re.findall(r"href=\"?([\w/.-]+\.json)", response.text)
    assert links or unquoted
    for link in {*links, *unquoted}:
        assert client.get(urljoin(str(response.url), link)).status_code == 200, link
