"""The models of each site as its configuration call tells them: data only.

cn: the twelve keys of 2026-09-30; their details from the configuration of 2026-08-30, and where that has no entry yet,
from the field list of 2026-09-10. Dreamina: the configuration of 2026-08-30. Kept apart from the provider's own table
on purpose: the two are written from the wire, not from each other.
"""

from dataclasses import replace

from providers.sandbox.jimeng.model_rows import Limit, Materials, Model, Price, Seconds
from providers.sandbox.jimeng.sites import Site

VGFM = "dreamina_ic_generate_video_model_"

TEXT, FIRST, END, REFERENCES = "prompt", "first_frame", "end_frame", "unified_edit"
_ALL_INPUTS = (REFERENCES, TEXT, FIRST, END)

_IMAGE_FORMATS = ("jpeg", "png", "webp", "bmp", "tiff", "gif", "heic", "heif")
_CLIP_FORMATS, _SOUND_FORMATS = ("mp4", "mov"), ("wav", "mp3")
_SHAPE = {"min_aspect_ratio": 0.4, "max_aspect_ratio": 2.5}
_IMAGE_PIXELS = {"max_width": 6000, "max_height": 6000, "min_width": 300, "min_height": 300, **_SHAPE}
_CLIP_PIXELS = {
    "min_fps": 24, "max_fps": 60, "min_total_pixels": 409_600, "max_total_pixels": 8_295_044, **_IMAGE_PIXELS,
}  # fmt: skip
_CLIP_PIXELS_20 = {"max_width": 2160, "max_height": 2160, "min_width": 200, "min_height": 200, **_SHAPE}

_MATERIALS_25 = Materials(
    images=Limit(30, 30, _IMAGE_FORMATS, pixels=_IMAGE_PIXELS),
    clips=Limit(10, 200, _CLIP_FORMATS, 1.8, 30.2, 30.2, _CLIP_PIXELS),
    sounds=Limit(10, 15, _SOUND_FORMATS, 1.8, 30.2, 30.2),
    total=50,
)
_MATERIALS_20 = Materials(
    images=Limit(9, 30, _IMAGE_FORMATS, pixels=_IMAGE_PIXELS),
    clips=Limit(3, 50, _CLIP_FORMATS, 2, 15.4, 15.4, _CLIP_PIXELS_20),
    sounds=Limit(3, 15, _SOUND_FORMATS, 2, 15, 15),
    total=12,
    lead_required=True,
)
_MATERIALS_MINIMAX = replace(_MATERIALS_20, lead_required=False)
"""Only the total of 12 is captured; the rest is that of the 2.0 family."""

_MATERIALS_HAPPYHORSE = Materials(images=Limit(9, 30, _IMAGE_FORMATS, pixels=_IMAGE_PIXELS), total=9)
_MATERIALS_WAN = replace(
    _MATERIALS_MINIMAX,
    images=Limit(20, 30, _IMAGE_FORMATS, pixels=_IMAGE_PIXELS),
    total=20,
)
"""The total is of 2026-09-10; how many of each kind is not captured: up to all of them pictures."""


def _price_25(resolution: str) -> Price:
    return Price(
        resolution,
        f"seedance_25_{resolution}_output",
        f"seedance_25_{resolution}_no_input_video_output",
        f"seedance_25_long_video_{resolution}_output",
        f"seedance_25_long_video_{resolution}_no_input_video_output",
    )


def _prices(pattern: str, *resolutions: str) -> tuple[Price, ...]:
    """One benefit type per resolution, with and without a clip."""
    return tuple(Price(one, pattern.format(one.lower())) for one in resolutions)


_SEEDANCE_25 = Model(
    key="dreamina_seedance_45_pro",
    name="即梦 Seedance 2.5 ",
    source="by seed",
    icon_tag="new",
    # A configuration lists 480p first and gives `default_val_idx` 0, while `default` bills 720p.
    resolutions=("480p", "720p", "1080p"),
    seconds=Seconds(4, 30),
    inputs=(*_ALL_INPUTS, "long_video", "edit"),
    benefit="seedance_25_720p_output",
    prices=tuple(_price_25(one) for one in ("480p", "720p", "1080p")),
    materials=_MATERIALS_25,
    prompt_chars=15_000,
    long_seconds=(30, 180),
    confirmation=True,
    audit_policy="video_generate_seedance25_policy",
)
_SEEDANCE_25_DRAFT = replace(
    _SEEDANCE_25,
    key="dreamina_seedance_45_pro_draft",
    name="即梦 Seedance 2.5 预览",
    # No raw entry of this one is captured: what differs is what its submits of autumn 2026 show.
    resolutions=("480p",),
    benefit="seedance_25_draft_480p_output",
    prices=(Price("480p", "seedance_25_draft_480p_output", "seedance_25_draft_480p_no_input_video_output"),),
    inputs=_ALL_INPUTS,
    long_seconds=None,
    draft_mode=True,
)


