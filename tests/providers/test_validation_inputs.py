"""How inputs limit the other fields, how long texts may be, and which URLs upstreams can fetch."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import FieldReason
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.validation import (
    DURATION_FROM_INPUT,
    NO_AUDIO_WITH_VIDEO,
    RATIO_FROM_INPUT,
    URLS_ONLY,
    snap_to_nearest,
    validate,
)
from tests.providers.test_validation import FIRST, FRAMES, REFERENCE, REFERENCES, TEXT, image, problems

CLIP = MediaRole.REFERENCE_VIDEO


def clip() -> Media:
    return Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1", CLIP)


class TestInputsLimitOtherFields:
    def test_limit_of_a_role_beside_another(self) -> None:
        card = replace(
            REFERENCES,
            media_sets=(frozenset({REFERENCE}), frozenset({REFERENCE, CLIP})),
            media_limits_with={CLIP: {REFERENCE: 1}},
        )
        pictures = (image("images", REFERENCE),) * 2
        assert validate(card, VideoRequest("m", "cat", media=pictures))
        (problem,) = problems(card, VideoRequest("m", "cat", media=(*pictures, clip())))
        assert problem.allowed == ("reference_image ≤ 1",)

    def test_durations_with_an_input_replace_the_others(self) -> None:
        card = replace(TEXT, media_sets=(frozenset(), frozenset({CLIP})), durations_with={CLIP: (0,)})
        assert validate(card, VideoRequest("m", "cat", media=(clip(),))).duration == 0
        assert validate(card, VideoRequest("m", "cat", duration=0, media=(clip(),))).duration == 0
        (problem,) = problems(card, VideoRequest("m", "cat", duration=5, media=(clip(),)))
        assert problem.allowed == ("0",)

    def test_duration_from_input_cannot_be_chosen(self) -> None:
        card = replace(TEXT, media_sets=(frozenset({CLIP}),), durations_with={CLIP: ()})
        assert validate(card, VideoRequest("m", "cat", media=(clip(),))).duration is None
        (problem,) = problems(card, VideoRequest("m", "cat", duration=5, media=(clip(),)))
        assert (problem.reason, problem.hint) == (FieldReason.UNSUPPORTED, DURATION_FROM_INPUT)
        assert snap_to_nearest(card, VideoRequest("m", "cat", duration=5, media=(clip(),))).duration is None

    def test_durations_at_a_resolution(self) -> None:
        card = replace(TEXT, durations_at={"1080p": (5, 10)})
        assert validate(card, VideoRequest("m", "cat", duration=12)).duration == 12
        (problem,) = problems(card, VideoRequest("m", "cat", duration=12, resolution="1080P"))
        assert problem.allowed == ("5", "10")
        assert snap_to_nearest(card, VideoRequest("m", "cat", duration=12, size="1920x1080")).duration == 10
        assert snap_to_nearest(card, VideoRequest("m", "cat", duration=12, size="1280x720")).duration == 12

    def test_input_ratio_needs_an_input(self) -> None:
        card = replace(
            TEXT,
            media_sets=(frozenset(), frozenset({FIRST})),
            ratios=("adaptive", "9:16"),
            ratio="adaptive",
            input_ratios=frozenset({"adaptive"}),
        )
        assert validate(card, VideoRequest("m", "cat")).ratio == "9:16"
        assert validate(card, VideoRequest("m", "cat", media=(image(),))).ratio == "adaptive"
        (problem,) = problems(card, VideoRequest("m", "cat", ratio="adaptive"))
        assert problem.allowed == ("9:16",)

    def test_size_gives_only_the_resolution_if_an_input_gives_the_ratio(self) -> None:
        card = replace(TEXT, media_sets=(frozenset(), frozenset({FIRST})), shape_from=frozenset({FIRST}))
        validated = validate(card, VideoRequest("m", "cat", size="1080x1920", media=(image(),)))
        assert (validated.resolution, validated.ratio) == ("1080p", None)
        near = snap_to_nearest(card, VideoRequest("m", "cat", size="1000x1900", media=(image(),)))
        assert (near.resolution, near.ratio) == ("1080p", None)
        (problem,) = problems(card, VideoRequest("m", "cat", ratio="9:16", media=(image(),)))
        assert (problem.param, problem.hint) == ("ratio", RATIO_FROM_INPUT)

    def test_audio_conflicts_with_an_input_video(self) -> None:
        card = replace(
            TEXT,
            media_sets=(frozenset(), frozenset({CLIP})),
            silent_with=frozenset({CLIP}),
            fields=frozenset({"audio"}),
        )
        assert validate(card, VideoRequest("m", "cat", audio=True))
        assert validate(card, VideoRequest("m", "cat", audio=False, media=(clip(),)))
        (problem,) = problems(card, VideoRequest("m", "cat", audio=True, media=(clip(),)))
        assert (problem.param, problem.reason, problem.hint) == ("audio", FieldReason.CONFLICT, NO_AUDIO_WITH_VIDEO)


class TestTexts:
    def test_too_long_text_reports_its_length_and_the_limit(self) -> None:
        card = replace(TEXT, max_prompt=5, max_negative_prompt=3, fields=frozenset({"negative_prompt"}))
        assert validate(card, VideoRequest("m", "12345", negative_prompt="123"))
        found = problems(card, VideoRequest("m", "123456", negative_prompt="1234"))
        assert [(problem.param, problem.reason, problem.allowed, problem.value) for problem in found] == [
            ("prompt", FieldReason.TOO_LONG, ("5",), "6"),
            ("negative_prompt", FieldReason.TOO_LONG, ("3",), "4"),
        ]

    @given(st.text("猫犬㐀𠀀", max_size=6), st.text("ab，😀。", max_size=12))
    def test_chinese_character_may_count_as_two(self, han: str, other: str) -> None:
        card = replace(TEXT, max_prompt=10, han_weight=2)
        request = VideoRequest("m", f"a{han}{other}")
        if 1 + 2 * len(han) + len(other) <= 10:
            assert validate(card, request)
        else:
            (problem,) = problems(card, request)
            assert problem.hint is not None and "10" in problem.hint.zh

    def test_prompt_is_required_unless_an_option_replaces_it(self) -> None:
        card = replace(FRAMES, words_needed=True, prompt_options=frozenset({"shots"}))
        (problem,) = problems(card, VideoRequest("m", " ", media=(image(),)))
        assert (problem.param, problem.reason) == ("prompt", FieldReason.MISSING)
        options: dict[str, Any]
        for options in ({"shots": [1]}, {"input": {"shots": [1]}}, {"input": {"prompt": "cat"}}):
            assert validate(card, VideoRequest("m", "", media=(image(),), options=options))
        for options in ({"shots": []}, {"input": "shots"}, {"other": [1]}):
            assert problems(card, VideoRequest("m", "", media=(image(),), options=options))


class TestUrls:
    @pytest.mark.parametrize("url", ["data:image/png;base64,AA==", "oss://a/b.png", "", "httpx://h/a"])
    def test_input_without_a_public_url_is_rejected(self, url: str) -> None:
        card = replace(FRAMES, takes_files=False)
        (problem,) = problems(card, VideoRequest("m", "cat", media=(image(url=url),)))
        assert (problem.param, problem.reason, problem.hint) == ("image_url", FieldReason.UNSUPPORTED, URLS_ONLY)
        assert validate(FRAMES, VideoRequest("m", "cat", media=(image(url=url),)))

    @pytest.mark.parametrize("url", ["https://h/a.png", "HTTP://h/a.png"])
    def test_public_urls_are_accepted(self, url: str) -> None:
        assert validate(replace(FRAMES, takes_files=False), VideoRequest("m", "cat", media=(image(url=url),)))
