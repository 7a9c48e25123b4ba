"""Kling: what each model can do (page of July and August 2026).

The words of the wire: `refer` is a reference image, `feature` a reference video, `base` a video to edit.
"""

from collections.abc import Mapping

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.families.common import PROVIDER, any_of, seconds

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO
_VI = MediaRole.VIDEO

_ELEMENTS_BESIDE_FRAMES = 3
"""Entries of `element_list` beside a first frame."""
_OMNI_REFERENCES = 7
_REFERENCES_BESIDE_CLIPS = 4
"""Reference images and entries of `element_list` together."""


def _card(
    name: str,
    title: str,
    media: tuple[frozenset[MediaRole], ...],
    *,
    resolutions: tuple[str, ...] = ("720p", "1080p", "4k"),
    fields: frozenset[str] = frozenset({"audio", "watermark"}),
    references: int,
    references_beside: Mapping[MediaRole, Mapping[MediaRole, int]],
    durations_with: Mapping[MediaRole, tuple[int, ...]],
    always_on: frozenset[str] = frozenset(),
) -> ModelCard:
    return ModelCard(
        f"kling/{name}-video-generation",
        PROVIDER,
        title=title,
        durations=seconds(3, 15),
        duration=5,
        resolutions=resolutions,
        resolution="1080p",
        ratios=("16:9", "9:16", "1:1"),
        ratio="16:9",
        media_sets=media,
        media_limits={_RI: references},
        media_limits_with=references_beside,
        durations_with=durations_with,
        always_on=always_on,
        silent_with=frozenset({_RV, _VI}) if any(_VI in roles for roles in media) else frozenset(),
        prompt_options=frozenset({"multi_prompt"}),
        counted_options={"element_list": _RI},
        fields=fields,
        typical_seconds=240.0,
    )


CARDS: tuple[ModelCard, ...] = (
    _card(
        "kling-v3",
        "Kling 3",
        any_of([], [_FF], [_FF, _LF]),
        references=_OMNI_REFERENCES,
        references_beside={_FF: {_RI: _ELEMENTS_BESIDE_FRAMES}},
        durations_with={},
    ),
    _card(
        "kling-v3-omni",
        "Kling 3 omni",
        any_of([], [_FF], [_FF, _LF], [_RI], [_RV], [_RV, _RI], [_RV, _FF], [_VI], [_VI, _RI]),
        references=_OMNI_REFERENCES,
        references_beside={
            _FF: {_RI: _ELEMENTS_BESIDE_FRAMES},
            _RV: {_RI: _REFERENCES_BESIDE_CLIPS},
            _VI: {_RI: _REFERENCES_BESIDE_CLIPS},
        },
        # An edited video is as long as its input, whatever is asked for.
        durations_with={_RV: seconds(3, 10), _VI: ()},
    ),
    # Of 2026-08-27. Its page is not published yet: the release notes and three clients of the service agree on this.
    # The sound is always on, so that there is no switch.
    _card(
        "kling-v3-turbo",
        "Kling 3 turbo",
        any_of([], [_FF]),
        resolutions=("720p", "1080p"),
        fields=frozenset({"watermark"}),
        always_on=frozenset({"audio"}),
        references=0,
        references_beside={},
        durations_with={},
    ),
)
