"""deploy/gateway.example.toml: every setting with its description and its default, made from the settings.

`python -m tests.deploy.example_config` writes it anew. A line that begins with `#` and no blank is a setting that takes
effect without the `#`.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gateway.core.settings import AccountSettings, Settings
from providers.contract.spec import AnySpec
from providers.registry import PROVIDERS
from tests.deploy.paths import DEPLOY

FILE = DEPLOY / "gateway.example.toml"
_WIDTH = 118

_HEAD = """\
# Every setting with its default, or with an example where that is empty. Copy this file to gateway.toml and take the #
# away from what you want to change: a line that begins with # and no blank is a setting. Environment variables, whose
# names stand in brackets, take precedence.
#
# A gateway for yourself needs the `credentials` of a provider. One for others needs `keys`, `secret` and `admin_key`.
#
# `video-gateway config` prints the configuration that results, secrets masked. The file is watched: a change takes
# effect at once, but for the settings that a log line names then."""

EXAMPLES: Mapping[str, Any] = {
    "keys": ["alice:gw-0123456789abcdef", "bob:gw-fedcba9876543210"],
    "proxy_networks": ["10.1.3.0/24"],
    "upstream_networks": ["198.18.0.0/15"],
    "admin_key": "a-long-random-text",
    "secret": ["another-long-random-text"],
    "webhook_secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "webhook_networks": ["10.1.4.0/24"],
    "root_path": "/video",
    "aliases": {"my-video": "wan2.6-t2v"},
    "archive_url": "file:///var/lib/video-gateway/archive",
    "archive.keep_days": 90,
    "key_limits.requests_per_second": 10,
    "key_limits.burst": 20,
    "key_limits.running_tasks": 5,
    "key_limits.submits_per_day": 100,
    "key_limits.video_seconds_per_day": 600,
    "key_limits.models": ["jimeng-*", "wan2.6-*"],
    "key_limits.providers": ["jimeng", "dashscope"],
    "key_limits.keys": {"alice": {"submits_per_day": 500}},
    "media.hosts": ["example.com", "*.example.com"],
    "media.denied_hosts": ["internal.example.com"],
    "media.denied_networks": ["198.51.100.0/24"],
    "media.networks": ["10.1.2.0/24"],
    "accounts.name": "main",
    "accounts.credential": "us-0123456789abcdef0123456789abcdef",
    "accounts.provider": "jimeng",
    "accounts.region": "us",
    "accounts.proxy": "socks5://127.0.0.1:1080",
    "accounts.cookie": "sessionid=0123456789abcdef0123456789abcdef; other=1",
    "accounts.max_running": 2,
    "providers.jimeng.credentials": ["0123456789abcdef0123456789abcdef", "us-fedcba9876543210fedcba9876543210"],
    "providers.jimeng.base_url": "https://jimeng.example.com",
    "providers.jimeng.commerce_url": "https://commerce.example.com",
    "providers.jimeng.imagex_url": "https://imagex.example.com",
    "providers.jimeng.vod_url": "https://vod.example.com",
    "providers.jimeng.models.name": "jimeng-video-next",
    "providers.jimeng.models.key": "dreamina_next",
    "providers.jimeng.models.benefit_type": "dreamina_video_next",
    "providers.jimeng.models.resolutions": ["720p", "1080p"],
    "providers.dashscope.credentials": ["sk-0123456789abcdef"],
    "providers.dashscope.compatible_url": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "providers.modelscope.credentials": ["ms-0123456789abcdef"],
}
"""By path: a value for a setting whose default is empty."""


def render() -> str:
    """The content of the file."""
    fields = Settings.model_fields
    tables = {name: field.default for name, field in fields.items() if isinstance(field.default, BaseModel)}
    later = {*tables, "accounts", "aliases", "providers"}
    lines = [_HEAD]
    for name, field in fields.items():
        if name not in later:
            lines += _setting(name, field, name, _variable(name, field))
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_comment(_summary(type(table)))]
        own = type(table).model_fields
        lines += [line for key, one in own.items() if one.default != {} for line in _setting(key, one, f"{name}.{key}")]
        lines += [line for key, one in own.items() if one.default == {} for line in _named_tables(one, f"{name}.{key}")]
    lines += ["", "[aliases]", *_comment(fields["aliases"].description or "")]
    lines += [f"#{_toml_key(alias)} = {_value(model)}" for alias, model in EXAMPLES["aliases"].items()]
    for spec in PROVIDERS:
        lines += _provider(spec)
    lines += ["", *_comment("One managed account with settings of its own. Such a table for each."), "#[[accounts]]"]
    lines += [
        line for key, one in AccountSettings.model_fields.items() for line in _setting(key, one, f"accounts.{key}")
    ]
    return "\n".join(lines) + "\n"


def _provider(spec: AnySpec) -> Iterator[str]:
    path = f"providers.{spec.name}"
    variables = {key: name for name, key in reversed([*spec.environment.items()])}
    nested: list[tuple[str, type[BaseModel]]] = []
    yield from ("", f"[{path}]", *_comment(f"{spec.title}: {_summary(spec.settings)}"))
    for key, field in spec.settings.model_fields.items():
        entry = _entry_of(field)
        if entry:
            nested.append((key, entry))
        else:
            yield from _setting(key, field, f"{path}.{key}", variables.get(key, ""))
    for key, entry in nested:
        yield from ("", *_comment(_summary(entry) + " Such a table for each."), f"#[[{path}.{key}]]")
        for name, field in entry.model_fields.items():
            yield from _setting(name, field, f"{path}.{key}.{name}")


def _named_tables(field: FieldInfo, path: str) -> Iterator[str]:
    """Tables by a name of the operator's choice."""
    _, entry = field.annotation.__args__  # type: ignore[union-attr]
    for name, content in EXAMPLES[path].items():
        yield from ("", *_comment(field.description or ""), f"#[{path}.{_toml_key(name)}]")
        for key, value in content.items():
            yield from (
                "",
                *_comment(entry.model_fields[key].description or ""),
                f"#{_toml_key(key)} = {_value(value)}",
            )


def _entry_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table of a list of tables."""
    arguments: Sequence[Any] = getattr(field.annotation, "__args__", ())
    first = arguments[0] if arguments else None
    return first if isinstance(first, type) and issubclass(first, BaseModel) else None


def _setting(key: str, field: FieldInfo, path: str, variable: str = "") -> list[str]:
    description = field.description or ""
    assert description, f"{path} has no description"
    text = " ".join(filter(None, (description, f"({variable})" if variable else "")))
    default = None if field.is_required() else field.default
    if default in (None, "", (), {}):
        assert path in EXAMPLES, f"give EXAMPLES a value for {path}, whose default is empty"
        default = EXAMPLES[path]
    return ["", *_comment(text), f"#{_toml_key(key)} = {_value(default)}"]


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"GATEWAY_{name.upper()}"


def _summary(model: type[BaseModel]) -> str:
    """The description of a table, without the marks of code."""
    return " ".join((model.__doc__ or "").split()).replace("`", "")


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text.replace("`", ""), _WIDTH)]


def _toml_key(key: str) -> str:
    return key if key.replace("_", "").isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    """A value as TOML, which these have in common with JSON."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, IPv4Network | IPv6Network):
        value = str(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    FILE.write_text(render(), "utf-8")
