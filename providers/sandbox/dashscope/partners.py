"""The video models of other makers on DashScope: Kling, Vidu, PixVerse, MiniMax.

From Alibaba's API pages of August 2026 (Kling, Vidu reference and PixVerse reference in their versions of that month,
MiniMax with a sample of 2026-08-20). kling-v3-turbo has no page of its own that was seen: its row follows the release
note of 2026-08-27 and clients that know the model.
"""

from collections.abc import Iterator

from providers.sandbox.dashscope.rules import ELEMENT, MediaSet, Model, seconds_from, sizes_of

_FIRST, _LAST = {"first_frame": (1, 1)}, {"last_frame": (1, 1)}
_TEXT = MediaSet({})
_3_15, _1_16, _1_15, _1_10 = (seconds_from(low, high) for low, high in ((3, 15), (1, 16), (1, 15), (1, 10)))

_RATIO = ("aspect_ratio",)
_FEW_ELEMENTS = {ELEMENT: (0, 3)}
_BESIDE_VIDEO = (("refer", ELEMENT), 1, 4)
_KLING_TEXT = MediaSet({ELEMENT: (0, 7)}, requires=_RATIO)
_KLING_FIRST = MediaSet(_FIRST | _FEW_ELEMENTS)
_KLING_ENDS = MediaSet(_FIRST | _LAST | _FEW_ELEMENTS)
_KLING_OMNI = (
    _KLING_TEXT,
    _KLING_FIRST,
    _KLING_ENDS,
    MediaSet({"refer": (1, 7), ELEMENT: (0, 6)}, (("refer", ELEMENT), 1, 7), requires=_RATIO),
    MediaSet({"feature": (1, 1)}, seconds=seconds_from(3, 10), requires=_RATIO, silent=True),
    MediaSet(
        {"feature": (1, 1), "refer": (0, 4), ELEMENT: (0, 4)}, _BESIDE_VIDEO, seconds_from(3, 10), _RATIO, silent=True
    ),
    MediaSet({"feature": (1, 1)} | _FIRST, seconds=seconds_from(3, 10), silent=True),
    # The edited video is as long as the one handed in: `duration` is ignored.
    MediaSet({"base": (1, 1)}, seconds=frozenset(), silent=True),
    MediaSet({"base": (1, 1), "refer": (0, 4), ELEMENT: (0, 4)}, _BESIDE_VIDEO, frozenset(), silent=True),
)
_MODES = {"pro": "1080P", "std": "720P", "4k": "4K"}


def _kling(name: str, sets: tuple[MediaSet, ...], *, modes: tuple[str, ...] = ("pro", "std", "4k")) -> Model:
    turbo = "turbo" in name
    return Model(
        f"kling/{name}",
        needs=("prompt|media",),
        sets=sets,
        modes={mode: _MODES[mode] for mode in modes},
        ratios=("16:9", "9:16", "1:1"),
        ratio_name="aspect_ratio",
        seconds=_3_15,
        audio=turbo,
        prompt_limit=2500,
        shots=not turbo,
        usage="kling",
        running=10,
        http_only=True,
        marked=True,
    )


_VIDU_SIZES = {
    "540P": ("1024*576", "576*1024", "1024*1024", "1024*768", "768*1024"),
    "720P": ("1280*720", "720*1280", "1280*1280", "1280*960", "960*1280"),
    "1080P": ("1920*1080", "1080*1920", "1808*1808", "1920*1440", "1440*1920"),
}
_VIDU_TIERS = ("540P", "720P", "1080P")
_VIDU_LARGE = ("720P", "1080P")
_VIDU_IMAGES = (MediaSet({"image": (1, 7)}),)
_VIDU_CLIPS = (*_VIDU_IMAGES, MediaSet({"image": (1, 4), "video": (1, 2)}))


