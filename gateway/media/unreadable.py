"""Why a file cannot be used as an input, and what to do."""

from gateway.core.messages import filled
from providers.contract.localized_text import LocalizedText
from providers.media_files import TYPES, unsupported_type_of

READABLE = "; ".join(", ".join(names) for names in TYPES.values())
"""The media types that can be used, by kind."""

_EMPTY = LocalizedText("文件是空的，请重新选择文件", "The file is empty: choose it again")
_FOREIGN = LocalizedText(
    "{kind} 格式的文件没有上游能读取，请转换后再传，可用格式：{readable}",
    "No upstream reads {kind}: convert it first, to one of {readable}",
)
_UNKNOWN = LocalizedText(
    "文件内容无法识别，可用格式：{readable}",
    "Its content is nothing that can be read here; what can: {readable}",
)


def unreadable(head: bytes, readable: str = READABLE) -> LocalizedText:
    """Why a file cannot be used that begins with these bytes, and what to do. `readable` are the types that can be."""
    if not head:
        return _EMPTY
    kind = unsupported_type_of(head)
    return filled(_FOREIGN, kind=kind, readable=readable) if kind else filled(_UNKNOWN, readable=readable)