def _seedance_20(key: str, name: str, benefit: str, **more: object) -> Model:
    base = Model(
        key=key,
        name=name,
        source="by Seedance 2.0",
        resolutions=("720p",),
        seconds=Seconds(4, 15),
        inputs=_ALL_INPUTS,
        benefit=benefit,
        materials=_MATERIALS_20,
        prompt_chars=4000,
        confirmation=True,
        audit_policy="video_generate_seedance20_policy",
    )
    return replace(base, **more)  # type: ignore[arg-type]


_PRO_LIST = _prices("seedance_20_pro_{}_output", "480p", "720p", "1080p", "4k")
_FAST_LIST = _prices("seedance_20_fast_{}_output", "480p", "720p", "1080p")

_SEEDANCE_20_PRO = _seedance_20(
    "dreamina_seedance_40_pro",
    "即梦 Seedance 2.0",
    "dreamina_video_seedance_20_pro",
    clip_benefit="dreamina_video_seedance_20_video_add",
    # Programs of 2026-04 and later bill it like its paid sister, with and without a clip.
    also=("seedance_20_pro_720p_output",),
    also_with_clip=("seedance_20_pro_720p_output",),
    switch_to="dreamina_seedance_40_vision",
)
_SEEDANCE_20_FAST = _seedance_20(
    "dreamina_seedance_40",
    "即梦 Seedance 2.0 Fast",
    "dreamina_seedance_20_fast",
    clip_benefit="dreamina_seedance_20_fast_with_video",
    switch_to="dreamina_seedance_40_vision",
)
_SEEDANCE_20_PRO_VISION = _seedance_20(
    "dreamina_seedance_40_pro_vision",
    "即梦 Seedance 2.0 VIP",
    "seedance_20_pro_720p_output",
    resolutions=("720p", "1080p", "4k"),
    prices=_PRO_LIST,
    clip_benefit="seedance_20_pro_720p_output",
)
_SEEDANCE_20_FAST_VISION = _seedance_20(
    "dreamina_seedance_40_vision",
    "即梦 Seedance 2.0 Fast VIP",
    "seedance_20_fast_720p_output",
    prices=_FAST_LIST,
    clip_benefit="seedance_20_fast_720p_output",
    # The free trial of five seconds, captured 2026-09-18 on the mainland site.
    also=("dreamina_seedance_20_fast_5s",),
)
_SEEDANCE_20_MINI = _seedance_20(
    "dreamina_seedance_40_mini",
    "即梦 Seedance 2.0 Mini",
    "seedance_20_mini_720p_output",
    prices=_prices("seedance_20_mini_{}_output", "720p", "1080p"),
    # `_5s` captured 2026-09-18 on the mainland site, `_8s` 2026-09-21 on the American one.
    also=("seedance_20_mini_720p_output_5s", "seedance_20_mini_720p_output_8s"),
)
_SEEDANCE_15_PRO = Model(
    key=VGFM + "vgfm_3.5_pro",
    name="Video 3.5 Pro",
    source="by Seedance 1.5",
    resolutions=("720p", "1080p"),
    seconds=Seconds(5, 12),
    inputs=(TEXT, FIRST, END),
    benefit="dreamina_video_seedance_15_pro",
    cancellable=False,
)
_SEEDANCE_10_PRO = Model(
    key=VGFM + "vgfm_3.0_pro",
    name="即梦 Seedance 1.0",
    tip="效果最佳，画质超清",
    source="by Seedance 1.0",
    resolutions=("1080p",),
    seconds=Seconds(5, 10),
    inputs=(TEXT, FIRST),
    benefit="basic_video_operation_vgfm_v_three_pro",
    cancellable=False,
)
_SEEDANCE_10_FAST = Model(
    key=VGFM + "vgfm_3.0_fast",
    name="即梦 Seedance 1.0 Fast",
    source="by Seedance 1.0",
    resolutions=("720p", "1080p"),
    # Its seconds and its end frame are not in a capture: those of its sister, and what programs send.
    seconds=Seconds(5, 10),
    inputs=(TEXT, FIRST, END, "multi_frames"),
    benefit="basic_video_operation_vgfm_v_three",
    by_resolution={
        "720p": "basic_video_operation_vgfm_v_three",
        "1080p": "basic_video_operation_vgfm_v_three_1080",
    },
    cancellable=False,
    mutex=("frames", "multi_frames"),
)
_MINIMAX = Model(
    key="dreamina_minimax_h3",
    name="MiniMax H3",
    source="by MiniMax",
    resolutions=("768P", "2K"),
    seconds=Seconds(4, 15, in_ms=True),
    inputs=_ALL_INPUTS,
    benefit="minimax_h3_768p_output",
    prices=_prices("minimax_h3_{}_output", "768P", "2K"),
    materials=_MATERIALS_MINIMAX,
    prompt_chars=7000,
)
_HAPPYHORSE = Model(
    key="dreamina_happyhorse_v1_1",
    name="HappyHorse 1.1",
    source="by HappyHorse",
    resolutions=("720P", "1080P"),
    seconds=Seconds(4, 15, in_ms=True),
    inputs=(REFERENCES, TEXT, FIRST),
    benefit="happyhorse_11_720p_output",
    ratios=("21:9", "16:9", "4:3", "5:4", "1:1", "4:5", "3:4", "9:16", "9:21"),
    prices=_prices("happyhorse_11_{}_output", "720P", "1080P"),
    materials=_MATERIALS_HAPPYHORSE,
    prompt_chars=2500,
)
_WAN = Model(
    key="dreamina_wan_30",
    name="Wan 3.0",
    source="by Wan",
    resolutions=("720P", "1080P"),
    # No raw entry is captured: resolutions, benefit types, materials and prompt are; its seconds and inputs are those
    # of the other third parties.
    seconds=Seconds(4, 15, in_ms=True),
    inputs=_ALL_INPUTS,
    benefit="wan_30_1080p_output",
    prices=_prices("wan_30_{}_output", "720P", "1080P"),
    materials=_MATERIALS_WAN,
    prompt_chars=20_000,
)

