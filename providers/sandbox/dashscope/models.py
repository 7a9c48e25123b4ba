"""DashScope's video models as the sandbox knows them: which path, which fields, which values.

Alibaba's own models are here, those of other makers in `dashscope_partners`.
"""

import re

from providers.sandbox.dashscope.partners import PARTNERS
from providers.sandbox.dashscope.rules import IMAGE, MediaSet, Model, seconds_from, sizes_of

_SIZES = {
    "480P": ("832*480", "480*832", "624*624"),
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}
_ALL, _HIGH, _ENDS = ("480P", "720P", "1080P"), ("720P", "1080P"), ("480P", "1080P")
_WAN_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
_HH_RATIOS = (*_WAN_RATIOS, "4:5", "5:4", "9:21", "21:9")
_2_15, _2_10, _3_15 = (seconds_from(low, high) for low, high in ((2, 15), (2, 10), (3, 15)))
_5, _5_10 = frozenset({5}), frozenset({5, 10})
_PORTRAIT = ("image_url|img_url", "audio_url")

_FIRST, _LAST, _CLIP = {"first_frame": (1, 1)}, {"last_frame": (1, 1)}, {"first_clip": (1, 1)}
_SOUND = {"driving_audio": (1, 1)}
_I2V27 = (
    MediaSet(_FIRST),
    MediaSet(_FIRST | _SOUND),
    MediaSet(_FIRST | _LAST),
    MediaSet(_FIRST | _LAST | _SOUND),
    MediaSet(_CLIP),
    MediaSet(_CLIP | _LAST),
)
_REFERENCES_27 = (("reference_image", "reference_video"), 1, 5)
_R2V27 = (
    MediaSet({"reference_image": (1, 5), "first_frame": (0, 1)}),
    MediaSet({"reference_image": (0, 4), "reference_video": (1, 5), "first_frame": (0, 1)}, _REFERENCES_27, _2_10),
)
_REFERENCES_30 = {"reference_image": (0, 10), "reference_video": (0, 5), "reference_audio": (0, 5)}
_FRAMES_30 = {"first_frame": (0, 1), "last_frame": (0, 1)}
# Frames beside references are accepted at submit, and the task fails. A file beside a link is refused at once.
_WAN30 = (
    MediaSet(_FRAMES_30 | _REFERENCES_30 | {"file": (0, 1)}),
    MediaSet(_FRAMES_30 | _REFERENCES_30 | {"link": (0, 1)}),
)


def _happyhorse(version: str, tiers: tuple[str, ...]) -> tuple[Model, ...]:
    return (
        Model(f"happyhorse-{version}-t2v", tiers=tiers, ratios=_HH_RATIOS, seconds=_3_15),
        Model(
            f"happyhorse-{version}-i2v", needs=("media",), sets=(MediaSet(_FIRST),), tiers=tiers, seconds=_3_15
        ),
        Model(
            f"happyhorse-{version}-r2v", needs=("prompt", "media"), sets=(MediaSet({"reference_image": (1, 9)}),),
            tiers=tiers, ratios=_HH_RATIOS, seconds=_3_15,
        ),
    )  # fmt: skip


MODELS: tuple[Model, ...] = (
    *(
        Model(
            name,
            needs=("prompt|media",),
            sets=_WAN30,
            tiers=_ALL,
            ratios=("adaptive", *_WAN_RATIOS),
            seconds=frozenset({-1, *range(2, 31)}),
            usage="wan30",
        )
        for name in ("wan3.0-video", "wan3.0-video-prime")
    ),
    Model("wan2.7-t2v", tiers=_HIGH, ratios=_WAN_RATIOS, seconds=_2_15),
    Model("wan2.7-i2v", needs=("media",), sets=_I2V27, tiers=_HIGH, seconds=_2_15),
    Model(
        "wan2.7-r2v",
        needs=("prompt", "media"),
        sets=_R2V27,
        tiers=_HIGH,
        ratios=_WAN_RATIOS,
        seconds=_2_15,
    ),
    Model(
        "wan2.7-videoedit",
        needs=("media",),
        sets=(MediaSet({"video": (1, 1), "reference_image": (0, 4)}),),
        tiers=_HIGH,
        ratios=_WAN_RATIOS,
        seconds=frozenset({0}) | _2_10,
        usage="edit",
        assets=True,
    ),
    Model("wan2.6-t2v", sizes=sizes_of(_SIZES, *_HIGH), seconds=_2_15, usage="t2v26"),
    Model("wan2.6-t2v-us", sizes=sizes_of(_SIZES, *_HIGH), seconds=_5_10, usage="t2v26"),
    Model("wan2.6-i2v", needs=("img_url",), tiers=_HIGH, seconds=_2_15, usage="i2v26"),
    Model("wan2.6-i2v-flash", needs=("img_url",), tiers=_HIGH, seconds=_2_15, usage="i2v26"),
    Model("wan2.6-i2v-us", needs=("img_url",), tiers=_HIGH, seconds=frozenset({5, 10, 15}), usage="i2v26"),
    *(
        Model(
            name,
            needs=("prompt", "reference_urls|reference_video_urls"),
            sizes=sizes_of(_SIZES, *_HIGH),
            seconds=_2_10,
            usage="r2v26",
        )
        for name in ("wan2.6-r2v", "wan2.6-r2v-flash")
    ),
    Model("wan2.5-t2v-preview", sizes=sizes_of(_SIZES, *_ALL), seconds=_5_10, usage="video_ratio", actual_prompt=True),
    Model(
        "wan2.5-i2v-preview", needs=("img_url",), tiers=_ALL, seconds=_5_10, usage="i2v", actual_prompt=True
    ),
    Model(
        "wan2.2-t2v-plus", sizes=sizes_of(_SIZES, *_ENDS), seconds=_5, usage="video_ratio", actual_prompt=True,
        running=2,
    ),
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
        "wanx2.1-t2v-turbo", sizes=sizes_of(_SIZES, "480P", "720P"), tier="720P", seconds=_5, usage="video_ratio",
        actual_prompt=True, running=2,
    ),
    Model(
        "wanx2.1-t2v-plus", sizes=sizes_of(_SIZES, "720P"), tier="720P", seconds=_5, usage="video_ratio",
        actual_prompt=True, running=2,
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
        "wanx2.1-vace-plus", needs=("prompt", "function"), sizes=sizes_of(_SIZES, "720P"), tier="720P", seconds=_5,
        usage="standard", actual_prompt=True, running=2,
    ),
    # 480P of 1.0: Alibaba's page (August 2026) has both versions in one list; litellm's price map (November 2026) and a
    # client that checked in August 2026 have it for 1.1 alone.
    *_happyhorse("1.0", _HIGH),
    *_happyhorse("1.1", _ALL),
    Model(
        "happyhorse-1.0-video-edit", needs=("prompt", "media"),
        sets=(MediaSet({"video": (1, 1), "reference_image": (0, 5)}),), tiers=_HIGH, usage="edit",
    ),
    *PARTNERS,
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

_EXACT = {model.name: model for model in MODELS}
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def find_model(name: str) -> Model | None:
    """The row of a model: dated snapshots count as their model, `wan2.1-…` is the name of `wanx2.1-…` abroad."""
    plain = _DATE.sub("", name)
    if plain.startswith("wan2.1-"):
        plain = plain.replace("wan2.1-", "wanx2.1-", 1)
    return _EXACT.get(plain)
