"""The fallback table: the public name of every model, and what each site offered when its configuration was captured.

The live configuration wins (`configuration`): this table counts where it cannot be read, and for the names. A model of
`MODELS` is described once for the mainland site and once for the sites abroad where the two differ.

Sources: the mainland list of 2026-09-30 with details captured 2026-08-30; the list of Dreamina captured 2026-08-30.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from providers.contract.models import ModelCard
from providers.jimeng.site.regions import PROVIDER, REGIONS
from providers.jimeng.site_model import (
    MEDIA_FILES,
    RATIOS,
    Benefits,
    MaterialLimit,
    Materials,
    ModelWire,
    ResolutionBenefit,
    SiteModel,
)
from providers.media_files import MediaKind

_CN = frozenset({"cn"})
_ABROAD = frozenset(REGIONS) - _CN
_ALL = frozenset(REGIONS)

_VGFM = "dreamina_ic_generate_video_model_vgfm"

NAMES: Mapping[str, str] = {
    "dreamina_seedance_45_pro": "jimeng-video-seedance-2.5",
    "dreamina_seedance_45_pro_draft": "jimeng-video-seedance-2.5-draft",
    "dreamina_seedance_40_pro": "jimeng-video-seedance-2.0",
    "dreamina_seedance_40": "jimeng-video-seedance-2.0-fast",
    "dreamina_seedance_40_mini": "jimeng-video-seedance-2.0-mini",
    "dreamina_seedance_40_pro_vision": "jimeng-video-seedance-2.0-vip",
    "dreamina_seedance_40_vision": "jimeng-video-seedance-2.0-fast-vip",
    f"{_VGFM}_3.5_pro": "jimeng-video-3.5-pro",
    f"{_VGFM}_3.0_pro": "jimeng-video-3.0-pro",
    f"{_VGFM}_3.0_fast": "jimeng-video-3.0-fast",
    f"{_VGFM}_3.0": "jimeng-video-3.0",
    f"{_VGFM}_lite": "jimeng-video-2.0",
    f"{_VGFM}1.0": "jimeng-video-2.0-pro",
    "dreamina_minimax_h3": "jimeng-video-minimax-h3",
    "dreamina_happyhorse_v1_1": "jimeng-video-happyhorse-1.1",
    "dreamina_wan_30": "jimeng-video-wan-3.0",
    "dreamina_veo3_generate_video": "jimeng-video-veo3",
    "dreamina_veo3.1_generate_video": "jimeng-video-veo3.1",
    "dreamina_sora2_generate_video": "jimeng-video-sora2",
}
"""The site's key of a model → the public name. A key that is not here is its own public name."""

PREFERRED = (
    "jimeng-video-3.5-pro",
    "jimeng-video-seedance-2.0-fast",
    "jimeng-video-seedance-2.0-mini",
    "jimeng-video-3.0-fast",
    "jimeng-video-3.0-pro",
    "jimeng-video-seedance-2.0",
    "jimeng-video-seedance-2.5",
)
"""The models that are tried in this order where a client names none: the first that the account's site has."""

_MEGABYTE = 1024 * 1024
_FRAMES = frozenset({"prompt", "first_frame", "end_frame"})
_FIRST_FRAME = frozenset({"prompt", "first_frame"})
_WITH_MATERIALS = _FRAMES | {"unified_edit"}


def _limit(kind: MediaKind, count: int, *, megabytes: int = 0, **bounds: Any) -> MaterialLimit:
    known = MEDIA_FILES[kind]
    return MaterialLimit(count, replace(known, max_bytes=megabytes * _MEGABYTE or known.max_bytes, **bounds))


_SEEN = frozenset({MediaKind.IMAGE, MediaKind.VIDEO})
_PICTURE: dict[str, Any] = {"megabytes": 30, "min_side": 300, "max_side": 6000, "max_aspect": 2.5}

