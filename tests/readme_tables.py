"""The tables of the READMEs that the code knows: what each upstream can do, models from the fallback cards, other names
of fields and paths. `python -m tests.readme_tables` writes them anew."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.api.paths import ALIASES, STATUS, SUBMIT
from gateway.api.schemas.field_aliases import INPUTS, SCALARS, Field
from gateway.core.settings import Settings
from providers import registry
from providers.contract.language import CanChat, CanDiscoverLanguage, CanEmbed
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.provider import (
    CanCancel,
    CanCheck,
    CanDiscover,
    CanFind,
    CanList,
    CanReadCredits,
    CanReceiveCredits,
    Provider,
)
from providers.contract.spec import AnySpec
from providers.contract.upstream import Upstream
from providers.dashscope.models import MODELS as DASHSCOPE_MODELS
from providers.jimeng.models import MODELS as JIMENG_MODELS
from providers.transport.address_policy import Policies
from providers.transport.client import HttpClient
from providers.validation import format_seconds

ROOT = Path(__file__).parent.parent

_WORDS = {
    "field": ("field", "字段"),
    "path": ("path", "路径"),
    "also": ("also", "其他写法"),
    "call": ("call", "调用"),
}
_REFERENCE_KINDS = {
    MediaRole.REFERENCE_IMAGE: "images",
    MediaRole.REFERENCE_VIDEO: "videos",
    MediaRole.REFERENCE_AUDIO: "sounds",
}
_NAMED_OTHERWISE_ABROAD = "wan2.1-"
_OTHER_ROLES = {
    MediaRole.FIRST_CLIP: "a clip to extend",
    MediaRole.VIDEO: "a video to edit",
    MediaRole.DRIVING_AUDIO: "a sound that drives the motion",
}


def _takes(*roles: MediaRole) -> Callable[[Upstream, AnySpec], bool]:
    """True for an upstream with a model that takes all of the roles."""

    def capable(upstream: Upstream, spec: AnySpec) -> bool:
        return isinstance(upstream, Provider) and any(card.roles.issuperset(roles) for card in upstream.models())

    return capable


def _is(*protocols: type) -> Callable[[Upstream, AnySpec], bool]:
    return lambda upstream, spec: isinstance(upstream, protocols)


class _Call(NamedTuple):
    en: str
    zh: str
    capable: Callable[[Upstream, AnySpec], bool]


_CALLS = (
    _Call("create, retrieve, poll, remix, download", "提交、查询、轮询、remix、下载", _is(Provider)),
    _Call("first frame, first and last frame", "首帧、首尾帧", _takes(MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME)),
    _Call(
        "references: pictures, clips, sounds",
        "参考图片、视频、音频",
        _takes(MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO),
    ),
    _Call("sound that drives the motion", "音频驱动画面", _takes(MediaRole.DRIVING_AUDIO)),
    _Call("edit a clip", "编辑视频", _takes(MediaRole.VIDEO)),
    _Call("extend a clip", "续写视频", _takes(MediaRole.FIRST_CLIP)),
    _Call("list", "列表", _is(CanList)),
    _Call("cancel", "取消", _is(CanCancel)),
    _Call("look up a submit whose response was lost", "查找响应丢失的提交", _is(CanFind)),
    _Call("models read live", "实时读取模型列表", _is(CanDiscover, CanDiscoverLanguage)),
    _Call("check a login without charge", "免费检查凭证是否有效", _is(CanCheck)),
    _Call("read credits", "查询积分", _is(CanReadCredits)),
    _Call("take daily credits", "领取每日积分", _is(CanReceiveCredits)),
    _Call("chat", "对话", _is(CanChat)),
    _Call("embeddings", "向量", _is(CanEmbed)),
    _Call("its own SDK", "官方 SDK 直接可用", lambda upstream, spec: spec.native is not None),
)


def upstreams() -> list[tuple[AnySpec, Upstream]]:
    """Every provider as it is without configuration. None of them makes a call."""
    http, settings = HttpClient(policies=Policies()), Settings()
    return [(spec, spec.create(settings.provider(spec), http, lambda: 0.0)) for spec in registry.PROVIDERS]


def _capabilities(language: str) -> str:
    """Calls in the rows, upstreams in the columns."""
    columns = upstreams()
    rows = [
        (
            call.zh if language == "zh" else call.en,
            *("✓" if call.capable(upstream, spec) else "" for spec, upstream in columns),
        )
        for call in _CALLS
    ]
    return _lines([_said("call", language), *(spec.title for spec, _ in columns)], rows)


def _field_names(language: str) -> str:
    """Every field that has other names; of numbered ones the first."""
    rows = []
    fields: tuple[Field, ...] = (*SCALARS, *INPUTS)
    for declared in fields:
        names = (*declared.shown, *declared.aliases)
        if names:
            rows.append((f"`{declared.name}`", ", ".join(f"`{name}`" for name in names)))
    return _lines([_said("field", language), _said("also", language)], rows)


def _path_names(language: str) -> str:
    methods = {SUBMIT: "POST", STATUS: "GET"}
    rows = [
        (f"`{methods[path]} {path}`", ", ".join(f"`{alias}`" for alias in aliases)) for path, aliases in ALIASES.items()
    ]
    return _lines([_said("path", language), _said("also", language)], rows)


TABLES: dict[str, Callable[[str], str]] = {
    "capabilities": _capabilities,
    "field-names": _field_names,
    "path-names": _path_names,
    "jimeng-models": lambda language: _jimeng(),
    "dashscope-models": lambda language: _dashscope(partners=False),
    "partner-models": lambda language: _dashscope(partners=True),
}

FILES = {
    "README.md": ("en", ["capabilities"]),
    "README.zh-CN.md": ("zh", ["capabilities"]),
    "gateway/README.md": ("en", ["field-names", "path-names"]),
    "gateway/README.zh-CN.md": ("zh", ["field-names", "path-names"]),
    "providers/README.md": ("en", ["jimeng-models", "dashscope-models", "partner-models"]),
}
"""The language and the tables of each file. A table is between two markers with its name."""


def rewritten(text: str, file: str) -> str:
    """The text of a file with its tables as they should be."""
    language, names = FILES[file]
    for name in names:
        marker = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        assert marker.search(text), name
        table = TABLES[name](language)
        text = marker.sub(lambda found, table=table: f"{found[1]}{table}{found[2]}", text)  # type: ignore[misc]
    return text


def _jimeng() -> str:
    head = ("model", "sites", "inputs", "seconds", "resolution (default)")
    regions: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for card in JIMENG_MODELS:
        regions.setdefault((card.name, _facts(card)), set()).update(card.regions)
    rows = [(f"`{name}`", _sites(sites), *facts) for (name, facts), sites in regions.items()]
    return _lines(head, rows)


def _dashscope(*, partners: bool) -> str:
    """Models of a family that can do the same share a row. Those of the mainland stand for the same abroad. The models
    of Alibaba's partners have a name in two parts, such as `vidu/…`."""
    head = ("model", "inputs", "seconds", "resolution (default)")
    names: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for card in DASHSCOPE_MODELS:
        if ("/" in card.name) is partners and not card.name.startswith(_NAMED_OTHERWISE_ABROAD):
            family = re.split(r"[-/.]", card.name)[0]
            names.setdefault((family, _facts(card)), []).append(f"`{card.name}`")
    return _lines(head, [(", ".join(found), *facts) for (_, facts), found in names.items()])


