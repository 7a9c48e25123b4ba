"""The environment of a machine, without what would configure a gateway behind a test's back."""

from collections.abc import Mapping

OURS = ("GATEWAY_", "JIMENG_", "DASHSCOPE_", "MODELSCOPE_", "QWEN_", "VIDEO_", "POLL_", "ARCHIVE_", "PROMETHEUS_")
"""How the names begin that a gateway reads."""
_OF_STORES = ("AWS_", "AZURE_", "GOOGLE_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})


def bare(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(OURS + _OF_STORES) and name.lower() not in _PROXIES
    }
