"""What an input changes for the rest of a request, how long texts may be, and what upstreams can fetch."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import FieldReason
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.validation import ADDRESS_ONLY, LENGTH_OF_INPUT, SHAPE_OF_INPUT, SILENT, snap_to_nearest, validate
from tests.providers.test_validation import FIRST, FRAMES, REFERENCE, REFERENCES, TEXT, image, problems

CLIP = MediaRole.REFERENCE_VIDEO


def clip() -> Media:
    return Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1", CLIP)


class TestInputsNarrowTheChoice:
    def test_counts_beside_another_input(self) -> None:
        card = replace(
            REFERENCES,
            media_sets=(frozenset({REFERENCE}), frozenset({REFERENCE, CLIP})),
            media_limits_with={CLIP: {REFERENCE: 1}},
        )
        pictures = (image("images", REFERENCE),) * 2
        assert validate(card, VideoRequest("m", "cat", media=pictures))
        (problem,) = problems(card, VideoRequest("m", "cat", media=(*pictures, clip())))
        assert problem.allowed == ("reference_image ≤ 1",)

    def test_lengths_beside_an_input_take_the_place_of_the_others(self) -> None:
        card = replace(TEXT, media_sets=(frozenset(), frozenset({CLIP})), durations_with={CLIP: (0,)})
        assert validate(card, VideoRequest("m", "cat", media=(clip(),))).duration == 0
        assert validate(card, VideoRequest("m", "cat", duration=0, media=(clip(),))).duration == 0
        (problem,) = problems(card, VideoRequest("m", "cat", duration=5, media=(clip(),)))
        assert problem.allowed == ("0",)

    def test_a_video_as_long_as_its_input_has_no_length_to_choose(self) -> None:
        card = replace(TEXT, media_sets=(frozenset({CLIP}),), durations_with={CLIP: ()})
        assert validate(card, VideoRequest("m", "cat", media=(clip(),))).duration is None
        (problem,) = problems(card, VideoRequest("m", "cat", duration=5, media=(clip(),)))
        assert (problem.reason, problem.hint) == (FieldReason.UNSUPPORTED, LENGTH_OF_INPUT)
        assert snap_to_nearest(card, VideoRequest("m", "cat", duration=5, media=(clip(),))).duration is None

    def test_lengths_at_a_resolution(self) -> None:
        card = replace(TEXT, durations_at={"1080p": (5, 10)})
        assert validate(card, VideoRequest("m", "cat", duration=12)).duration == 12
        (problem,) = problems(card, VideoRequest("m", "cat", duration=12, resolution="1080P"))
        assert problem.allowed == ("5", "10")
        assert snap_to_nearest(card, VideoRequest("m", "cat", duration=12, size="1920x1080")).duration == 10
        assert snap_to_nearest(card, VideoRequest("m", "cat", duration=12, size="1280x720")).duration == 12

    def test_a_ratio_that_follows_an_input_needs_one(self) -> None:
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

    def test_a_size_beside_what_gives_the_shape_says_a_resolution_only(self) -> None:
        card = replace(TEXT, media_sets=(frozenset(), frozenset({FIRST})), shape_from=frozenset({FIRST}))
        validated = validate(card, VideoRequest("m", "cat", size="1080x1920", media=(image(),)))
        assert (validated.resolution, validated.ratio) == ("1080p", None)
        near = snap_to_nearest(card, VideoRequest("m", "cat", size="1000x1900", media=(image(),)))
        assert (near.resolution, near.ratio) == ("1080p", None)
        (problem,) = problems(card, VideoRequest("m", "cat", ratio="9:16", media=(image(),)))
        assert (problem.param, problem.hint) == ("ratio", SHAPE_OF_INPUT)

    def test_a_sound_that_cannot_be_beside_an_input(self) -> None:
        card = replace(
            TEXT,
            media_sets=(frozenset(), frozenset({CLIP})),
            silent_with=frozenset({CLIP}),
            fields=frozenset({"audio"}),
        )
        assert validate(card, VideoRequest("m", "cat", audio=True))
        assert validate(card, VideoRequest("m", "cat", audio=False, media=(clip(),)))
        (problem,) = problems(card, VideoRequest("m", "cat", audio=True, media=(clip(),)))
        assert (problem.param, problem.reason, problem.hint) == ("audio", FieldReason.CONFLICT, SILENT)


class TestTexts:
    def test_too_long_a_text_tells_how_long_it_is_and_may_be(self) -> None:
        card = replace(TEXT, max_prompt=5, max_negative_prompt=3, fields=frozenset({"negative_prompt"}))
        assert validate(card, VideoRequest("m", "12345", negative_prompt="123"))
        found = problems(card, VideoRequest("m", "123456", negative_prompt="1234"))
        assert [(problem.param, problem.reason, problem.allowed, problem.value) for problem in found] == [
            ("prompt", FieldReason.TOO_LONG, ("5",), "6"),
            ("negative_prompt", FieldReason.TOO_LONG, ("3",), "4"),
        ]

    @given(st.text("猫犬㐀𠀀", max_size=6), st.text("ab，😀。", max_size=12))
    def test_a_chinese_character_may_count_as_two(self, han: str, other: str) -> None:
        card = replace(TEXT, max_prompt=10, han_weight=2)
        request = VideoRequest("m", f"a{han}{other}")
        if 1 + 2 * len(han) + len(other) <= 10:
            assert validate(card, request)
        else:
            (problem,) = problems(card, request)
            assert problem.hint is not None and "10" in problem.hint.zh

    def test_words_beside_inputs_and_options_in_place_of_words(self) -> None:
        card = replace(FRAMES, words_needed=True, prompt_options=frozenset({"shots"}))
        (problem,) = problems(card, VideoRequest("m", " ", media=(image(),)))
        assert (problem.param, problem.reason) == ("prompt", FieldReason.MISSING)
        options: dict[str, Any]
        for options in ({"shots": [1]}, {"input": {"shots": [1]}}, {"input": {"prompt": "cat"}}):
            assert validate(card, VideoRequest("m", "", media=(image(),), options=options))
        for options in ({"shots": []}, {"input": "shots"}, {"other": [1]}):
            assert problems(card, VideoRequest("m", "", media=(image(),), options=options))


class TestAddresses:
    @pytest.mark.parametrize("url", ["data:image/png;base64,AA==", "oss://a/b.png", "", "httpx://h/a"])
    def test_what_is_no_public_address_is_refused_where_that_is_all_that_is_read(self, url: str) -> None:
        card = replace(FRAMES, takes_files=False)
        (problem,) = problems(card, VideoRequest("m", "cat", media=(image(url=url),)))
        assert (problem.param, problem.reason, problem.hint) == ("image_url", FieldReason.UNSUPPORTED, ADDRESS_ONLY)
        assert validate(FRAMES, VideoRequest("m", "cat", media=(image(url=url),)))

    @pytest.mark.parametrize("url", ["https://h/a.png", "HTTP://h/a.png"])
    def test_public_addresses_pass(self, url: str) -> None:
        assert validate(replace(FRAMES, takes_files=False), VideoRequest("m", "cat", media=(image(url=url),)))
