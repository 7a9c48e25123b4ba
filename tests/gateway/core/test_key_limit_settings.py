"""The table [key_limits]."""

from pathlib import Path

import pytest

from gateway.core.key_limit_settings import KeyLimits, KeyLimitSettings
from gateway.core.settings import SettingsError
from gateway.core.settings_loader import load_settings

FILE = """
keys = ["alice:gw-1", "bob:gw-2"]
[key_limits]
requests_per_second = 10
submits_per_day = 100
models = ["cheap-*"]
time_zone = "UTC"
[key_limits.keys.bob]
submits_per_day = 0
models = "*, dear-1"
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(FILE)
    limits = load_settings().key_limits
    assert limits.of_key("alice") == KeyLimits(requests_per_second=10, submits_per_day=100, models=("cheap-*",))
    assert limits.of_key("bob") == KeyLimits(requests_per_second=10, submits_per_day=0, models=("*", "dear-1"))
    assert limits.counts


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("submits_per_day = -1", "key_limits.submits_per_day"),
        ("burst = 0", "key_limits.burst"),
        ("running_tasks = 1001", "key_limits.running_tasks"),
        ('time_zone = "Mars/Olympus"', "key_limits.time_zone: must be a time zone"),
        ('time_zone = "../etc/passwd"', "key_limits.time_zone: must be a time zone"),
        ('time_zone = ""', "key_limits.time_zone: must be a time zone"),
        ("submits = 1", "key_limits.submits: unknown key"),
        ("[key_limits.keys.bob]\nsubmit_per_day = 1", "key_limits.keys.bob.submit_per_day: unknown key"),
        ('[key_limits.keys.bob]\ntime_zone = "UTC"', "key_limits.keys.bob.time_zone: unknown key"),
    ],
)
def test_invalid_table_is_refused(text: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(f"[key_limits]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f": {where}" in str(caught.value)


def test_nothing_is_limited_by_default() -> None:
    settings = KeyLimitSettings()
    assert settings.of_key("anybody") == KeyLimits()
    assert not settings.counts
    assert not KeyLimitSettings(models=("m",), submits_per_day=0).counts
    assert KeyLimitSettings(keys={"a": KeyLimits(running_tasks=1)}).counts
