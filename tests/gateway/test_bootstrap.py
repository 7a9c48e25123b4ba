"""An invalid configuration stops the start with one line; a valid one starts without the network."""

import logging
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from yarl import URL

from gateway.accounts.callers import GatewayKey
from gateway.app import create_app
from gateway.archive.store import SCHEMES
from gateway.bootstrap import build_process_state, build_services, modules_needed, open_archive
from gateway.core.clock import SystemClock
from gateway.core.key_limit_settings import KeyLimits, KeyLimitSettings
from gateway.core.settings import ArchiveSettings, MediaSettings, Settings, SettingsError
from gateway.core.settings_loader import load_settings
from providers.dashscope.settings import DashScopeSettings
from providers.jimeng.settings import JimengSettings
from providers.transport.client import FILES, SESSION_ROUTE
from tests.clock import TestClock
from tests.process import running


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def start_error(**fields: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        create_app(Settings.model_construct(**fields))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def settings_error() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the archive ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["/srv/videos", "file:/srv/videos", "file://", "s3:bucket", "s3://", "ftp://h/x", "https://b.s3.example/p", "x"],
)
def test_invalid_archive_url_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHIVE_URL", value)
    message = settings_error()
    assert message.startswith("ARCHIVE_URL: must be file:///folder (three slashes")
    assert all(f"{scheme}://" in message for scheme in SCHEMES)


