"""Unreadable inputs: the message with the reason and the supported types."""

from gateway.core.localization import format_text
from providers.contract.localized_text import LocalizedText
from providers.media_files import TYPES, unsupported_type_of

READABLE = "; ".join(", ".join(names) for names in TYPES.values())
"""The supported media types, by kind."""

_EMPTY = LocalizedText("文件是空的，请重新选择文件", "The file is empty: choose it again")
_UNSUPPORTED = LocalizedText(
    "{kind} 格式的文件没有上游能读取，请转换后再传，可用格式：{readable}",
    "No upstream supports {kind}: convert the file to one of {readable}",
)
_UNKNOWN = LocalizedText(
    "文件内容无法识别，可用格式：{readable}",
    "The type of the file is unknown. Supported types: {readable}",
)


def unreadable(head: bytes, readable: str = READABLE) -> LocalizedText:
    """Why a file that begins with `head` cannot be used, and what to do. `readable` are the supported types."""
    if not head:
        return _EMPTY
    kind = unsupported_type_of(head)
    return format_text(_UNSUPPORTED, kind=kind, readable=readable) if kind else format_text(_UNKNOWN, readable=readable)