def _vidu(
    version: str,
    task: str,
    tiers: tuple[str, ...] = _VIDU_TIERS,
    *,
    tier: str = "720P",
    seconds: frozenset[int] = frozenset(),
    shapes: int = 5,
    audio: bool = False,
) -> Model:
    """`task` is the part of the name after the underscore. The first `shapes` sizes of each tier are allowed."""
    seconds = seconds or (_1_16 if version.startswith("viduq3") else _1_10)
    table = {name: sizes[:shapes] for name, sizes in _VIDU_SIZES.items()}
    clips = version == "viduq2-pro" and task == "reference2video"
    needs, sets, requires = {
        "text2video": (("prompt",), (_TEXT,), ()),
        "img2video": (("media",), (MediaSet({"image": (1, 1)}),), ()),
        "start-end2video": (("prompt", "media"), (MediaSet({"image": (2, 2)}),), ("resolution", "duration")),
        "reference2video": (("prompt", "media"), _VIDU_CLIPS if clips else _VIDU_IMAGES, ("duration",)),
    }[task]
    return Model(
        f"vidu/{version}_{task}",
        needs=needs,
        sets=sets,
        requires=requires,
        sizes=sizes_of(table, *tiers) if task in ("text2video", "reference2video") else {},
        tiers=tiers,
        tier=tier,
        sized_by_tier=True,
        # 0 lets the model choose the length.
        seconds=seconds | {0} if clips else seconds,
        audio=audio,
        usage="vidu",
        http_only=True,
    )