_MATERIALS_2_0 = Materials(
    {
        MediaKind.IMAGE: _limit(MediaKind.IMAGE, 9, **_PICTURE),
        MediaKind.VIDEO: _limit(
            MediaKind.VIDEO,
            3,
            megabytes=50,
            min_side=200,
            max_side=2160,
            max_aspect=2.5,
            min_seconds=2.0,
            max_seconds=15.4,
            max_total_seconds=15.4,
        ),
        MediaKind.AUDIO: _limit(
            MediaKind.AUDIO, 3, megabytes=15, min_seconds=2.0, max_seconds=15.0, max_total_seconds=15.0
        ),
    },
    total=12,
    any_of=_SEEN,
)
_MATERIALS_2_5 = Materials(
    {
        MediaKind.IMAGE: _limit(MediaKind.IMAGE, 30, **_PICTURE),
        MediaKind.VIDEO: _limit(
            MediaKind.VIDEO,
            10,
            megabytes=200,
            min_side=300,
            max_side=6000,
            max_aspect=2.5,
            min_seconds=1.8,
            max_seconds=30.2,
            max_total_seconds=30.2,
        ),
        MediaKind.AUDIO: _limit(
            MediaKind.AUDIO, 10, megabytes=15, min_seconds=1.8, max_seconds=30.2, max_total_seconds=30.2
        ),
    },
    total=50,
)
_PICTURES = Materials({MediaKind.IMAGE: _limit(MediaKind.IMAGE, 9)}, total=9)
_MATERIALS_WAN = replace(_MATERIALS_2_0, total=20)


def _outputs(prefix: str, *resolutions: str, without_clip: str = "output") -> dict[str, ResolutionBenefit]:
    """Benefits of a family that are named by resolution: `seedance_20_pro_720p_output`."""
    return {
        resolution: ResolutionBenefit(f"{prefix}_{resolution}_output", f"{prefix}_{resolution}_{without_clip}")
        for resolution in resolutions
    }


_NO_CLIP = "no_input_video_output"
_BASIC = "basic_video_operation_vgfm_v_three"
_4_TO_15 = tuple(range(4, 16))
_4_TO_30 = tuple(range(4, 31))
_5_TO_10 = tuple(range(5, 11))

_SEEDANCE_2_5 = SiteModel(
    "dreamina_seedance_45_pro",
    Benefits("seedance_25_720p_output", _outputs("seedance_25", "480p", "720p", "1080p", without_clip=_NO_CLIP)),
    title="Seedance 2.5",
    seconds=_4_TO_30,
    resolutions=("480p", "720p", "1080p"),
    inputs=_WITH_MATERIALS,
    materials=_MATERIALS_2_5,
    max_prompt=15_000,
    typical_seconds=300.0,
)
_SEEDANCE_2_5_DRAFT = replace(
    _SEEDANCE_2_5,
    key="dreamina_seedance_45_pro_draft",
    title="Seedance 2.5 Draft",
    resolutions=("480p",),
    benefits=Benefits("seedance_25_draft_480p_output", _outputs("seedance_25_draft", "480p", without_clip=_NO_CLIP)),
    draft_mode=True,
    typical_seconds=120.0,
)
_SEEDANCE_2_0 = SiteModel(
    "dreamina_seedance_40_pro",
    Benefits("dreamina_video_seedance_20_pro", with_clip="dreamina_video_seedance_20_video_add"),
    title="Seedance 2.0",
    seconds=_4_TO_15,
    resolutions=("720p",),
    inputs=_WITH_MATERIALS,
    materials=_MATERIALS_2_0,
    max_prompt=4000,
    typical_seconds=300.0,
)
_SEEDANCE_2_0_FAST = replace(
    _SEEDANCE_2_0,
    key="dreamina_seedance_40",
    title="Seedance 2.0 Fast",
    benefits=Benefits("dreamina_seedance_20_fast", with_clip="dreamina_seedance_20_fast_with_video"),
    typical_seconds=180.0,
)
_SEEDANCE_2_0_MINI = replace(
    _SEEDANCE_2_0,
    key="dreamina_seedance_40_mini",
    title="Seedance 2.0 Mini",
    benefits=Benefits("seedance_20_mini_720p_output", _outputs("seedance_20_mini", "720p", "1080p")),
    typical_seconds=120.0,
)
_3_5_PRO = SiteModel(
    f"{_VGFM}_3.5_pro",
    Benefits("dreamina_video_seedance_15_pro"),
    title="Video 3.5 Pro",
    seconds=tuple(range(5, 13)),
    resolutions=("720p", "1080p"),
)
_3_0_PRO = SiteModel(
    f"{_VGFM}_3.0_pro",
    Benefits(f"{_BASIC}_pro"),
    title="Seedance 1.0",
    seconds=_5_TO_10,
    resolutions=("1080p",),
    inputs=_FIRST_FRAME,
)
_3_0_FAST = SiteModel(
    f"{_VGFM}_3.0_fast",
    Benefits(
        _BASIC,
        {
            "720p": ResolutionBenefit(_BASIC, _BASIC),
            "1080p": ResolutionBenefit(f"{_BASIC}_1080", f"{_BASIC}_1080"),
        },
    ),
    title="Seedance 1.0 Fast",
    # The capture leaves its lengths out: these two are what every client sends.
    seconds=(5, 10),
    resolutions=("720p", "1080p"),
    typical_seconds=60.0,
)