@pytest.mark.parametrize("value", ["", "  "])
def test_empty_archive_url_means_no_archive(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHIVE_URL", value)
    settings = load_settings()
    assert settings.archive_url is None
    assert open_archive(settings) is None
    assert build_process_state(settings, SystemClock()).archiver is None


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("copies = 0", "gateway.toml line 2: archive.copies: must be at "),
        ("copies = 33", "gateway.toml line 2: archive.copies: must be at "),
        ("keep_days = 0", "gateway.toml line 2: archive.keep_days: must be greater than 0"),
        ('follow = "perhaps"', "gateway.toml line 2: archive.follow: must be true or false"),
        ("folow = true", "gateway.toml line 2: archive.folow: unknown key; did you mean follow?"),
    ],
)
def test_invalid_archive_table_is_refused(line: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(f"[archive]\n{line}\n")
    assert settings_error().startswith(where)


def test_archive_is_configured_in_the_file(tmp_path: Path) -> None:
    lines = ('archive_url = "s3://bucket/videos"', "[archive]", "follow = true", "keep_days = 30")
    (tmp_path / "gateway.toml").write_text("\n".join(lines))
    settings = load_settings()
    assert (settings.archive_url, settings.archive) == (
        "s3://bucket/videos",
        ArchiveSettings(follow=True, keep_days=30),
    )


@pytest.mark.parametrize("below", ["", "/videos", "/a/b/c"], ids=["a file", "below a file", "deep below a file"])
def test_archive_folder_that_cannot_be_created_is_refused(below: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert start_error(archive_url=(tmp_path / "taken").as_uri() + below).startswith("ARCHIVE_URL: ")


@pytest.mark.parametrize("url", ["file://relative/folder", "s3:///no-bucket", "gs://", "az://container/no-account"])
def test_archive_url_without_a_bucket_is_refused(url: str) -> None:
    assert start_error(archive_url=url).startswith("ARCHIVE_URL: ")


def test_archive_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    message = start_error(archive_url=tmp_path.as_uri())
    assert message == "ARCHIVE_URL: the archive needs an optional package: pip install obstore"
    # The package is needed only with an archive.
    create_app(Settings.model_construct())


def test_archive_is_not_accessed_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    create_app(Settings.model_construct(archive_url="s3://bucket/videos"))
    folder = tmp_path / "a" / "b c"
    create_app(Settings.model_construct(archive_url=folder.as_uri()))
    assert list(folder.iterdir()) == []


def test_password_in_the_archive_url_is_masked() -> None:
    shown = Settings.model_construct(archive_url="s3://name:secret@bucket/videos").masked()
    assert shown["archive_url"] == "s3://***@bucket/videos"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_serve_reports_the_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    url = (tmp_path / "taken").as_uri() + "/videos"
    with running(tmp_path, "serve", "--port", "0", ARCHIVE_URL=url) as process:
        assert process.wait() == 2
        assert process.output.startswith("error: configuration: ARCHIVE_URL: ")
        assert process.output.count("\n") == 1


# --- media --------------------------------------------------------------------------------------------


def test_shrink_without_its_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    message = start_error(media=MediaSettings(shrink=True))
    assert message == "media.shrink needs Pillow: pip install pillow"
    create_app(Settings.model_construct(media=MediaSettings()))


@pytest.mark.parametrize("field", ["hosts", "denied_hosts"])
@pytest.mark.parametrize("host", ["", "*", "a b", "https://example.com", "example.com/path", "1.2.3", "*.*.com"])
def test_invalid_media_host_is_refused(field: str, host: str) -> None:
    message = start_error(media=MediaSettings.model_validate({field: ("example.com", host)}))
    assert message.startswith("media.hosts or media.denied_hosts: ")
    assert repr(host) in message


@pytest.mark.parametrize("host", ["example.com", "*.example.com", ".example.com", "192.0.2.1", "2001:db8::1", "[::1]"])
def test_valid_media_host_is_accepted(host: str) -> None:
    create_app(Settings.model_construct(media=MediaSettings(hosts=(host,), denied_hosts=(host,))))


@pytest.mark.parametrize("field", ["networks", "denied_networks"])
def test_invalid_media_network_is_refused(field: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(f'[media]\n{field} = ["10.0.0.0/8", "10.0.0.0/99"]\n')
    assert settings_error().startswith(f"gateway.toml line 2: media.{field}.entry 2: must be an IP network")


def test_former_setting_names_are_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    Path("gateway.toml").write_text('jimeng_qps = 3\ndashscope_base_url = "http://h"\n')
    caplog.set_level(logging.WARNING)
    settings, process = load_settings(), build_process_state(Settings.model_construct(), TestClock())
    build_services(settings, process)
    build_services(settings, process)
    (line,) = caplog.messages
    assert "jimeng_qps is [providers.jimeng] queries_per_second" in line
    assert "dashscope_base_url is [providers.dashscope] base_url" in line


def test_setting_without_effect_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.model_construct(archive=ArchiveSettings(follow=True))
    build_services(settings, build_process_state(settings, TestClock()))
    assert "[archive] follow has no effect: ARCHIVE_URL is not set" in caplog.messages


@pytest.mark.parametrize(
    ("proxy", "archived", "needed"),
    [
        ("", False, []),
        ("http://127.0.0.1:9@", False, [SESSION_ROUTE]),
        ("", True, [FILES]),
        ("http://127.0.0.1:9@", True, [SESSION_ROUTE, FILES]),
    ],
)
def test_modules_are_loaded_after_the_start_where_requests_will_need_them(
    tmp_path: Path, proxy: str, archived: bool, needed: list[str]
) -> None:
    accounts = JimengSettings.model_validate({"credentials": f"{proxy}session-one"})
    url = f"file://{tmp_path}" if archived else None
    settings = Settings.model_construct(providers={"jimeng": accounts}, archive_url=url)
    process = build_process_state(settings, TestClock())
    build_services(settings, process)
    assert modules_needed(process) == needed


def test_rate_limits_are_those_of_the_settings() -> None:
    process = build_process_state(Settings.model_construct(), TestClock())
    build_services(Settings.model_construct(), process)
    assert process.poller.per_second == {"jimeng": 5.0, "dashscope": 20.0}


# --- addresses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["upstream_networks", "proxy_networks", "webhook_networks"])
def test_networks_are_read_from_the_environment(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GATEWAY_{field.upper()}", "127.0.0.0/8, fd00::/8")
    assert getattr(load_settings(), field) == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    monkeypatch.setenv(f"GATEWAY_{field.upper()}", "127.0.0.1/8")
    assert field in settings_error() or field.upper() in settings_error()


def test_each_network_setting_opens_only_its_own_addresses() -> None:
    process = build_process_state(Settings.model_construct(), TestClock())
    denied = MediaSettings(denied_networks=(ip_network("1.1.1.0/24"),))
    settings = Settings.model_construct(
        upstream_networks=(ip_network("10.1.0.0/16"),), webhook_networks=(ip_network("10.2.0.0/16"),), media=denied
    )
    build_services(settings, process)
    links, proxies = process.http.policies.links, process.http.policies.proxies
    assert links is not None and proxies is not None
    for address, of_links, of_proxies, of_webhooks in (
        ("10.1.2.3", True, False, False),
        ("10.2.2.3", False, False, True),
        ("10.3.2.3", False, False, False),
        ("8.8.8.8", True, True, True),
        ("1.1.1.1", False, False, False),
        ("169.254.169.254", False, False, False),
    ):
        assert process.webhooks.sender.url_policy.allows(address) == of_webhooks
        assert (links.allows(address), proxies.allows(address)) == (of_links, of_proxies)
        assert (links.permits_host(address, 443), proxies.permits_host(address, 443)) == (of_links, of_proxies)
    assert not process.fetcher.url_policy.allows("10.1.2.3")


def test_webhooks_follow_a_reload() -> None:
    process = build_process_state(Settings.model_construct(), TestClock())
    networks, secret = (ip_network("10.2.0.0/16"),), "whsec_" + "A" * 32
    build_services(Settings.model_construct(webhook_secret=SecretStr(secret), webhook_networks=networks), process)
    assert process.webhooks.secret == secret
    assert process.webhooks.sender.url_policy.networks == networks
    build_services(Settings.model_construct(), process)
    assert not process.webhooks.secret
    assert not process.webhooks.sender.url_policy.networks


def test_configured_upstream_urls_are_trusted_with_their_port() -> None:
    process = build_process_state(Settings.model_construct(), TestClock())
    providers = {
        "jimeng": JimengSettings(base_url="http://10.0.0.5", imagex_url="https://[::1]:8443/x"),
        "dashscope": DashScopeSettings(base_url="http://Sandbox:5200/api/v1"),
    }
    build_services(Settings.model_construct(providers=providers), process)
    policies = process.http.policies
    for url in ("http://10.0.0.5/v.mp4", "https://[::1]:8443/y", "http://sandbox:5200/files/v.mp4"):
        assert policies.of_link(URL(url)) is None
    for url in ("https://10.0.0.5/v.mp4", "http://10.0.0.5:8080/v.mp4", "http://sandbox/v.mp4", "http://[::1]/x"):
        assert policies.of_link(URL(url)) is policies.links


def test_limits_that_miss_their_key_or_count_in_each_worker_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    keys = (SecretStr("alice:gw-1"), SecretStr("gw-2"))
    unnamed = GatewayKey("gw-2").label
    limits = KeyLimitSettings(
        submits_per_day=5, keys={"alice": KeyLimits(), unnamed: KeyLimits(), "alcie": KeyLimits()}
    )
    settings = Settings.model_construct(keys=keys, key_limits=limits, workers=3)
    process = build_process_state(settings, TestClock())
    build_services(settings, process)
    assert "[key_limits.keys] names keys that are not configured: alcie" in caplog.messages
    (workers,) = [message for message in caplog.messages if "limits of keys" in message]
    assert "up to 3 times" in workers
    caplog.clear()
    one = Settings.model_construct(keys=keys, key_limits=KeyLimitSettings(submits_per_day=5), workers=1)
    build_services(one, process)
    assert not [message for message in caplog.messages if "limits" in message]