_PIXVERSE_TIERS = ("360P", "540P", "720P", "1080P")
_PIXVERSE_SIZES = {
    "360P": (
        "640*360", "360*640", "640*640", "640*480", "480*640", "640*432", "432*640", "640*288",
    ),
    "540P": (
        "1024*576", "576*1024", "1024*1024", "1024*768", "768*1024", "1024*688", "688*1024", "1024*448",
    ),
    "720P": (
        "1280*720", "720*1280", "960*960", "1108*832", "832*1108", "1200*800", "800*1200", "1280*560",
    ),
    "1080P": (
        "1920*1080", "1080*1920", "1440*1440", "1664*1248", "1248*1664", "1776*1184", "1184*1776", "1920*832",
    ),
}  # fmt: skip
_OLD_SMALL = {tier: _PIXVERSE_SIZES[tier][:5] for tier in ("360P", "540P")}
_OLD_TEXT_SIZES = _OLD_SMALL | {tier: _VIDU_SIZES[tier] for tier in _VIDU_LARGE}
_OLD_REFERENCE_SIZES = _OLD_SMALL | {
    "720P": ("1280*720", "720*1280", "960*960", "1108*830", "830*1108"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1662*1246", "1246*1662"),
}
_PIXVERSE_RATIOS = ("auto", "16:9", "4:3", "1:1", "3:4", "9:16", "3:2", "2:3", "21:9")


def _pixverse(version: str) -> Iterator[Model]:
    """The four models of one version: t2v and r2v by `size`, it2v and kf2v by `resolution`."""
    old = version == "v5.6"
    seconds = frozenset({5, 8, 10}) if old else _1_15
    tier_seconds = {"1080P": frozenset({5, 8})} if old else {}
    texts, references = (_OLD_TEXT_SIZES, _OLD_REFERENCE_SIZES) if old else (_PIXVERSE_SIZES, _PIXVERSE_SIZES)
    for task, needs, legal, sizes in (
        ("t2v", ("prompt",), _TEXT, texts),
        ("r2v", ("prompt", "media"), MediaSet({"image_url": (1, 7)}), references),
        # Of several pictures the last one counts, says the page: how many is not limited.
        ("it2v", ("media",), MediaSet({"image_url": (1, 99)}), {}),
        ("kf2v", ("prompt", "media"), MediaSet(_FIRST | _LAST), {}),
    ):
        yield Model(
            f"pixverse/pixverse-{version}-{task}",
            needs=needs,
            sets=(legal,),
            requires=("size" if sizes else "resolution", "duration"),
            sizes=sizes_of(sizes, *sizes),
            tiers=() if sizes else _PIXVERSE_TIERS,
            tier="720P",
            seconds=seconds,
            tier_seconds=tier_seconds,
            audio=False,
            usage="pixverse_shots" if task in ("t2v", "it2v") else "pixverse",
            http_only=True,
        )


_SPEECH = {"lip_sync_tts_speaker_id": (1, 1), "lip_sync_tts_content": (1, 1)}
_VIDEO_URL = {"video_url": (1, 1)}

_MINIMAX_RATIOS = ("adaptive", "16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
_MINIMAX_KINDS = ("image_url", "feature", "driving_audio")

PARTNERS: tuple[Model, ...] = (
    _kling("kling-v3-video-generation", (_KLING_TEXT, _KLING_FIRST, _KLING_ENDS)),
    _kling("kling-v3-omni-video-generation", _KLING_OMNI),
    _kling("kling-v3-turbo-video-generation", (MediaSet({}, requires=_RATIO), MediaSet(_FIRST)), modes=("pro", "std")),
    _vidu("viduq3-pro", "text2video"),
    _vidu("viduq3-turbo", "text2video"),
    _vidu("viduq2", "text2video"),
    _vidu("viduq3-pro", "img2video"),
    _vidu("viduq3-turbo", "img2video"),
    _vidu("viduq2-pro-fast", "img2video", _VIDU_LARGE),
    _vidu("viduq2-pro", "img2video"),
    _vidu("viduq2-turbo", "img2video"),
    _vidu("viduq3-pro", "start-end2video"),
    _vidu("viduq3-turbo", "start-end2video"),
    _vidu("viduq2-pro", "start-end2video"),
    _vidu("viduq2-turbo", "start-end2video"),
    _vidu("viduq3-ad", "reference2video", _VIDU_LARGE, seconds=_3_15),
    # Always with sound; only landscape and portrait.
    _vidu(
        "viduq3-drama", "reference2video", _VIDU_LARGE, tier="1080P", seconds=seconds_from(2, 15), shapes=2, audio=True
    ),
    _vidu("viduq3-mix", "reference2video", _VIDU_LARGE),
    _vidu("viduq3", "reference2video"),
    _vidu("viduq3-turbo", "reference2video"),
    _vidu("viduq2-pro", "reference2video"),
    _vidu("viduq2", "reference2video"),
    *_pixverse("c1"),
    *_pixverse("v6"),
    *_pixverse("v5.6"),
    Model(
        "pixverse/pixverse-v6-r2v-omni",
        needs=("prompt", "media"),
        sets=(
            MediaSet({"image_url": (1, 10)}),
            # Beside a video the length must be 0: it is the longest video's.
            MediaSet({"image_url": (0, 10), "video_url": (1, 2)}, seconds=frozenset({0})),
        ),
        requires=("resolution", "aspect_ratio", "duration"),
        tiers=_PIXVERSE_TIERS,
        tier="720P",
        ratios=_PIXVERSE_RATIOS,
        ratio_name="aspect_ratio",
        seconds=_1_15,
        audio=False,
        usage="pixverse",
        http_only=True,
    ),
    Model(
        "pixverse/pixverse-lipsync",
        needs=("media",),
        sets=(MediaSet(_VIDEO_URL | {"audio_url": (1, 1)}), MediaSet(_VIDEO_URL | _SPEECH)),
        tier="",
        usage="pixverse_video",
        http_only=True,
    ),
    Model(
        "pixverse/pixverse-motioncontrol",
        needs=("media",),
        sets=(MediaSet(_VIDEO_URL | {"image_url": (1, 1)}),),
        requires=("resolution",),
        tiers=("360P", "540P", "720P"),
        tier="720P",
        usage="pixverse_video",
        http_only=True,
    ),
    Model(
        "pixverse/pixverse-upscale",
        needs=("media",),
        sets=(MediaSet(_VIDEO_URL),),
        tier="4K",
        usage="pixverse_video",
        http_only=True,
    ),
    Model(
        "MiniMax/MiniMax-H3",
        sets=(
            MediaSet({}, requires=("ratio",), ratios=_MINIMAX_RATIOS[1:]),
            MediaSet(_FIRST),
            MediaSet(_LAST),
            MediaSet(_FIRST | _LAST),
            MediaSet({"image_url": (0, 9), "feature": (0, 3), "driving_audio": (0, 3)}, (_MINIMAX_KINDS, 1, 15)),
        ),
        requires=("resolution", "duration"),
        tiers=("768P", "2K"),
        tier="768P",
        ratios=_MINIMAX_RATIOS,
        seconds=seconds_from(4, 15),
        prompt_limit=7000,
        usage="minimax",
        http_only=True,
    ),
)