_FAMILIES: Mapping[str, Benefits] = {
    "dreamina_seedance_45_": _SEEDANCE_2_5.benefits,
    "dreamina_seedance_40_pro_": Benefits(
        "seedance_20_pro_720p_output", _outputs("seedance_20_pro", "480p", "720p", "1080p", "4k")
    ),
    "dreamina_seedance_40_mini_": _SEEDANCE_2_0_MINI.benefits,
    "dreamina_seedance_40_": Benefits(
        "seedance_20_fast_720p_output", _outputs("seedance_20_fast", "480p", "720p", "1080p")
    ),
}
"""Beginnings of the keys of a family, the longest first → the benefits of its models that no site lists here."""

_OFFERED: tuple[tuple[frozenset[str], SiteModel], ...] = (
    (_ABROAD, _3_5_PRO),
    (_CN, _SEEDANCE_2_0_FAST),
    (
        _ABROAD,
        replace(
            _SEEDANCE_2_0_FAST,
            benefits=replace(_SEEDANCE_2_0_FAST.benefits, by_resolution=_outputs("seedance_20_fast", "720p")),
        ),
    ),
    (_ALL, _SEEDANCE_2_0_MINI),
    (_ALL, _3_0_FAST),
    (_ALL, _3_0_PRO),
    (_CN, _SEEDANCE_2_0),
    (
        _ABROAD,
        replace(
            _SEEDANCE_2_0,
            resolutions=("720p", "1080p", "4k"),
            benefits=replace(_SEEDANCE_2_0.benefits, by_resolution=_outputs("seedance_20_pro", "720p", "1080p", "4k")),
        ),
    ),
    (_ALL, _SEEDANCE_2_5),
    (_ALL, _SEEDANCE_2_5_DRAFT),
    (
        _CN,
        replace(
            _SEEDANCE_2_0,
            key="dreamina_seedance_40_pro_vision",
            title="Seedance 2.0 VIP",
            resolutions=("720p", "1080p", "4k"),
            benefits=_FAMILIES["dreamina_seedance_40_pro_"],
        ),
    ),
    (
        _CN,
        replace(
            _SEEDANCE_2_0,
            key="dreamina_seedance_40_vision",
            title="Seedance 2.0 Fast VIP",
            benefits=_FAMILIES["dreamina_seedance_40_"],
            typical_seconds=180.0,
        ),
    ),
    (
        _CN,
        SiteModel(
            "dreamina_minimax_h3",
            Benefits("minimax_h3_768p_output", _outputs("minimax_h3", "768p", "2k")),
            title="MiniMax H3",
            seconds=_4_TO_15,
            resolutions=("768P", "2K"),
            inputs=_WITH_MATERIALS,
            materials=_MATERIALS_2_0,
            max_prompt=7000,
        ),
    ),
    (
        _CN,
        SiteModel(
            "dreamina_happyhorse_v1_1",
            Benefits("happyhorse_11_720p_output", _outputs("happyhorse_11", "720p", "1080p")),
            title="HappyHorse 1.1",
            seconds=_4_TO_15,
            resolutions=("720P", "1080P"),
            ratios=(*RATIOS, "4:5", "5:4", "9:21"),
            inputs=_FIRST_FRAME | {"unified_edit"},
            materials=_PICTURES,
            max_prompt=2500,
        ),
    ),
    (
        _CN,
        SiteModel(
            "dreamina_wan_30",
            Benefits("wan_30_1080p_output", _outputs("wan_30", "720p", "1080p")),
            title="Wan 3.0",
            # Its lengths are not captured: these two are what the other models of the site have in common.
            seconds=(5, 10),
            resolutions=("720P", "1080P"),
            inputs=_WITH_MATERIALS,
            materials=_MATERIALS_WAN,
            max_prompt=20_000,
        ),
    ),
)

