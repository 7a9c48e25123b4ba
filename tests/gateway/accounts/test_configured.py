"""Managed accounts of the environment and of the file."""

from pathlib import Path

import pytest

from gateway.api.services import Services
from gateway.app import create_app
from gateway.core.settings import SettingsError
from gateway.core.settings_loader import load_settings

SOCKS = "socks5://u:p@127.0.0.1:1080"
FILE = """
[[accounts]]
name = "main"
credential = "us-file-session"
weight = 3
max_running = 2

[[accounts]]
name = "备用"
credential = "sk-file-key"
region = "ap-southeast-1"
proxy = "socks5://u:p@127.0.0.1:1080"

[[accounts]]
name = "odd"
credential = "sk-is-a-session"
provider = "jimeng"
region = "jp"
cookie = "sessionid=whole; x=y"
"""


@pytest.fixture(autouse=True)
def _in_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def services_of(file: str) -> Services:
    Path("gateway.toml").write_text(file, "utf-8")
    services = create_app(load_settings()).state.services
    assert isinstance(services, Services)
    return services


def settings_error(file: str) -> str:
    with pytest.raises(SettingsError) as caught:
        services_of(file)
    text = str(caught.value)
    assert "\n" not in text
    assert "secret" not in text
    return text


def test_lists_of_the_environment_come_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIMENG_TOKENS", f"one,hk-two,{SOCKS}@us-three")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-four")
    found = [(managed.account, managed.weight, managed.max_running) for managed in services_of(FILE).pool.managed]
    assert [(account.provider, account.region, account.name) for account, _, _ in found] == [
        ("jimeng", "cn", ""),
        ("jimeng", "hk", ""),
        ("jimeng", "us", ""),
        ("dashscope", "", ""),
        ("jimeng", "us", "main"),
        ("dashscope", "ap-southeast-1", "备用"),
        ("jimeng", "jp", "odd"),
    ]
    assert [(weight, most) for _, weight, most in found[4:]] == [(3, 2), (1, None), (1, None)]
    assert [account.proxy for account, _, _ in found] == [None, None, SOCKS, None, None, SOCKS, None]
    assert [account.credential for account, _, _ in found[4:]] == ["file-session", "sk-file-key", "sk-is-a-session"]
    assert found[6][0].cookie == "sessionid=whole; x=y"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            'name = "a"\ncredential = "x"\nprovider = "sora"',
            "sora is not one of jimeng, modelscope, dashscope",
        ),
        ('name = "a"\ncredential = "se cret"', "not a credential of"),
        ('name = "a"\ncredential = "secret"\nregion = "mars"', "region mars is not one of cn, hk, jp, sg, us"),
        ('name = "a"\ncredential = "sk-secret"\nregion = "us"', "region us is not one of ap-southeast-1"),
        ('name = "a"\ncredential = "x"\nproxy = "ftp://secret@h"', "proxy must be a URL such as"),
        ('name = "a"\ncredential = "x"\ncookie = "sessionid=\u4e2d"', "cookie must be a Cookie header"),
        ('name = "a"\ncredential = "sk-x"\ncookie = "a=b"', "dashscope accounts have no cookie"),
        ('name = ".."\ncredential = "x"', "name: has characters"),
        (
            'name = "a"\ncredential = "us-secret"\nregion = "hk"',
            "region differs from the one in",
        ),
        ('name = "a"\ncredential = "http://secret@h:1@s"\nproxy = "http://h:2"', "proxy differs from the one in"),
        ('name = "a b"\ncredential = "x"', "name: has characters"),
        ('name = "a"\ncredential = ""', '[[accounts]] "a": credential: must not be empty'),
        ('name = "a"\ncredential = "x"\nweight = -1', 'line 4: [[accounts]] "a": weight: must be at least 0'),
        (
            'name = "a"\ncredential = "x"\nwieght = 1',
            'line 4: [[accounts]] "a": wieght: unknown key; did you mean',
        ),
        ('name = "a"', 'line 1: [[accounts]] "a": credential: is missing'),
        ('name = "a"\ncredential = "x"\n[rotation]\npolicy = "best"', "rotation.policy"),
        ('name = "a"\ncredential = "x"\n[rotation]\nmax_attempts = 0', "rotation.max_attempts"),
    ],
)
def test_invalid_account_stops_the_start(lines: str, message: str) -> None:
    assert message in settings_error(f"[[accounts]]\n{lines}\n")


def test_duplicate_account_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = '[[accounts]]\nname = "a"\ncredential = "secret"\n'
    assert '[[accounts]] "a" is there twice' in settings_error(twice * 2)
    assert '[[accounts]] "b" has the same credential as [[accounts]] "a"' in settings_error(
        twice + '[[accounts]]\nname = "b"\ncredential = "secret"\n'
    )
    key = '[[accounts]]\nname = "a"\ncredential = "sk-secret"\n'
    assert "same credential" in settings_error(key + key.replace('"a"', '"b"') + 'region = "cn-beijing"\n')
    monkeypatch.setenv("JIMENG_TOKENS", "secret")
    assert '[[accounts]] "a" has the same credential as JIMENG_TOKENS: entry 1' in settings_error(twice)


def test_same_session_at_two_sites_is_two_accounts() -> None:
    file = "".join(f'[[accounts]]\nname = "{site}"\ncredential = "{site}-secret"\n' for site in ("us", "hk"))
    assert len(services_of(file).pool.managed) == 2


def test_repr_shows_no_secret() -> None:
    Path("gateway.toml").write_text(FILE, "utf-8")
    shown = f"{load_settings().masked()} {services_of(FILE).pool.managed}"
    for secret in ("file-session", "sk-file-key", "u:p@", "whole"):
        assert secret not in shown
