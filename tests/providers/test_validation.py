"""Validate a request against a card: defaults, sizes, roles, and every invalid field at once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.models import SOUND_FIELD, ModelCard
from providers.contract.requests import FieldWarning, Media, VideoRequest
from providers.media_files import MediaKind
from providers.sizes import nominal_size, parse_size
from providers.validation import format_seconds, snap_to_nearest, validate

FIRST, LAST, REFERENCE = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.REFERENCE_IMAGE

TEXT = ModelCard(
    name="text",
    provider="x",
    durations=(5, 10, 12),
    duration=5,
    resolutions=("720p", "1080p"),
    resolution="720p",
    ratios=("16:9", "9:16"),
    ratio="16:9",
    fields=frozenset({"seed"}),
)
PIXELS = replace(
    TEXT,
    sizes={
        ("720p", "16:9"): "1280x720",
        ("720p", "9:16"): "720x1280",
        ("1080p", "16:9"): "1920x1080",
    },
)
FRAMES = replace(
    TEXT,
    media_sets=(frozenset({FIRST}), frozenset({FIRST, LAST})),
    resolutions=(),
    resolution=None,
)
REFERENCES = replace(
    TEXT, media_sets=(frozenset({REFERENCE}), frozenset({FIRST, REFERENCE})), media_limits={REFERENCE: 3}
)
OPEN = ModelCard(name="open", provider="x", unlisted=True)


def image(param: str = "image_url", role: MediaRole | None = None, url: str = "https://h/a.png") -> Media:
    return Media(MediaKind.IMAGE, url, param, role)


def problems(card: ModelCard, request: VideoRequest) -> tuple[FieldProblem, ...]:
    with pytest.raises(ProviderError) as caught:
        validate(card, request)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.fields


def test_missing_fields_get_the_cards_defaults() -> None:
    validated = validate(PIXELS, VideoRequest("text", "cat"))
    assert (validated.duration, validated.resolution, validated.ratio, validated.size) == (
        5,
        "720p",
        "16:9",
        "1280x720",
    )


@pytest.mark.parametrize(
    ("size", "resolution", "ratio"),
    [("1920x1080", "1080p", "16:9"), ("1920*1080", "1080p", "16:9"), ("720X1280", "720p", "9:16")],
)
def test_size_gives_resolution_and_ratio(size: str, resolution: str, ratio: str) -> None:
    for card in (TEXT, PIXELS):
        validated = validate(card, VideoRequest("text", "cat", size=size))
        assert (validated.resolution, validated.ratio) == (resolution, ratio)


def test_size_gives_only_the_ratio_without_resolutions() -> None:
    card = replace(TEXT, resolutions=(), resolution=None)
    validated = validate(card, VideoRequest("text", "cat", size="1920x1080"))
    assert (validated.resolution, validated.ratio) == (None, "16:9")


@pytest.mark.parametrize("size", ["big", "1280", "1280x", "1000x1000", "640x360"])
def test_unsupported_size_is_rejected(size: str) -> None:
    for card in (TEXT, PIXELS):
        (problem,) = problems(card, VideoRequest("text", "cat", size=size))
        assert (problem.param, problem.reason) == ("size", FieldReason.NOT_ALLOWED)
        assert problem.allowed


def test_size_that_contradicts_the_ratio_is_rejected() -> None:
    (problem,) = problems(PIXELS, VideoRequest("text", "cat", size="1280x720", ratio="9:16"))
    assert (problem.param, problem.reason) == ("size", FieldReason.CONFLICT)


def test_ratio_without_a_size_at_the_resolution_is_rejected() -> None:
    (problem,) = problems(PIXELS, VideoRequest("text", "cat", resolution="1080p", ratio="9:16"))
    assert (problem.param, problem.allowed) == ("ratio", ("16:9",))


def test_every_invalid_field_is_reported_with_allowed_values() -> None:
    request = VideoRequest(
        "text", "", duration=7, ratio="2:1", resolution="4k", watermark=True, shot_type="multi", audio=False
    )
    found = {problem.param: problem for problem in problems(TEXT, request)}
    assert set(found) == {"prompt", "duration", "ratio", "resolution", "watermark", "shot_type", "audio"}
    assert found["duration"].allowed == ("5", "10", "12")
    assert found["ratio"].allowed == ("16:9", "9:16")
    assert found["resolution"].allowed == ("720p", "1080p")
    assert found["watermark"].reason is FieldReason.UNSUPPORTED
    assert found["prompt"].reason is FieldReason.MISSING


def test_choice_that_the_model_lacks_is_unsupported() -> None:
    card = replace(TEXT, resolutions=(), resolution=None, ratios=(), ratio=None, durations=(), duration=None)
    request = VideoRequest("text", "cat", duration=5, ratio="16:9")
    assert {(p.param, p.reason) for p in problems(card, request)} == {
        ("duration", FieldReason.UNSUPPORTED),
        ("ratio", FieldReason.UNSUPPORTED),
    }


@pytest.mark.parametrize(
    ("resolutions", "asked", "made", "warnings"),
    [
        (("720p",), "720P", "720p", ()),
        (("720p",), "1080p", "720p", (FieldWarning("adjusted_value", "resolution", "720p"),)),
        ((), "720p", None, (FieldWarning("ignored_field", "resolution"),)),
    ],
)
def test_model_with_one_resolution_takes_any_and_warns_of_another(
    resolutions: tuple[str, ...], asked: str, made: str | None, warnings: tuple[FieldWarning, ...]
) -> None:
    card = replace(TEXT, resolutions=resolutions, resolution=next(iter(resolutions), None))
    validated = validate(card, VideoRequest("text", "cat", resolution=asked))
    assert (validated.resolution, validated.warnings) == (made, warnings)


@pytest.mark.parametrize(
    ("card", "asked", "problem"),
    [
        (replace(TEXT, always_on=frozenset({"audio"})), True, None),
        (replace(TEXT, always_on=frozenset({"audio"})), False, FieldReason.UNSUPPORTED),
        (replace(TEXT, always_off=frozenset({"audio"})), False, None),
        (replace(TEXT, always_off=frozenset({"audio"})), True, FieldReason.UNSUPPORTED),
    ],
)
def test_switch_that_asks_for_what_the_model_does_anyway_is_accepted(
    card: ModelCard, asked: bool, problem: FieldReason | None
) -> None:
    request = VideoRequest("text", "cat", audio=asked)
    if problem is None:
        assert validate(card, request).audio is None
    else:
        assert [(found.param, found.reason) for found in problems(card, request)] == [("audio", problem)]


def test_ratio_auto_is_the_default_where_the_model_has_no_such_ratio() -> None:
    assert validate(TEXT, VideoRequest("text", "cat", ratio="auto")).ratio == TEXT.ratio
    own = replace(TEXT, ratios=(*TEXT.ratios, "auto"))
    assert validate(own, VideoRequest("text", "cat", ratio="auto")).ratio == "auto"


def test_size_matches_a_ratio_not_in_lowest_terms() -> None:
    card = replace(TEXT, ratios=("21:9",), ratio="21:9", resolutions=(), resolution=None)
    assert validate(card, VideoRequest("text", "cat", size="1680x720")).ratio == "21:9"


def test_limits_on_seed_and_total_inputs() -> None:
    (problem,) = problems(replace(TEXT, max_seed=7), VideoRequest("text", "cat", seed=8))
    assert (problem.param, problem.allowed) == ("seed", ("0–7",))
    media = tuple(image("images", REFERENCE) for _ in range(3))
    (problem,) = problems(replace(REFERENCES, media_total=2), VideoRequest("m", "cat", media=media))
    assert (problem.param, problem.allowed) == ("images", ("≤ 2",))


class TestNearest:
    @pytest.mark.parametrize(("requested", "snapped"), [(4, 5), (8, 10), (7, 5), (12, 12), (20, 12), (1, 5)])
    def test_duration_snaps_to_the_nearest(self, requested: int, snapped: int) -> None:
        assert snap_to_nearest(TEXT, VideoRequest("m", "x", duration=requested)).duration == snapped

    @pytest.mark.parametrize(
        ("card", "requested", "ratio", "resolution", "size"),
        [
            (TEXT, "1024x1792", "9:16", "1080p", None),
            (TEXT, "1280x720", "16:9", "720p", None),
            (PIXELS, "1792x1024", None, None, "1920x1080"),
            (PIXELS, "720x1280", None, None, "720x1280"),
        ],
    )
    def test_size_snaps_to_the_nearest(
        self, card: ModelCard, requested: str, ratio: str | None, resolution: str | None, size: str | None
    ) -> None:
        near = snap_to_nearest(card, VideoRequest("m", "x", size=requested))
        assert (near.ratio, near.resolution, near.size) == (ratio, resolution, size)
        assert validate(card, near).duration == 5

    @given(st.integers(-5, 100), st.from_regex(r"[1-9][0-9]{1,4}x[1-9][0-9]{1,4}", fullmatch=True))
    def test_any_snapped_request_is_valid(self, seconds: int, size: str) -> None:
        for card in (TEXT, PIXELS):
            assert validate(card, snap_to_nearest(card, VideoRequest("m", "x", duration=seconds, size=size)))

    @given(st.text(max_size=12))
    def test_unreadable_size_is_left_to_validate(self, size: str) -> None:
        assert snap_to_nearest(TEXT, VideoRequest("m", "x", size=size)).size in (size, None)


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [
        ("720p", "16:9", "1280x720"),
        ("1080p", "9:16", "1080x1920"),
        (None, None, "1280x720"),
        ("720p", "21:9", "1680x720"),
        ("4k", "adaptive", "3840x2160"),
        ("2k", "1:1", "1440x1440"),
        ("tall", None, "1280x720"),
        ("720p", "1:1", "720x720"),
    ],
)
def test_nominal_sizes(resolution: str | None, ratio: str | None, size: str) -> None:
    assert nominal_size(resolution, ratio) == size


def test_resolutions_are_compared_without_case() -> None:
    assert validate(TEXT, VideoRequest("text", "cat", resolution="1080P")).resolution == "1080p"


def test_open_card_checks_nothing() -> None:
    request = VideoRequest("open", "", duration=99, ratio="x", size="y", watermark=True)
    assert validate(OPEN, request) == request


class TestMedia:
    def test_unlabelled_images_become_frames_in_order(self) -> None:
        validated = validate(FRAMES, VideoRequest("m", "cat", media=(image(), image("image"))))
        assert [item.role for item in validated.media] == [FIRST, LAST]

    def test_labelled_frame_keeps_its_role(self) -> None:
        validated = validate(FRAMES, VideoRequest("m", "cat", media=(image("first_frame", FIRST), image())))
        assert [item.role for item in validated.media] == [FIRST, LAST]

    def test_images_become_references_in_reference_mode_or_without_frames(self) -> None:
        validated = validate(REFERENCES, VideoRequest("m", "cat", media=(image(),), reference_mode=True))
        assert validated.media[0].role is REFERENCE
        only = replace(REFERENCES, media_sets=(frozenset({REFERENCE}),))
        assert validate(only, VideoRequest("m", "cat", media=(image(),))).media[0].role is REFERENCE

    def test_open_card_takes_frames(self) -> None:
        validated = validate(OPEN, VideoRequest("m", "cat", media=(image(), image())))
        assert [item.role for item in validated.media] == [FIRST, LAST]

    def test_video_for_an_editing_model(self) -> None:
        card = replace(TEXT, media_sets=(frozenset({MediaRole.VIDEO}),))
        clip = Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1")
        assert validate(card, VideoRequest("m", "cat", media=(clip,))).media[0].role is MediaRole.VIDEO

    def test_text_model_rejects_an_image_with_a_hint(self) -> None:
        card = replace(TEXT, media_hint=LocalizedText("去别处", "go elsewhere"))
        (problem,) = problems(card, VideoRequest("m", "cat", media=(image(),)))
        assert (problem.param, problem.reason, problem.hint) == (
            "image_url",
            FieldReason.UNSUPPORTED,
            LocalizedText("去别处", "go elsewhere"),
        )

    def test_references_share_a_limit_and_videos_limit_the_duration(self) -> None:
        card = replace(
            REFERENCES,
            durations=(5, 10, 15),
            references_total=3,
            media_sets=(frozenset({REFERENCE, MediaRole.REFERENCE_VIDEO}), frozenset({REFERENCE})),
            media_limits={REFERENCE: 3, MediaRole.REFERENCE_VIDEO: 3},
            durations_with={MediaRole.REFERENCE_VIDEO: (5, 10)},
        )
        clip = Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1", MediaRole.REFERENCE_VIDEO)
        pictures = (image("images", REFERENCE),) * 3
        assert validate(card, VideoRequest("m", "cat", duration=15, media=pictures)).duration == 15
        found = problems(card, VideoRequest("m", "cat", duration=15, media=(*pictures, clip)))
        assert {(problem.param, problem.allowed) for problem in found} == {
            ("duration", ("5", "10")),
            ("video_file_1", ("3",)),
        }
        near = snap_to_nearest(card, VideoRequest("m", "cat", duration=15, media=(*pictures[:2], clip)))
        assert near.duration == 10

    def test_more_images_than_frames_are_too_many(self) -> None:
        (problem,) = problems(FRAMES, VideoRequest("m", "cat", media=(image("images"),) * 4))
        assert (problem.param, problem.reason, problem.allowed) == ("images", FieldReason.TOO_MANY, ("2",))

    def test_missing_input_is_named(self) -> None:
        (problem,) = problems(FRAMES, VideoRequest("m", "cat"))
        assert (problem.param, problem.reason) == ("first_frame", FieldReason.MISSING)

    def test_last_frame_alone_lacks_the_first(self) -> None:
        (problem,) = problems(FRAMES, VideoRequest("m", "cat", media=(image("last_frame", LAST),)))
        assert (problem.param, problem.reason) == ("first_frame", FieldReason.MISSING)

    def test_incompatible_roles_are_a_conflict(self) -> None:
        card = replace(TEXT, media_sets=(frozenset({FIRST}), frozenset({REFERENCE})))
        media = (image("first_frame", FIRST), image("images", REFERENCE))
        (problem,) = problems(card, VideoRequest("m", "cat", media=media))
        assert (problem.param, problem.reason) == ("images", FieldReason.CONFLICT)

    def test_too_many_of_a_role(self) -> None:
        media = tuple(image("images", REFERENCE) for _ in range(4))
        (problem,) = problems(REFERENCES, VideoRequest("m", "cat", media=media))
        assert (problem.param, problem.allowed) == ("images", ("reference_image ≤ 3",))

    def test_image_replaces_the_prompt(self) -> None:
        assert validate(FRAMES, VideoRequest("m", "", media=(image(),))).prompt == ""


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [((5, 10, 12), ("5", "10", "12")), (range(4, 16), ("4–15",)), ((3, 4), ("3", "4")), ((), ())],
)
def test_seconds_are_formatted_with_runs_joined(seconds: tuple[int, ...], texts: tuple[str, ...]) -> None:
    assert format_seconds(seconds) == texts


@given(st.integers(10, 99999), st.integers(10, 99999), st.sampled_from("xX*×"))
def test_sizes_are_parsed(width: int, height: int, joint: str) -> None:
    assert parse_size(f"{width}{joint}{height}") == (width, height)


@given(st.text(), st.integers(), st.text(), st.text(), st.text())
def test_validate_returns_a_request_or_reports_problems(
    prompt: str, duration: int, ratio: str, tier: str, size: str
) -> None:
    request = VideoRequest("m", prompt, duration=duration, ratio=ratio, resolution=tier, size=size)
    for card in (TEXT, PIXELS, FRAMES):
        validated = request
        fields: tuple[FieldProblem, ...] = ()
        try:
            validated = validate(card, request)
        except ProviderError as error:
            fields = error.fields
        assert fields or validated.duration in card.durations


def test_open_card_with_limits_counts_inputs() -> None:
    card = ModelCard("m", "p", unlisted=True, media_total=3, media_limits={MediaRole.REFERENCE_IMAGE: 2})

    def validated(*kinds: MediaKind) -> VideoRequest:
        media = tuple(Media(kind, f"https://h/{number}", f"f{number}") for number, kind in enumerate(kinds))
        return validate(card, VideoRequest("m", media=media, reference_mode=True))

    image, video = MediaKind.IMAGE, MediaKind.VIDEO
    assert len(validated(image, image, video).media) == 3
    for kinds in ((image, image, image), (image, video, video, video)):
        with pytest.raises(ProviderError) as caught:
            validated(*kinds)
        assert caught.value.fields


def test_frames_with_references_hint_at_reference_mode() -> None:
    sets: tuple[frozenset[MediaRole], ...] = (
        frozenset(),
        frozenset({MediaRole.FIRST_FRAME}),
        frozenset({MediaRole.REFERENCE_IMAGE}),
        frozenset({MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO}),
    )
    card = ModelCard("m", "p", media_sets=sets, media_limits={MediaRole.REFERENCE_IMAGE: 5})
    media = (
        Media(MediaKind.IMAGE, "https://h/a", "image_file_1"),
        Media(MediaKind.VIDEO, "https://h/b", "video_file_1"),
    )
    with pytest.raises(ProviderError) as caught:
        validate(card, VideoRequest("m", "p", media=media))
    assert "omni_reference" in (caught.value.fields[0].hint or LocalizedText("", "")).en
    assert validate(card, VideoRequest("m", "p", media=media, reference_mode=True)).media[0].role == "reference_image"


def test_audio_becomes_an_input_without_a_field_for_it() -> None:
    sound = Media(MediaKind.AUDIO, "https://h/a.mp3", "audio_url")
    request = VideoRequest("m", "p", sound=sound)
    with_role = ModelCard("m", "p", media_sets=(frozenset(), frozenset({MediaRole.DRIVING_AUDIO})))
    validated = validate(with_role, request)
    assert (validated.sound, [item.role for item in validated.media]) == (None, [MediaRole.DRIVING_AUDIO])
    with_field = ModelCard("m", "p", fields=frozenset({SOUND_FIELD}))
    assert validate(with_field, request) == request
    with pytest.raises(ProviderError) as caught:
        validate(ModelCard("m", "p"), request)
    assert caught.value.fields[0].param == "audio_url"
