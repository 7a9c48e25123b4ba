"""The video models of DashScope: what each can do, as far as it is documented, the default one first.

How each is spoken to stands in `wires`, by rules of its family, so that a model newer than this file still gets a
request of the right form: it passes with an open card and the upstream is the judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from providers.contract import SOUND_FIELD, MediaRole, ModelCard, Words
from providers.dashscope.file_limits import file_limits
from providers.dashscope.regions import BEIJING, SINGAPORE, VIRGINIA
from providers.dashscope.wires import wire_of

PROVIDER = "dashscope"
MAX_SEED = 2**31 - 1
REFERENCES = 5
"""Reference images and videos together, of the models that take both."""

# --- sizes ------------------------------------------------------------------------------------------------------

_WIDE_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")

SIZES: dict[tuple[str, str], str] = {
    ("480p", "16:9"): "832x480",
    ("480p", "9:16"): "480x832",
    ("480p", "1:1"): "624x624",
    ("720p", "16:9"): "1280x720",
    ("720p", "9:16"): "720x1280",
    ("720p", "1:1"): "960x960",
    ("720p", "4:3"): "1088x832",
    ("720p", "3:4"): "832x1088",
    ("1080p", "16:9"): "1920x1080",
    ("1080p", "9:16"): "1080x1920",
    ("1080p", "1:1"): "1440x1440",
    ("1080p", "4:3"): "1632x1248",
    ("1080p", "3:4"): "1248x1632",
}
"""The pixels that the models up to wan2.6 make of a tier and a ratio. 480p knows three ratios only."""

SIZES_27: dict[tuple[str, str], str] = SIZES | {
    ("720p", "4:3"): "1104x832",
    ("720p", "3:4"): "832x1104",
    ("1080p", "4:3"): "1648x1248",
    ("1080p", "3:4"): "1248x1648",
}
"""The same for wan2.7, which is told tier and ratio."""


def _sizes(table: Mapping[tuple[str, str], str], resolutions: Sequence[str]) -> dict[tuple[str, str], str]:
    return {(tier, ratio): size for (tier, ratio), size in table.items() if tier in resolutions}


# --- cards ------------------------------------------------------------------------------------------------------

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO
_RA = MediaRole.REFERENCE_AUDIO
_DA = MediaRole.DRIVING_AUDIO
_FC = MediaRole.FIRST_CLIP
_VI = MediaRole.VIDEO


def _any_of(*sets: Sequence[MediaRole]) -> tuple[frozenset[MediaRole], ...]:
    return tuple(frozenset(roles) for roles in sets)


_COMMON = frozenset({"prompt_extend", "watermark", "seed"})
_TEXT_21 = _COMMON | {"negative_prompt"}
_TEXT_25 = _TEXT_21 | {SOUND_FIELD}
_TEXT_26 = _TEXT_25 | {"shot_type"}
_IMAGE_21 = _TEXT_21 | {"template"}
_IMAGE_25 = _TEXT_25 | {"template"}
_IMAGE_26 = _TEXT_26 | {"template"}

_TWO = ("720p", "1080p")
_THREE = ("480p", "720p", "1080p")
_TO_15 = tuple(range(2, 16))
_TO_10 = tuple(range(2, 11))


TEXT_ONLY = Words(
    "该模型只接受文字；有图片时请改用同系列的 i2v 模型，例如 wan2.6-i2v",
    "This model takes text only; for an image use the i2v model of its family, such as wan2.6-i2v",
)
NO_REFERENCES = Words(
    "该模型以图片为画面帧；参考图片或视频请改用 r2v 模型，例如 wan2.6-r2v",
    "This model takes an image as a frame of the video; for references use an r2v model, such as wan2.6-r2v",
)


def _text(
    name: str,
    title: str,
    *,
    resolutions: tuple[str, ...],
    resolution: str,
    durations: tuple[int, ...],
    fields: frozenset[str],
    seconds: float,
) -> ModelCard:
    """Text to video of the older protocol: pixels, no other input."""
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=durations,
        duration=5,
        resolutions=resolutions,
        resolution=resolution,
        ratios=_WIDE_RATIOS,
        ratio="16:9",
        sizes=_sizes(SIZES, resolutions),
        media_hint=TEXT_ONLY,
        fields=fields,
        typical_seconds=seconds,
    )


def _image(
    name: str,
    title: str,
    *,
    resolutions: tuple[str, ...],
    resolution: str,
    durations: tuple[int, ...],
    fields: frozenset[str],
    seconds: float,
    last_frame: bool = False,
) -> ModelCard:
    """One image, or a first and perhaps a last frame, of the older protocol: the ratio is the image's."""
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=durations,
        duration=5,
        resolutions=resolutions,
        resolution=resolution,
        media_sets=_any_of([_FF], [_FF, _LF]) if last_frame else _any_of([_FF]),
        media_hint=NO_REFERENCES,
        prompt_needed=False,
        fields=fields,
        typical_seconds=seconds,
    )


