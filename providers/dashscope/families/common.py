"""Shared parts of the families' cards."""

from collections.abc import Sequence

from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole

PROVIDER = "dashscope"

REFERENCES = 5
"""Limit of reference images and videos together, for Wan models that take both."""

WIDE_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
TWO = ("720p", "1080p")
THREE = ("480p", "720p", "1080p")
TO_15 = tuple(range(2, 16))
TO_10 = tuple(range(2, 11))

TEXT_ONLY = LocalizedText(
    "该模型只接受文字；有图片时请改用同系列的 i2v 模型，例如 wan2.6-i2v",
    "This model takes text only; for an image use the i2v model of its family, such as wan2.6-i2v",
)
NO_REFERENCES = LocalizedText(
    "该模型以图片为画面帧；参考图片或视频请改用 r2v 模型，例如 wan2.6-r2v",
    "This model takes an image as a frame of the video; for references use an r2v model, such as wan2.6-r2v",
)


def any_of(*sets: Sequence[MediaRole]) -> tuple[frozenset[MediaRole], ...]:
    """Allowed sets of inputs."""
    return tuple(frozenset(roles) for roles in sets)


def seconds(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))
