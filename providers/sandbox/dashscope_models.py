"""DashScope's video models as the sandbox knows them: which path, which fields, which values."""

import re
from dataclasses import dataclass
from typing import Literal

VIDEO = "video-generation/video-synthesis"
IMAGE = "image2video/video-synthesis"

Usage = Literal[
    "video_ratio", "t2v26", "i2v", "i2v26", "standard", "kf2v22", "r2v26", "wan27", "wan30", "kling", "minimax",
    "portrait", "s2v",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """`name` is exact, or a prefix when it ends in "/".

    `needs`: input fields that must be there, "a|b" = one of the two. `media`: what `input.media` may hold, empty
    for the legacy protocol. `sizes`: tiers whose pixel sizes `size` may name (a wrong one fails the task, not the
    submit). `tiers`: what `resolution` may be, `tier` its default. `seconds`: what `duration` may be, empty = any.
    `running`: tasks of a key that run at the same time. `results`: the URL is in `output.results`.
    """

    name: str
    path: str = VIDEO
    needs: tuple[str, ...] = ("prompt",)
    media: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    tier: str = "1080P"
    ratios: tuple[str, ...] = ()
    seconds: frozenset[int] = frozenset()
    usage: Usage = "wan27"
    actual_prompt: bool = False
    results: bool = False
    running: int = 5
    http_only: bool = False


SIZES: dict[str, frozenset[str]] = {
    "480P": frozenset({"832*480", "480*832", "624*624"}),
    "720P": frozenset({"1280*720", "720*1280", "960*960", "1088*832", "832*1088"}),
    "1080P": frozenset({"1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"}),
}

_ALL, _HIGH, _ENDS = ("480P", "720P", "1080P"), ("720P", "1080P"), ("480P", "1080P")
_WAN_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
_HH_RATIOS = (*_WAN_RATIOS, "4:5", "5:4", "9:21", "21:9")
_2_15, _2_10, _3_15 = (frozenset(range(low, high + 1)) for low, high in ((2, 15), (2, 10), (3, 15)))
_5, _5_10, _TO_15 = frozenset({5}), frozenset({5, 10}), frozenset(range(1, 16))
_FRAMES = ("first_frame", "last_frame")
_PORTRAIT = ("image_url|img_url", "audio_url")

MODELS: tuple[Model, ...] = (
    *(
        Model(
            name,
            needs=("prompt|media",),
            media=(*_FRAMES, "reference_image", "reference_video", "reference_audio", "file", "link"),
            tiers=_ALL,
            ratios=("adaptive", *_WAN_RATIOS),
            seconds=frozenset({-1, *range(2, 31)}),
            usage="wan30",
        )
        for name in ("wan3.0-video", "wan3.0-video-prime")
    ),
    Model("wan2.7-t2v", tiers=_HIGH, ratios=_WAN_RATIOS, seconds=_2_15),
    Model(
        "wan2.7-i2v", needs=("media",), media=(*_FRAMES, "driving_audio", "first_clip"), tiers=_HIGH, seconds=_2_15
    ),
    Model(
        "wan2.7-r2v",
        needs=("prompt", "media"),
        media=("reference_image", "reference_video", "first_frame"),
        tiers=_HIGH,
        ratios=_WAN_RATIOS,
        seconds=_2_15,
    ),
    Model(
        "wan2.7-videoedit",
        needs=("media",),
        media=("video", "reference_image"),
        tiers=_HIGH,
        ratios=_WAN_RATIOS,
        seconds=frozenset({0}) | _2_10,
    ),
    Model("wan2.6-t2v", sizes=_HIGH, seconds=_2_15, usage="t2v26"),
    Model("wan2.6-t2v-us", sizes=_HIGH, seconds=_5_10, usage="t2v26"),
    Model("wan2.6-i2v", needs=("img_url",), tiers=_HIGH, seconds=_2_15, usage="i2v26"),
    Model("wan2.6-i2v-flash", needs=("img_url",), tiers=_HIGH, seconds=_2_15, usage="i2v26"),
    Model("wan2.6-i2v-us", needs=("img_url",), tiers=_HIGH, seconds=frozenset({5, 10, 15}), usage="i2v26"),
    *(
        Model(
            name,
            needs=("prompt", "reference_urls|reference_video_urls"),
            sizes=_HIGH,
            seconds=_2_10,
            usage="r2v26",
        )
        for name in ("wan2.6-r2v", "wan2.6-r2v-flash")
    ),
    Model("wan2.5-t2v-preview", sizes=_ALL, seconds=_5_10, usage="video_ratio", actual_prompt=True),
    Model(
        "wan2.5-i2v-preview", needs=("img_url",), tiers=_ALL, seconds=_5_10, usage="i2v", actual_prompt=True
    ),
    Model("wan2.2-t2v-plus", sizes=_ENDS, seconds=_5, usage="video_ratio", actual_prompt=True, running=2),
    Model(
        "wan2.2-i2v-flash", needs=("img_url",), tiers=_ALL, tier="720P", seconds=_5, usage="i2v",
        actual_prompt=True, running=2,
    ),
    Model(
        "wan2.2-i2v-plus", needs=("img_url",), tiers=_ENDS, seconds=_5, usage="i2v", actual_prompt=True, running=2
    ),
    Model(
        "wan2.2-kf2v-flash", IMAGE, ("first_frame_url",), tiers=_ALL, tier="720P", seconds=_5, usage="kf2v22",
        actual_prompt=True, running=2,
    ),
    Model(
        "wanx2.1-t2v-turbo", sizes=("480P", "720P"), tier="720P", seconds=_5, usage="video_ratio",
        actual_prompt=True, running=2,
    ),
    Model(
        "wanx2.1-t2v-plus", sizes=("720P",), tier="720P", seconds=_5, usage="video_ratio", actual_prompt=True,
        running=2,
    ),
    Model(
        "wanx2.1-i2v-turbo", needs=("img_url",), tiers=("480P", "720P"), tier="720P",
        seconds=frozenset({3, 4, 5}), usage="standard", actual_prompt=True, running=2,
    ),
    Model(
        "wanx2.1-i2v-plus", needs=("img_url",), tiers=("720P",), tier="720P", seconds=_5, usage="standard",
        actual_prompt=True, running=2,
    ),
    Model(
        "wanx2.1-kf2v-plus", IMAGE, ("first_frame_url",), tiers=("720P",), tier="720P", seconds=_5,
        usage="standard", actual_prompt=True, running=2,
    ),
    Model(
        "wanx2.1-vace-plus", needs=("prompt", "function"), sizes=("720P",), tier="720P", seconds=_5,
        usage="standard", actual_prompt=True, running=2,
    ),
    *(
        model
        for version in ("1.0", "1.1")
        for model in (
            Model(f"happyhorse-{version}-t2v", tiers=_HIGH, ratios=_HH_RATIOS, seconds=_3_15),
            Model(
                f"happyhorse-{version}-i2v", needs=("media",), media=("first_frame",), tiers=_HIGH, seconds=_3_15
            ),
            Model(
                f"happyhorse-{version}-r2v", needs=("prompt", "media"), media=("reference_image",), tiers=_HIGH,
                ratios=_HH_RATIOS, seconds=_3_15,
            ),
        )
    ),
    Model(
        "happyhorse-1.0-video-edit", needs=("prompt", "media"), media=("video", "reference_image"), tiers=_HIGH
    ),
    Model(
        "kling/", needs=("prompt|media",), media=(*_FRAMES, "refer", "base", "feature"), seconds=_3_15,
        ratios=("16:9", "9:16", "1:1"), usage="kling", running=10, http_only=True,
    ),
    Model(
        "vidu/", needs=("prompt|media",), media=("image",), tiers=("540P", "720P", "1080P"), tier="720P",
        seconds=frozenset(range(1, 17)), usage="kling", http_only=True,
    ),
    Model(
        "pixverse/", needs=("prompt|media",), media=("image_url", *_FRAMES), tiers=("360P", "540P", "720P", "1080P"),
        tier="720P", seconds=_TO_15, usage="kling", http_only=True,
    ),
    Model(
        "MiniMax/", needs=("prompt|media",), media=(*_FRAMES, "image_url", "feature", "driving_audio"),
        tiers=("768P", "2K"), tier="768P", seconds=frozenset(range(4, 16)), usage="minimax",
    ),
    Model("video-style-transform", needs=("video_url",), usage="portrait", running=2),
    Model("wan2.2-s2v", IMAGE, _PORTRAIT, tiers=("480P", "720P"), tier="480P", usage="s2v", results=True, running=1),
    *(
        Model(name, IMAGE, ("image_url|img_url", "video_url"), usage="portrait", results=True, running=1)
        for name in ("wan2.2-animate-move", "wan2.2-animate-mix")
    ),
    *(
        Model(name, IMAGE, _PORTRAIT, usage="portrait", results=True, running=1)
        for name in ("emo-v1", "liveportrait")
    ),
    Model("animate-anyone-gen2", IMAGE, ("image_url|img_url", "template_id"), usage="portrait", running=1),
    Model("videoretalk", IMAGE, ("video_url", "audio_url"), usage="portrait", running=1),
)  # fmt: skip

_EXACT = {model.name: model for model in MODELS if not model.name.endswith("/")}
_FAMILIES = tuple(model for model in MODELS if model.name.endswith("/"))
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def find_model(name: str) -> Model | None:
    """The row of a model: dated snapshots count as their model, `wan2.1-…` is the name of `wanx2.1-…` abroad."""
    plain = _DATE.sub("", name)
    if plain.startswith("wan2.1-"):
        plain = plain.replace("wan2.1-", "wanx2.1-", 1)
    return _EXACT.get(plain) or next((row for row in _FAMILIES if name.startswith(row.name) and name != row.name), None)


STATUS: dict[str, int] = {
    "Arrearage": 400,
    "DataInspectionFailed": 400,
    "IPInfringementSuspect": 400,
    "InvalidParameter": 400,
    "InvalidParameter.DataInspection": 400,
    "InvalidFile.AspectRatio": 400,
    "InvalidFile.DownloadFailed": 400,
    "InvalidFile.Format": 400,
    "InvalidFile.Resolution": 400,
    "InvalidFile.Size": 400,
    "InvalidURL": 400,
    "InvalidURL.ConnectionRefused": 400,
    "InvalidURL.Timeout": 400,
    "UnsupportedOperation": 400,
    "InvalidApiKey": 401,
    "NOT AUTHORIZED": 401,
    "AccessDenied": 403,
    "AccessDenied.Unpurchased": 403,
    "AllocationQuota.FreeTierOnly": 403,
    "Model.AccessDenied": 403,
    "Workspace.AccessDenied": 403,
    "ModelNotFound": 404,
    "NotFound": 404,
    "WorkSpaceNotFound": 404,
    "Conflict": 409,
    "Throttling": 429,
    "Throttling.AllocationQuota": 429,
    "Throttling.BurstRate": 429,
    "Throttling.RateQuota": 429,
    "CommodityNotPurchased": 429,
    "PrepaidBillOverdue": 429,
    "PostpaidBillOverdue": 429,
    "InternalError": 500,
    "InternalError.Algo": 500,
    "InternalError.Timeout": 500,
    "InternalError.Upload": 500,
    "ModelServiceFailed": 500,
    "RequestTimeOut": 500,
    "ResponseTimeout": 500,
    "RewriteFailed": 500,
    "SystemError": 500,
    "ModelServingError": 503,
    "ModelUnavailable": 503,
}
"""Error code → HTTP status; a code without a row is 400."""

MESSAGES: dict[str, str] = {
    "AccessDenied": "Access denied.",
    "AccessDenied.Unpurchased": "Access to model denied. Please make sure you are eligible for using the model.",
    "Arrearage": "Access denied, please make sure your account is in good standing.",
    "DataInspectionFailed": "Input data may contain inappropriate content.",
    "InternalError": "An internal error has occured, please try again later.",
    "IPInfringementSuspect": "Input data is suspected of being involved in IP infringement.",
    "InvalidApiKey": "Invalid API-key provided.",
    "ModelNotFound": "Model not exist.",
    "Throttling.AllocationQuota": "Allocated quota exceeded, please increase your quota limit.",
    "Throttling.BurstRate": "Request rate increased too quickly.",
    "Throttling.RateQuota": "Requests rate limit exceeded, please try again later.",
}

CREDENTIAL_CODES = {
    "poor": "Arrearage",
    "banned": "AccessDenied.Unpurchased",
    "shark": "Throttling.BurstRate",
    "limited": "Throttling.AllocationQuota",
}
"""The word in a key → what its submits are refused with."""