_CN: tuple[Model, ...] = (
    _SEEDANCE_25,
    _SEEDANCE_20_PRO,
    _SEEDANCE_20_FAST,
    _SEEDANCE_20_PRO_VISION,
    _SEEDANCE_20_FAST_VISION,
    _SEEDANCE_20_MINI,
    _SEEDANCE_10_PRO,
    _SEEDANCE_10_FAST,
    _MINIMAX,
    _HAPPYHORSE,
    _WAN,
    _SEEDANCE_25_DRAFT,
)

# Dreamina's two have the mainland's benefit types and a price list: the list decides, the others are accepted.
_DREAMINA: tuple[Model, ...] = (
    _SEEDANCE_25,
    _SEEDANCE_20_MINI,
    replace(
        _SEEDANCE_20_FAST,
        prices=_FAST_LIST,
        also=("dreamina_seedance_20_fast",),
        also_with_clip=("dreamina_seedance_20_fast_with_video",),
        switch_to="",
    ),
    replace(
        _SEEDANCE_20_PRO,
        resolutions=("720p", "1080p", "4k"),
        prices=_PRO_LIST,
        also=("dreamina_video_seedance_20_pro",),
        also_with_clip=("dreamina_video_seedance_20_video_add",),
        switch_to="",
    ),
    _SEEDANCE_15_PRO,
    _SEEDANCE_10_PRO,
    _SEEDANCE_10_FAST,
)

MODELS: dict[Site, tuple[Model, ...]] = {"cn": _CN, "us": _DREAMINA, "asia": _DREAMINA}
"""Site → its models in the order of the configuration's list."""

DEFAULTS: dict[Site, str] = {"cn": _SEEDANCE_20_PRO.key, "us": _SEEDANCE_10_FAST.key, "asia": _SEEDANCE_10_FAST.key}
"""Site → the model of `default_model_idx`: 1 on cn, 6 on Dreamina (both 2026-08-30); which model stood there is not
captured, since the lists are known as sets."""
