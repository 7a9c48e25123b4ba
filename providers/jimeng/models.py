"""The video models of the Jimeng and Dreamina sites: a table, since the sites rename and add."""

from dataclasses import dataclass

from providers.contract import ModelCard, Words
from providers.jimeng.regions import ASIA, PROVIDER, REGIONS

_ALL = frozenset(REGIONS)
_CN_AND_ASIA = ASIA | {"cn"}
_CN = frozenset({"cn"})

RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
NO_UPLOADS = Words(
    "即梦暂不支持传入图片或视频，请改用纯文本提示词，或使用 DashScope 图生视频模型（如 wan2.6-i2v）",
    "Jimeng takes text only for now: leave the media out, or use an image-to-video model of DashScope (wan2.6-i2v)",
)
"""The site takes inputs only as uploads of its own, which this version does not make."""
_DEFAULT_BENEFIT = "basic_video_operation_vgfm_v_three"


@dataclass(frozen=True, slots=True)
class JimengModel:
    """A card and what the wire wants beside it: `benefit_type` is the site's name for what is charged."""

    card: ModelCard
    benefit_type: str


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
) -> JimengModel:
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
        media_hint=NO_UPLOADS,
        fields=frozenset({"seed"}),
        regions=regions,
        typical_seconds=typical_seconds,
    )
    return JimengModel(card, benefit_type)


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
    ),
    _model(
        "jimeng-video-seedance-2.0-fast",
        "dreamina_seedance_40",
        _CN,
        _ANY_4_TO_15,
        "dreamina_seedance_20_fast",
        duration=5,
        typical_seconds=180.0,
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
    """A model from the configuration, on all sites; the default duration and resolution come first."""
    return _model(name, key, _ALL, durations, benefit_type, resolutions=resolutions)


def raw_key(key: str) -> JimengModel:
    """A model that the table lacks, by the key the site itself uses: nothing is checked, the site is the judge."""
    card = ModelCard(
        name=key,
        provider=PROVIDER,
        key=key,
        fields=frozenset({"seed"}),
        open=True,
    )
    return JimengModel(card, _DEFAULT_BENEFIT)