def _references_26(name: str, title: str, fields: frozenset[str], seconds: float) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=_TO_10,
        duration=5,
        resolutions=_TWO,
        resolution="1080p",
        ratios=_WIDE_RATIOS,
        ratio="16:9",
        sizes=_sizes(SIZES, _TWO),
        media_sets=_any_of([_RI], [_RV], [_RI, _RV]),
        media_total=REFERENCES,
        media_limits={_RI: 5, _RV: 3},
        fields=fields,
        typical_seconds=seconds,
    )


def _vace(name: str) -> ModelCard:
    """What the task is says `input.function`, which references and frames imply and a video leaves to the caller."""
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.1 VACE",
        durations=(5,),
        resolutions=("720p",),
        resolution="720p",
        ratios=_WIDE_RATIOS,
        ratio="16:9",
        sizes=_sizes(SIZES, ("720p",)),
        media_sets=_any_of([_RI], [_VI], [_RI, _VI], [_FF], [_FF, _LF], [_LF], [_FC], [_FC, _LF], [_FF, _VI]),
        media_limits={_RI: 3},
        fields=_COMMON,
        typical_seconds=300.0,
    )


def _text_27(name: str) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.7 text to video",
        durations=_TO_15,
        duration=5,
        resolutions=_TWO,
        resolution="1080p",
        ratios=_WIDE_RATIOS,
        ratio="16:9",
        sizes=_sizes(SIZES_27, _TWO),
        media_hint=TEXT_ONLY,
        fields=_TEXT_25,
        typical_seconds=180.0,
    )


def _image_27(name: str) -> ModelCard:
    """A sound is one of its inputs, not a field: not every set of them may have one."""
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.7 image to video",
        durations=_TO_15,
        duration=5,
        resolutions=_TWO,
        resolution="1080p",
        media_sets=_any_of([_FF], [_FF, _DA], [_FF, _LF], [_FF, _LF, _DA], [_FC], [_FC, _LF]),
        media_hint=NO_REFERENCES,
        prompt_needed=False,
        fields=_COMMON,
        typical_seconds=180.0,
    )


def _references_27(name: str) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.7 reference to video",
        durations=_TO_15,
        duration=5,
        resolutions=_TWO,
        resolution="1080p",
        ratios=_WIDE_RATIOS,
        ratio="16:9",
        media_sets=_any_of([_RI], [_RV], [_RI, _RV], [_RI, _FF], [_RV, _FF], [_RI, _RV, _FF]),
        references_total=REFERENCES,
        media_limits={_RI: REFERENCES, _RV: REFERENCES},
        durations_with={_RV: _TO_10},
        fields=_COMMON,
        typical_seconds=240.0,
    )


def _wan_30(name: str, title: str) -> ModelCard:
    """Frames or references, not both. A duration of -1 leaves the length to the model."""
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=(-1, *range(2, 31)),
        duration=5,
        resolutions=_THREE,
        resolution="1080p",
        ratios=("adaptive", "16:9", "4:3", "1:1", "3:4", "9:16"),
        ratio="adaptive",
        media_sets=_any_of(
            [], [_FF], [_LF], [_FF, _LF], [_RI], [_RV], [_RA], [_RI, _RV], [_RI, _RA], [_RV, _RA], [_RI, _RV, _RA]
        ),
        media_limits={_RI: 10, _RV: 5, _RA: 5},
        fields=_COMMON | {"audio"},
        typical_seconds=480.0,
    )


_HAPPYHORSE_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "4:5", "5:4", "9:21", "21:9")


def _happyhorse(name: str, title: str, *, media: tuple[frozenset[MediaRole], ...], ratios: bool) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=tuple(range(3, 16)),
        duration=5,
        resolutions=_TWO,
        resolution="1080p",
        ratios=_HAPPYHORSE_RATIOS if ratios else (),
        ratio="16:9" if ratios else None,
        media_sets=media,
        media_limits={_RI: 9} if any(_RI in roles for roles in media) else {},
        media_hint=TEXT_ONLY if not any(media) else None,
        fields=frozenset({"watermark", "seed"}),
        typical_seconds=180.0,
    )