def _facts(card: ModelCard) -> tuple[str, ...]:
    return _inputs(card), ", ".join(format_seconds(card.durations)), _resolutions(card)


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(re.sub(r"\|  (?=\|)", "| ", f"| {' | '.join(cells)} |\n") for cells in lines)


def _said(word: str, language: str) -> str:
    return _WORDS[word][language == "zh"]


def _sites(regions: set[str]) -> str:
    if regions == {"cn"}:
        return "cn"
    return "abroad" if "cn" not in regions else "all"


def _inputs(card: ModelCard) -> str:
    roles = card.roles
    parts = ["text"] if frozenset() in card.media_sets else []
    parts += ["first frame"] if MediaRole.FIRST_FRAME in roles else []
    parts += ["last frame"] if MediaRole.LAST_FRAME in roles else []
    parts += [word for role, word in _OTHER_ROLES.items() if role in roles]
    kinds = [f"{word} ≤ {card.media_limits.get(role, 1)}" for role, word in _REFERENCE_KINDS.items() if role in roles]
    if kinds:
        parts.append("references: " + ", ".join(kinds))
    return "; ".join(parts)


def _resolutions(card: ModelCard) -> str:
    return ", ".join(
        f"**{tier}**" if tier == card.resolution and len(card.resolutions) > 1 else tier for tier in card.resolutions
    )


def main() -> None:
    for file in FILES:
        path = ROOT / file
        path.write_text(rewritten(path.read_text("utf-8"), file), "utf-8")


if __name__ == "__main__":
    main()
