"""The video models of the Jimeng and Dreamina sites: a table, since the sites rename and add."""

from dataclasses import dataclass

from providers.contract import MediaLimits, MediaRole, ModelCard, Words
from providers.files import MediaKind
from providers.jimeng.regions import ASIA, PROVIDER, REGIONS

_ALL = frozenset(REGIONS)
_CN_AND_ASIA = ASIA | {"cn"}
_CN = frozenset({"cn"})

RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
REFERENCES_ELSEWHERE = Words(
    "该模型只接受首帧和尾帧图片；参考图片、视频或音频请改用 Seedance 2.0 模型，例如 jimeng-video-seedance-2.0",
    "This model takes a first and a last frame only; for reference images, videos or audio use a Seedance 2.0 model, "
    "such as jimeng-video-seedance-2.0",
)

_MEGABYTE = 1024 * 1024
MEDIA_FILES: dict[MediaKind, MediaLimits] = {
    MediaKind.IMAGE: MediaLimits(("image/png", "image/jpeg", "image/webp", "image/bmp"), 20 * _MEGABYTE),
    MediaKind.VIDEO: MediaLimits(("video/mp4", "video/quicktime"), 200 * _MEGABYTE),
    MediaKind.AUDIO: MediaLimits(("audio/mpeg", "audio/wav"), 15 * _MEGABYTE),
}
"""Bounds of ours, for safety: the site publishes none but the 15 seconds of video, which are known only once it is
uploaded."""

_FRAMES = (
    frozenset[MediaRole](),
    frozenset({MediaRole.FIRST_FRAME}),
    frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME}),
)
_SEEN = (
    frozenset({MediaRole.REFERENCE_IMAGE}),
    frozenset({MediaRole.REFERENCE_VIDEO}),
    frozenset({MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO}),
)
_REFERENCES = (*_SEEN, *(roles | {MediaRole.REFERENCE_AUDIO} for roles in _SEEN))
"""A sound alone is none: it goes beside what is seen."""

_REFERENCE_LIMITS = {MediaRole.REFERENCE_IMAGE: 9, MediaRole.REFERENCE_VIDEO: 3, MediaRole.REFERENCE_AUDIO: 3}
_REFERENCES_IN_ALL = 12

_DEFAULT_BENEFIT = "basic_video_operation_vgfm_v_three"


@dataclass(frozen=True, slots=True)
class JimengModel:
    """A card and what the wire wants beside it.

    `benefit_type` is the site's name for what is charged, `reference_benefit` that for videos made from references;
    "" where it is the same.
    """

    card: ModelCard
    benefit_type: str
    reference_benefit: str = ""


def _model(
    name: str,
    key: str,
    regions: frozenset[str],
    durations: tuple[int, ...],
    benefit_type: str = _DEFAULT_BENEFIT,
    *,
    duration: int | None = None,
    resolutions: tuple[str, ...] = (),
    typical_seconds: float = 120.0,
    reference_benefit: str = "",
) -> JimengModel:
    """A model; one with a `reference_benefit` takes references.

    With an image the output has the image's shape and the site ignores the ratio.
    """
    references = bool(reference_benefit)
    card = ModelCard(
        name=name,
        provider=PROVIDER,
        key=key,
        durations=durations,
        duration=duration or durations[0],
        resolutions=resolutions,
        resolution=resolutions[0] if resolutions else None,
        ratios=RATIOS,
        ratio="16:9",
        media_sets=_FRAMES + _REFERENCES if references else _FRAMES,
        media_limits=_REFERENCE_LIMITS if references else {},
        media_total=_REFERENCES_IN_ALL if references else None,
        media_hint=None if references else REFERENCES_ELSEWHERE,
        media_files=MEDIA_FILES,
        fetches_urls=False,
        fields=frozenset({"seed"}),
        regions=regions,
        typical_seconds=typical_seconds,
    )
    return JimengModel(card, benefit_type, reference_benefit)


_VGFM = "dreamina_ic_generate_video_model_vgfm"
_TIERS = ("720p", "1080p")
_ANY_4_TO_15 = tuple(range(4, 16))

MODELS: tuple[JimengModel, ...] = (
    _model("jimeng-video-3.5-pro", f"{_VGFM}_3.5_pro", _ALL, (5, 10, 12), "dreamina_video_seedance_15_pro"),
    _model(
        "jimeng-video-seedance-2.0",
        "dreamina_seedance_40_pro",
        _CN,
        _ANY_4_TO_15,
        "dreamina_video_seedance_20_pro",
        duration=5,
        typical_seconds=300.0,
        reference_benefit="dreamina_video_seedance_20_video_add",
    ),
    _model(
        "jimeng-video-seedance-2.0-fast",
        "dreamina_seedance_40",
        _CN,
        _ANY_4_TO_15,
        "dreamina_seedance_20_fast",
        duration=5,
        typical_seconds=180.0,
        reference_benefit="dreamina_seedance_20_fast_with_video",
    ),
    _model("jimeng-video-3.0-pro", f"{_VGFM}_3.0_pro", _CN_AND_ASIA, (5, 10)),
    _model("jimeng-video-3.0", f"{_VGFM}_3.0", _ALL, (5, 10), resolutions=_TIERS),
    _model(
        "jimeng-video-3.0-fast",
        f"{_VGFM}_3.0_fast",
        _CN_AND_ASIA,
        (5, 10),
        resolutions=_TIERS,
        typical_seconds=60.0,
    ),
    _model("jimeng-video-2.0", f"{_VGFM}_lite", _CN_AND_ASIA, (5, 10)),
    _model("jimeng-video-2.0-pro", f"{_VGFM}1.0", _CN_AND_ASIA, (5, 10)),
    _model("jimeng-video-veo3", "dreamina_veo3_generate_video", ASIA, (8,), "generate_video_veo3"),
    _model("jimeng-video-veo3.1", "dreamina_veo3.1_generate_video", ASIA, (8,), "generate_video_veo3.1"),
    _model("jimeng-video-sora2", "dreamina_sora2_generate_video", ASIA, (4, 8, 12), "generate_video_sora2"),
)
"""The default of the site first."""


def extra_model(
    name: str, key: str, benefit_type: str, durations: tuple[int, ...], resolutions: tuple[str, ...] = ()
) -> JimengModel:
    """A model from the configuration, on all sites, that takes frames; the default duration and resolution come
    first."""
    return _model(name, key, _ALL, durations, benefit_type, resolutions=resolutions)


def raw_key(key: str) -> JimengModel:
    """A model that the table lacks, by the key the site itself uses: nothing is checked, the site is the judge of
    frames and of references."""
    card = ModelCard(
        name=key,
        provider=PROVIDER,
        key=key,
        media_sets=_FRAMES + _REFERENCES,
        media_limits=_REFERENCE_LIMITS,
        media_total=_REFERENCES_IN_ALL,
        media_files=MEDIA_FILES,
        fetches_urls=False,
        fields=frozenset({"seed"}),
        open=True,
    )
    return JimengModel(card, _DEFAULT_BENEFIT)