def _kling(name: str, title: str, *, media: tuple[frozenset[MediaRole], ...]) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=tuple(range(3, 16)),
        duration=5,
        resolutions=("720p", "1080p", "4k"),
        resolution="1080p",
        ratios=("16:9", "9:16", "1:1"),
        ratio="16:9",
        media_sets=media,
        media_limits={_RI: 7} if any(_RI in roles for roles in media) else {},
        fields=frozenset({"audio", "watermark"}),
        typical_seconds=240.0,
    )


def _generation_21(prefix: str) -> tuple[ModelCard, ...]:
    """The 2.1 models: `wanx2.1` in mainland China, `wan2.1` on the international site."""
    low = ("480p", "720p")
    high = ("720p",)
    return (
        _text(
            f"{prefix}-t2v-turbo",
            "Wan 2.1 text to video, turbo",
            resolutions=low,
            resolution="720p",
            durations=(5,),
            fields=_TEXT_21,
            seconds=90.0,
        ),
        _text(
            f"{prefix}-t2v-plus",
            "Wan 2.1 text to video, plus",
            resolutions=high,
            resolution="720p",
            durations=(5,),
            fields=_TEXT_21,
            seconds=240.0,
        ),
        _image(
            f"{prefix}-i2v-turbo",
            "Wan 2.1 image to video, turbo",
            resolutions=low,
            resolution="720p",
            durations=(3, 4, 5),
            fields=_IMAGE_21,
            seconds=150.0,
        ),
        _image(
            f"{prefix}-i2v-plus",
            "Wan 2.1 image to video, plus",
            resolutions=high,
            resolution="720p",
            durations=(5,),
            fields=_IMAGE_21,
            seconds=300.0,
        ),
        _image(
            f"{prefix}-kf2v-plus",
            "Wan 2.1 first and last frame",
            resolutions=high,
            resolution="720p",
            durations=(5,),
            fields=_IMAGE_21,
            seconds=300.0,
            last_frame=True,
        ),
        _vace(f"{prefix}-vace-plus"),
    )


_CARDS: tuple[ModelCard, ...] = (
    _text(
        "wan2.6-t2v",
        "Wan 2.6 text to video",
        resolutions=_TWO,
        resolution="1080p",
        durations=_TO_15,
        fields=_TEXT_26,
        seconds=150.0,
    ),
    _image(
        "wan2.6-i2v",
        "Wan 2.6 image to video",
        resolutions=_TWO,
        resolution="1080p",
        durations=_TO_15,
        fields=_IMAGE_26,
        seconds=150.0,
    ),
    _image(
        "wan2.6-i2v-flash",
        "Wan 2.6 image to video, flash",
        resolutions=_TWO,
        resolution="1080p",
        durations=_TO_15,
        fields=_IMAGE_26 | {"audio"},
        seconds=90.0,
    ),
    _references_26(
        "wan2.6-r2v",
        "Wan 2.6 reference to video",
        frozenset({"negative_prompt", "shot_type", "watermark", "seed"}),
        180.0,
    ),
    _references_26(
        "wan2.6-r2v-flash",
        "Wan 2.6 reference to video, flash",
        frozenset({"negative_prompt", "shot_type", "audio", "watermark", "seed"}),
        120.0,
    ),
    _text(
        "wan2.6-t2v-us",
        "Wan 2.6 text to video, United States",
        resolutions=_TWO,
        resolution="1080p",
        durations=(5, 10),
        fields=_TEXT_26,
        seconds=150.0,
    ),
    _image(
        "wan2.6-i2v-us",
        "Wan 2.6 image to video, United States",
        resolutions=_TWO,
        resolution="1080p",
        durations=(5, 10, 15),
        fields=_IMAGE_26,
        seconds=150.0,
    ),
    _wan_30("wan3.0-video", "Wan 3.0"),
    _wan_30("wan3.0-video-prime", "Wan 3.0 prime"),
    _text_27("wan2.7-t2v"),
    _text_27("wan2.7-t2v-2026-04-25"),
    _text_27("wan2.7-t2v-2026-06-12"),
    _image_27("wan2.7-i2v"),
    _image_27("wan2.7-i2v-2026-04-25"),
    _references_27("wan2.7-r2v"),
    _references_27("wan2.7-r2v-2026-06-12"),
    ModelCard(
        "wan2.7-videoedit",
        PROVIDER,
        title="Wan 2.7 video edit",
        durations=(0, *_TO_10),
        duration=0,
        resolutions=_TWO,
        resolution="1080p",
        ratios=_WIDE_RATIOS,
        media_sets=_any_of([_VI], [_VI, _RI]),
        media_limits={_RI: 4},
        prompt_needed=False,
        fields=_COMMON | {"negative_prompt"},
        typical_seconds=240.0,
    ),
    _text(
        "wan2.5-t2v-preview",
        "Wan 2.5 text to video",
        resolutions=_THREE,
        resolution="1080p",
        durations=(5, 10),
        fields=_TEXT_25,
        seconds=150.0,
    ),
    _image(
        "wan2.5-i2v-preview",
        "Wan 2.5 image to video",
        resolutions=_THREE,
        resolution="1080p",
        durations=(5, 10),
        fields=_IMAGE_25,
        seconds=150.0,
    ),
    _text(
        "wan2.2-t2v-plus",
        "Wan 2.2 text to video",
        resolutions=("480p", "1080p"),
        resolution="1080p",
        durations=(5,),
        fields=_TEXT_21,
        seconds=120.0,
    ),
    _image(
        "wan2.2-i2v-flash",
        "Wan 2.2 image to video, flash",
        resolutions=_THREE,
        resolution="720p",
        durations=(5,),
        fields=_IMAGE_21,
        seconds=60.0,
    ),
    _image(
        "wan2.2-i2v-plus",
        "Wan 2.2 image to video",
        resolutions=("480p", "1080p"),
        resolution="1080p",
        durations=(5,),
        fields=_IMAGE_21,
        seconds=120.0,
    ),
    _image(
        "wan2.2-kf2v-flash",
        "Wan 2.2 first and last frame",
        resolutions=_THREE,
        resolution="720p",
        durations=(5,),
        fields=_IMAGE_21,
        seconds=90.0,
        last_frame=True,
    ),
    *_generation_21("wanx2.1"),
    *_generation_21("wan2.1"),
    *(
        _happyhorse(f"happyhorse-{version}-{task}", f"Happy Horse {version} {title}", media=media, ratios=ratios)
        for version in ("1.1", "1.0")
        for task, title, media, ratios in (
            ("t2v", "text to video", _any_of([]), True),
            ("i2v", "image to video", _any_of([_FF]), False),
            ("r2v", "reference to video", _any_of([_RI]), True),
        )
    ),
    ModelCard(
        "happyhorse-1.0-video-edit",
        PROVIDER,
        title="Happy Horse 1.0 video edit",
        resolutions=_TWO,
        resolution="1080p",
        media_sets=_any_of([_VI], [_VI, _RI]),
        media_limits={_RI: 5},
        fields=frozenset({"watermark", "seed"}),
        typical_seconds=240.0,
    ),
    _kling("kling/kling-v3-video-generation", "Kling 3", media=_any_of([], [_FF], [_FF, _LF])),
    _kling(
        "kling/kling-v3-omni-video-generation",
        "Kling 3 omni",
        media=_any_of([], [_FF], [_FF, _LF], [_RI], [_FF, _RI], [_VI], [_VI, _RI], [_RV], [_RV, _RI]),
    ),
)
_ASIA = frozenset({BEIJING, SINGAPORE})
_AND_US = _ASIA | {VIRGINIA}

_REGIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("wan2.7-r2v-2026-06-12", _AND_US),
    ("wan2.7-", _ASIA),
    ("wan2.6-t2v-us", frozenset({VIRGINIA})),
    ("wan2.6-i2v-us", frozenset({VIRGINIA})),
    # Of these two it is not told.
    ("wan2.6-i2v-flash", frozenset()),
    ("wan2.6-r2v-flash", frozenset()),
    ("wan2.6-", _AND_US),
    ("wan2.5-", _ASIA),
    ("wan2.2-", _ASIA),
    ("wanx2.1-", frozenset({BEIJING})),
    ("wan2.1-", frozenset({SINGAPORE})),
    ("happyhorse-", _AND_US),
    ("kling/", frozenset({BEIJING})),
)
"""Where the models live, by the beginning of their names, of the regions that an account can be in; the first row that
fits counts.

wan3.0 is missing on purpose: it is in all of these regions, but only at the hosts of single workspaces. What it takes
is a base URL, and an account's region says nothing about that.
"""


def _regions_of(model: str) -> frozenset[str]:
    return next((regions for prefix, regions in _REGIONS if model.startswith(prefix)), frozenset())


MODELS = tuple(
    replace(card, max_seed=MAX_SEED, regions=_regions_of(card.name), media_files=file_limits(card)) for card in _CARDS
)
"""Every documented video model with its limits; the default one first."""


def open_card(model: str) -> ModelCard | None:
    """The card of a model that the table lacks: nothing is checked. None when it is of no known family."""
    wire = wire_of(model)
    if wire is None:
        return None
    edits = MediaRole.VIDEO in wire.inputs or "edit" in model.lower()
    return ModelCard(
        model,
        PROVIDER,
        media_sets=_any_of([], [_VI]) if edits else _any_of([]),
        prompt_needed=False,
        typical_seconds=240.0,
        open=True,
    )
