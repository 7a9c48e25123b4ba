"""The page at the root: what answers here, and where to go on. Programs get the same as JSON."""

from collections.abc import Mapping
from html import escape
from importlib.metadata import version
from string import Template
from typing import Any

from gateway.core.localization import Language, localize
from gateway.web.assets import load_assets
from providers.contract.localized_text import LocalizedText

_SUBTITLE = LocalizedText("兼容 OpenAI 接口的视频生成网关", "One OpenAI-compatible endpoint for video generation")

_LINKS: Mapping[str, tuple[str, LocalizedText, LocalizedText]] = {
    "playground": (
        "playground",
        LocalizedText("体验页", "Playground"),
        LocalizedText("在浏览器里生成视频", "make a video in the browser"),
    ),
    "dashboard": (
        "dashboard",
        LocalizedText("运维面板", "Dashboard"),
        LocalizedText("账号与运行指标，仅限管理员", "accounts and figures, for the operator"),
    ),
    "docs": (
        "docs",
        LocalizedText("接口文档", "API documentation"),
        LocalizedText("全部接口与示例", "every call, with examples"),
    ),
    "openapi": (
        "openapi.json",
        LocalizedText("OpenAPI 描述", "OpenAPI description"),
        LocalizedText("用于生成客户端", "for client generators"),
    ),
    "health": ("healthz", LocalizedText("健康状态", "Health"), LocalizedText("用于监控", "for monitors")),
}
"""By name in the JSON: the path, the title and what it is for."""

_PAGE = Template(
    """<!doctype html>
<html lang="$language">
<head>
  <meta charset="utf-8">
  <title>video-gateway</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <link rel="icon" href="${assets}shared/logo.svg" type="image/svg+xml">
  <link rel="stylesheet" href="${assets}shared/base.css">
  <link rel="stylesheet" href="${assets}home/home.css">
</head>
<body>
  <main class="home">
    <header class="home-brand">
      <img src="${assets}shared/logo.svg" alt="" width="48" height="48">
      <div><h1>video-gateway</h1><p class="meta">$subtitle · $version</p></div>
    </header>
    <nav class="home-links">
$links
    </nav>
  </main>
</body>
</html>
"""
)


def home_links(root_path: str) -> dict[str, str]:
    """By name: the paths of the pages, with the prefix of a proxy."""
    return {name: f"{root_path}/{path}" for name, (path, _, _) in _LINKS.items()}


def describe_home(root_path: str) -> dict[str, Any]:
    """What programs get."""
    return {"name": "video-gateway", "version": version("video-gateway"), "links": home_links(root_path)}


def home_page(language: Language, root_path: str) -> str:
    """What people get, as HTML. Without a known prefix its links are relative: right where a proxy hides one."""
    base = f"{root_path}/" if root_path else ""
    links = "\n".join(
        f'      <a class="button" href="{escape(base + path)}">{escape(localize(title, language))}'
        f'<span class="meta">{escape(localize(purpose, language))}</span></a>'
        for path, title, purpose in _LINKS.values()
    )
    return _PAGE.substitute(
        language=language,
        assets=escape(f"{base}assets/{load_assets().version}/"),
        subtitle=escape(localize(_SUBTITLE, language)),
        version=escape(version("video-gateway")),
        links=links,
    )
