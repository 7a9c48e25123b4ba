"""Admin authentication."""

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.core.settings import Settings
from gateway.core.settings_loader import load_settings

PATHS = ("/v1/accounts", "/metrics")


async def status(
    settings: Settings, headers: dict[str, str], client: str = "127.0.0.1", host: str = "127.0.0.1:5100"
) -> set[int]:
    transport = httpx.ASGITransport(create_app(settings), client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as asking:
        return {(await asking.get(path, headers=headers)).status_code for path in PATHS}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Authorization": "Bearer the-admin-key"}, 200),
        ({"Authorization": "bearer  the-admin-key "}, 200),
        ({"Authorization": "Basic the-admin-key"}, 401),
        ({"Authorization": "Bearer the-admin"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({}, 401),
    ],
)
@pytest.mark.parametrize("client", ["127.0.0.1", "203.0.113.9"])
async def test_admin_key_is_required_if_it_is_set(headers: dict[str, str], expected: int, client: str) -> None:
    settings = Settings.model_construct(admin_key=SecretStr("the-admin-key"))
    assert await status(settings, headers, client) == {expected}


@pytest.mark.parametrize(
    ("client", "host", "headers", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:5100", {}, 200),
        ("127.0.0.1", "localhost", {}, 200),
        ("::1", "[::1]:5100", {}, 200),
        ("203.0.113.9", "127.0.0.1:5100", {}, 401),
        # A foreign host name that resolves to this machine, a page in a browser on it, a proxy on it.
        ("127.0.0.1", "evil.example", {}, 401),
        ("127.0.0.1", "127.0.0.1:5100", {"Origin": "https://evil.example"}, 401),
        ("127.0.0.1", "127.0.0.1:5100", {"X-Forwarded-For": "203.0.113.9"}, 401),
        ("127.0.0.1", "127.0.0.1:5100", {"X-Real-IP": "203.0.113.9"}, 401),
    ],
)
async def test_only_direct_loopback_requests_are_allowed_without_an_admin_key(
    client: str, host: str, headers: dict[str, str], expected: int
) -> None:
    assert await status(Settings.model_construct(), headers, client, host) == {expected}


async def test_empty_admin_key_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for blank in ("", "  "):
        monkeypatch.setenv("GATEWAY_ADMIN_KEY", blank)
        settings = load_settings()
        assert settings.admin_key is None
        for value in ("Bearer", "Bearer ", "Bearer None"):
            assert await status(settings, {"Authorization": value}, "203.0.113.9") == {401}
