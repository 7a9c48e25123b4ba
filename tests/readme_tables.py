"""The tables of both READMEs that the code knows: models from the fallback cards, other names of fields and paths.
`python -m tests.readme_tables` writes them anew."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.api.paths import ALIASES, STATUS, SUBMIT
from gateway.api.schemas.field_aliases import INPUTS, SCALARS, Field
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.models import MODELS as DASHSCOPE_MODELS
from providers.jimeng.models import MODELS as JIMENG_MODELS
from providers.validation import format_seconds

ROOT = Path(__file__).parent.parent
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}

_WORDS = {
    "field": ("field", "字段"),
    "path": ("path", "路径"),
    "also": ("also", "其他写法"),
    "model": ("model", "模型"),
    "site": ("sites", "站点"),
    "inputs": ("inputs", "输入"),
    "seconds": ("seconds", "时长（秒）"),
    "resolution": ("resolution (default)", "分辨率（粗体为默认）"),
    "all": ("all", "全部"),
    "abroad": ("abroad", "海外"),
    "text": ("text", "文本"),
    "first": ("first frame", "首帧"),
    "last": ("last frame", "尾帧"),
    "image": ("images", "图片"),
    "video": ("videos", "视频"),
    "audio": ("sounds", "音频"),
    "references": ("references: ", "参考："),
    "clip": ("a clip to extend", "待续写视频"),
    "edit": ("a video to edit", "待编辑视频"),
    "driving": ("a sound that drives the motion", "驱动音频"),
}
_REFERENCE_KINDS = {
    MediaRole.REFERENCE_IMAGE: "image",
    MediaRole.REFERENCE_VIDEO: "video",
    MediaRole.REFERENCE_AUDIO: "audio",
}
_NAMED_OTHERWISE_ABROAD = "wan2.1-"
_OTHER_ROLES = {MediaRole.FIRST_CLIP: "clip", MediaRole.VIDEO: "edit", MediaRole.DRIVING_AUDIO: "driving"}


def tables(language: str) -> dict[str, str]:
    """Each table by the name of its markers."""
    return {
        "jimeng-models": _jimeng(language),
        "dashscope-models": _dashscope(language, partners=False),
        "partner-models": _dashscope(language, partners=True),
        "field-names": _field_names(language),
        "path-names": _path_names(language),
    }


def rewritten(readme: str, language: str) -> str:
    """The README with its tables as they should be."""
    for name, table in tables(language).items():
        marker = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        assert marker.search(readme), name
        readme = marker.sub(lambda found, table=table: f"{found[1]}{table}{found[2]}", readme)  # type: ignore[misc]
    return readme


def _field_names(language: str) -> str:
    """Every field that has other names; of numbered ones the first."""
    rows = []
    fields: tuple[Field, ...] = (*SCALARS, *INPUTS)
    for declared in fields:
        names = (*declared.shown, *declared.aliases)
        if names:
            rows.append((f"`{declared.name}`", ", ".join(f"`{name}`" for name in names)))
    return _table(("field", "also"), rows, language)


def _path_names(language: str) -> str:
    methods = {SUBMIT: "POST", STATUS: "GET"}
    rows = [
        (f"`{methods[path]} {path}`", ", ".join(f"`{alias}`" for alias in aliases)) for path, aliases in ALIASES.items()
    ]
    return _table(("path", "also"), rows, language)


def _jimeng(language: str) -> str:
    head = ("model", "site", "inputs", "seconds", "resolution")
    regions: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for card in JIMENG_MODELS:
        regions.setdefault((card.name, _facts(card, language)), set()).update(card.regions)
    rows = [(f"`{name}`", _sites(sites, language), *facts) for (name, facts), sites in regions.items()]
    return _table(head, rows, language)


def _dashscope(language: str, *, partners: bool) -> str:
    """Models of a family that can do the same share a row. Those of the mainland stand for the same abroad. The models
    of Alibaba's partners have a name in two parts, such as `vidu/…`."""
    head = ("model", "inputs", "seconds", "resolution")
    names: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for card in DASHSCOPE_MODELS:
        if ("/" in card.name) is partners and not card.name.startswith(_NAMED_OTHERWISE_ABROAD):
            family = re.split(r"[-/.]", card.name)[0]
            names.setdefault((family, _facts(card, language)), []).append(f"`{card.name}`")
    return _table(head, [(", ".join(found), *facts) for (_, facts), found in names.items()], language)


def _facts(card: ModelCard, language: str) -> tuple[str, ...]:
    return _inputs(card, language), ", ".join(format_seconds(card.durations)), _resolutions(card)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], language: str) -> str:
    lines = [_said(name, language) for name in head], ["---"] * len(head), *rows
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in lines)


def _said(word: str, language: str) -> str:
    return _WORDS[word][language == "zh"]


def _sites(regions: set[str], language: str) -> str:
    if regions == {"cn"}:
        return "cn"
    return _said("abroad" if "cn" not in regions else "all", language)


def _inputs(card: ModelCard, language: str) -> str:
    roles = card.roles
    parts = [_said("text", language)] if frozenset() in card.media_sets else []
    parts += [_said("first", language)] if MediaRole.FIRST_FRAME in roles else []
    parts += [_said("last", language)] if MediaRole.LAST_FRAME in roles else []
    parts += [_said(word, language) for role, word in _OTHER_ROLES.items() if role in roles]
    kinds = [
        f"{_said(word, language)} ≤ {card.media_limits.get(role, 1)}"
        for role, word in _REFERENCE_KINDS.items()
        if role in roles
    ]
    if kinds:
        parts.append(_said("references", language) + (", " if language == "en" else "、").join(kinds))
    return ("; " if language == "en" else "；").join(parts)


def _resolutions(card: ModelCard) -> str:
    return ", ".join(
        f"**{tier}**" if tier == card.resolution and len(card.resolutions) > 1 else tier for tier in card.resolutions
    )


def main() -> None:
    for language, path in READMES.items():
        path.write_text(rewritten(path.read_text("utf-8"), language), "utf-8")


if __name__ == "__main__":
    main()
