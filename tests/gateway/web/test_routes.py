"""The pages over HTTP: headers, policy, content types, caching, what they know of the gateway."""

import gzip
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.core.settings import Settings
from gateway.web.assets import load_assets

PAGE = "/playground"


def client_for(**settings: Any) -> TestClient:
    return TestClient(create_app(Settings.model_construct(providers={}, **settings)))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_for() as made:
        yield made


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";"))


def test_page_has_a_strict_policy(client: TestClient) -> None:
    response = client.get(PAGE)
    assert response.status_code == 200 and response.headers["content-type"] == "text/html; charset=utf-8"
    policy = directives(response.headers["content-security-policy"])
    assert policy["default-src"] == "'none'"
    assert [policy[name] for name in ("script-src", "style-src", "connect-src")] == ["'self'"] * 3
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


def test_page_has_no_inline_code_and_names_only_its_own_files(client: TestClient) -> None:
    page = client.get(PAGE).text
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|javascript:", page)
    names = re.findall(r"(?:src|href)=\"([^\"#]+)\"", page)
    assert len(names) > 5
    for name in names:
        assert client.get(f"/{name}").status_code == 200, name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("playground/main.js", "text/javascript; charset=utf-8"),
        ("shared/base.css", "text/css; charset=utf-8"),
        ("shared/icons.svg", "image/svg+xml"),
    ],
)
def test_file_is_kept_for_good_under_its_version(client: TestClient, name: str, kind: str) -> None:
    assets = load_assets()
    response = client.get(f"/assets/{assets.version}/{name}")
    assert response.status_code == 200 and response.headers["content-type"] == kind
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.content == assets.files[name].content


def test_file_of_another_version_is_served_but_not_kept(client: TestClient) -> None:
    response = client.get("/assets/000000000000/playground/main.js")
    assert response.status_code == 200 and response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", [PAGE, "/assets/0/playground/main.js"])
def test_known_file_is_not_sent_again(client: TestClient, path: str) -> None:
    first = client.get(path)
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("br;q=1.0, gzip;q=0.8", "gzip"), ("identity", None), ("gzip;q=0", None), ("xgzip", None)],
)
def test_file_is_compressed_for_who_accepts_it(client: TestClient, accepted: str, encoding: str | None) -> None:
    with client.stream("GET", "/assets/0/shared/base.css", headers={"Accept-Encoding": accepted}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == encoding and response.headers["vary"].startswith(
        "accept-encoding"
    )
    content = load_assets().files["shared/base.css"].content
    assert (gzip.decompress(raw) if encoding else raw) == content


@pytest.mark.parametrize(
    "path",
    [
        "/assets/0/none.js",
        "/assets/0/../routes.py",
        "/assets/0/%2e%2e/routes.py",
        "/assets/0//etc/passwd",
        "/assets/0/playground.html",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404 and response.json()["error"]["code"] == "not_found"


def test_slash_at_the_end_leads_to_the_page(client: TestClient) -> None:
    response = client.get(f"{PAGE}/", follow_redirects=False)
    # Relative, so that it holds behind a proxy with a prefix and under any host name.
    assert (response.status_code, response.headers["location"]) == (308, "../playground")


def test_site_needs_no_key_and_tells_no_secret() -> None:
    with client_for(keys=(SecretStr("alice:gw-secret"),), admin_key=SecretStr("admin-secret")) as client:
        response = client.get("/playground/site.json")
    assert response.headers["cache-control"] == "no-store"
    assert "secret" not in response.text
    assert response.json()["accepts"] == ["gateway"]


@pytest.mark.parametrize(("page", "kilobytes"), [("playground", 64), ("dashboard", 32)])
def test_page_and_files_are_small(page: str, kilobytes: int) -> None:
    """What a slow line has to carry at the first visit, compressed."""
    own = (f"{page}.html", f"{page}/", "shared/")
    files = [one for name, one in load_assets().files.items() if name.startswith(own)]
    assert len(files) > 10
    assert sum(len(one.compressed) for one in files) < kilobytes * 1024


def test_files_of_the_page_are_logged_at_debug(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "gateway.access"):
        page = client.get(PAGE)
        (path, *_) = re.findall(r'"/?(assets/[^"]+)"', page.text)
        assert client.get(f"/{path}").status_code == 200
        assert client.get("/assets/x/y.js").status_code == 404
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "DEBUG", "INFO"]