_WITHDRAWN = (
    SiteModel(f"{_VGFM}_3.0", Benefits(_BASIC), title="Video 3.0", seconds=(5, 10), resolutions=("720p", "1080p")),
    SiteModel(f"{_VGFM}_lite", Benefits(_BASIC), title="Video S2.0", seconds=(5, 10)),
    SiteModel(f"{_VGFM}1.0", Benefits(_BASIC), title="Video S2.0 Pro", seconds=(5, 10)),
    SiteModel("dreamina_veo3_generate_video", Benefits("generate_video_veo3"), title="Veo 3", seconds=(8,)),
    SiteModel("dreamina_veo3.1_generate_video", Benefits("generate_video_veo3.1"), title="Veo 3.1", seconds=(8,)),
    SiteModel("dreamina_sora2_generate_video", Benefits("generate_video_sora2"), title="Sora 2", seconds=(4, 8, 12)),
)

_BENEFITS: Mapping[str, Benefits] = {
    model.key: model.benefits for model in reversed((*(model for _, model in _OFFERED), *_WITHDRAWN))
}
"""The site's key of a model → its benefits, those of the mainland site where sites differ."""

MODELS: tuple[ModelCard, ...] = tuple(model.card(NAMES[model.key], regions) for regions, model in _OFFERED)
"""What the sites offer, the preferred models first."""

WITHDRAWN: tuple[ModelCard, ...] = tuple(model.card(NAMES[model.key]) for model in _WITHDRAWN)
"""Models that no site lists any more. Their tasks are still reported, and a request for one is answered that it is
gone."""


def name_of(key: str) -> str:
    """The public name of a model of the site."""
    return NAMES.get(key, key)


def extra_model(
    name: str, key: str, benefit_type: str, durations: tuple[int, ...], resolutions: tuple[str, ...] = ()
) -> ModelCard:
    """A model from the configuration, on all sites, that takes frames; the default duration and resolution come
    first."""
    model = SiteModel(key, Benefits(benefit_type), seconds=durations, resolutions=resolutions)
    resolution = resolutions[0].lower() if resolutions else None
    return replace(model.card(name), duration=durations[0], resolution=resolution, configured=True)


def raw_key(key: str) -> ModelCard:
    """A model by the key that the site itself uses, on any site, with the benefits of the table or of its family:
    nothing is checked, the site is the judge of frames and of references."""
    family = next((benefits for start, benefits in _FAMILIES.items() if key.startswith(start)), Benefits(_BASIC))
    benefits = _BENEFITS.get(key, family)
    model = SiteModel(key, benefits, inputs=_WITH_MATERIALS, materials=_MATERIALS_2_5)
    card = model.card()
    return ModelCard(
        name=key,
        provider=PROVIDER,
        key=key,
        media_sets=card.media_sets,
        media_limits=card.media_limits,
        media_total=card.media_total,
        media_files=MEDIA_FILES,
        fetches_urls=False,
        fields=frozenset({"seed"}),
        wire=ModelWire(benefits, by_reference=True),
        unlisted=True,
    )
