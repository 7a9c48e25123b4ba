"""The inputs of a request: what is refused before an upload, what is uploaded once, what after trouble."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldReason, ProviderError
from providers.contract.media import MediaLimits, MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.jimeng.inputs import (
    NO_FILE,
    NOT_SENT,
    UPLOAD_SECONDS,
    UPLOADS_AT_ONCE,
    UploadCache,
    check_inputs,
    check_lengths,
    with_sound,
)
from providers.jimeng.models import MODELS
from providers.jimeng.site.regions import REGIONS
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.uploader import Uploader
from providers.media_files import MediaFile, MediaKind
from tests.clock import TestClock
from tests.providers.jimeng.files import clip, first_frame, last_frame, media, picture, reference, sound

CN, US = REGIONS["cn"], REGIONS["us"]
ONE, TWO = Account("jimeng", "5e55101d-one", region="cn"), Account("jimeng", "5e55101d-two", region="cn")


def request(*inputs: Media) -> VideoRequest:
    return VideoRequest("m", "x", media=inputs)


def refused(check: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        check()
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value


class TestChecks:
    def test_valid_inputs_pass(self) -> None:
        check_inputs(request())
        check_inputs(request(first_frame(), last_frame()))
        references = [reference(file, f"x{number}") for number, file in enumerate((picture(), clip(), sound()))]
        check_inputs(request(*references))
        check_inputs(request(media(clip(), MediaRole.VIDEO), media(sound(), MediaRole.DRIVING_AUDIO)))

    def test_every_invalid_input_is_named(self) -> None:
        error = refused(
            lambda: check_inputs(
                request(
                    Media(MediaKind.IMAGE, "https://h/a.png", "image_url", MediaRole.FIRST_FRAME),
                    media(clip(), MediaRole.LAST_FRAME, "last_frame"),
                    media(picture(), MediaRole.REFERENCE_VIDEO, "video_file_1"),
                    first_frame(),
                )
            )
        )
        told = [(problem.param, problem.reason, problem.value) for problem in error.fields]
        assert told == [
            ("image_url", FieldReason.UNSUPPORTED, ""),
            ("last_frame", FieldReason.NOT_ALLOWED, "video/mp4"),
            ("video_file_1", FieldReason.NOT_ALLOWED, "image/png"),
            ("image_url", FieldReason.NOT_ALLOWED, ""),
        ]
        assert error.fields[0].hint == NO_FILE
        assert "image/png" in error.fields[1].allowed
        assert error.fields[3].allowed == ("first_frame ≤ 1",)

    def test_reference_to_no_input_is_refused_with_those_that_there_are(self) -> None:
        inputs = (reference(picture(), "image_file_1"), reference(clip(), "video_file_2"))
        for prompt in ("@image_file_1 走向 @video_file_2", "@图1 @1", "@image_file_1 @video_file_1", "@someone"):
            check_inputs(replace(request(*inputs), prompt=prompt))
        error = refused(lambda: check_inputs(replace(request(*inputs), prompt="@image_file_7 and @a.png, @a.png")))
        assert [(problem.param, problem.value) for problem in error.fields] == [
            ("prompt", "@image_file_7"),
            ("prompt", "@a.png"),
        ]
        assert error.fields[0].allowed == ("@image_file_1", "@video_file_2")

    def test_one_rule_for_references_with_frames_and_without_inputs(self) -> None:
        check_inputs(replace(request(first_frame()), prompt="@image_file_1 @图 @1"))
        framed = refused(lambda: check_inputs(replace(request(first_frame()), prompt="@image_file_7")))
        assert [(problem.value, problem.allowed) for problem in framed.fields] == [
            ("@image_file_7", ("@image_file_1",))
        ]
        nothing = refused(lambda: check_inputs(replace(request(), prompt="@image_file_1 walks")))
        assert [(problem.param, problem.value, problem.hint) for problem in nothing.fields] == [
            ("prompt", "@image_file_1", NOT_SENT)
        ]
        check_inputs(replace(request(), prompt="@image and @someone are words of any prompt"))

    def test_audio_is_sent_among_the_inputs(self) -> None:
        heard = Media(MediaKind.AUDIO, "", "audio_url", file=sound())
        validated = with_sound(replace(request(reference(picture(), "image_url")), sound=heard))
        assert [item.role for item in validated.media] == ["reference_image", "reference_audio"]
        assert validated.sound is None
        assert with_sound(request(first_frame())) == request(first_frame())


def limits_of(name: str) -> Mapping[MediaKind, MediaLimits]:
    return next(card for card in MODELS if card.name == name).media_files


LIMITS = limits_of("jimeng-video-seedance-2.0")


class TestLengths:
    @staticmethod
    def check(*seconds: float) -> None:
        items = [reference(clip(), f"video_file_{number}") for number in range(1, len(seconds) + 1)]
        check_lengths(items, [Uploaded(MediaKind.VIDEO, "v", milliseconds=round(s * 1000)) for s in seconds], LIMITS)

    @pytest.mark.parametrize("seconds", [(), (15,), (5, 5, 5), (15.4,), (0, 0, 15)])
    def test_as_long_together_as_the_model_takes(self, seconds: tuple[float, ...]) -> None:
        self.check(*seconds)

    @pytest.mark.parametrize(
        ("seconds", "param"), [((16,), "video_file_1"), ((8, 8), "video_file_2"), ((5, 6, 5), "video_file_3")]
    )
    def test_video_beyond_the_total_length_is_named(self, seconds: tuple[float, ...], param: str) -> None:
        (problem,) = refused(lambda: self.check(*seconds)).fields
        assert (problem.param, problem.reason, problem.allowed) == (param, FieldReason.NOT_ALLOWED, ("≤ 15.4 s",))

    def test_another_model_takes_longer_ones_and_one_without_references_says_nothing(self) -> None:
        items = [reference(clip(), "video_file_1")]
        lengths = [Uploaded(MediaKind.VIDEO, "v", milliseconds=30_000)]
        check_lengths(items, lengths, limits_of("jimeng-video-seedance-2.5"))
        check_lengths(items, lengths, {})

    def test_only_videos_count_towards_the_length_of_videos(self) -> None:
        items = [reference(clip(), "video_file_1"), reference(sound(), "audio_url")]
        lengths = [Uploaded(MediaKind.VIDEO, "v", milliseconds=9000), Uploaded(MediaKind.AUDIO, "a", milliseconds=9000)]
        check_lengths(items, lengths, LIMITS)

    def test_audio_has_a_length_of_its_own(self) -> None:
        items = [reference(clip(), "video_file_1"), reference(sound(), "audio_url")]
        lengths = [Uploaded(MediaKind.VIDEO, "v"), Uploaded(MediaKind.AUDIO, "a", milliseconds=16_000)]
        (problem,) = refused(lambda: check_lengths(items, lengths, LIMITS)).fields
        assert (problem.param, problem.allowed) == ("audio_url", ("≤ 15 s",))


class ScriptedUploader(Uploader):
    """One whose uploads take as long as a test wants."""

    def __init__(self) -> None:
        self.seen: list[MediaFile] = []
        self.running = self.most = self.ended = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: dict[str, Exception] = {}
        self._numbers = itertools.count(1)

    async def upload(self, file: MediaFile) -> Uploaded:
        self.seen.append(file)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            if file.sha256 in self.trouble:
                raise self.trouble[file.sha256]
            await self.gate.wait()
            return Uploaded(file.kind, f"u{next(self._numbers)}")
        finally:
            self.running -= 1
            self.ended += 1


RED, BLUE, GREEN = picture(), picture(colour="blue"), picture(colour="green")


def of(*files: MediaFile) -> VideoRequest:
    return request(*(reference(file, f"images[{number}]") for number, file in enumerate(files)))


class TestUploads:
    @pytest.fixture
    def clock(self) -> TestClock:
        return TestClock()

    @pytest.fixture
    def memory(self, clock: TestClock) -> UploadCache:
        return UploadCache(clock.now)

    @pytest.fixture
    async def uploader(self) -> ScriptedUploader:
        return ScriptedUploader()

    async def test_uploads_are_given_in_the_order_of_the_request(
        self, memory: UploadCache, uploader: ScriptedUploader
    ) -> None:
        found = await memory.upload(of(RED, BLUE, RED), ONE, CN, uploader)
        assert [item.id for item in found] == ["u1", "u2", "u1"]
        assert len(uploader.seen) == 2

    async def test_same_bytes_go_to_an_account_once(self, memory: UploadCache, uploader: ScriptedUploader) -> None:
        assert (await memory.upload(of(RED), ONE, CN, uploader))[0].id == "u1"
        assert (await memory.upload(of(picture()), ONE, CN, uploader))[0].id == "u1"
        assert (await memory.upload(of(RED), TWO, CN, uploader))[0].id == "u2"
        assert (await memory.upload(of(RED), ONE, US, uploader))[0].id == "u3"
        renewed = Account("jimeng", "5e55101d-new", name="main", region="cn")
        assert (await memory.upload(of(RED), renewed, CN, uploader))[0].id == "u4"

    async def test_upload_is_cached_for_its_ttl(
        self, memory: UploadCache, uploader: ScriptedUploader, clock: TestClock
    ) -> None:
        await memory.upload(of(RED), ONE, CN, uploader)
        clock.move(UPLOAD_SECONDS - 1)
        await memory.upload(of(RED), ONE, CN, uploader)
        assert len(uploader.seen) == 1
        clock.move(2)
        await memory.upload(of(RED), ONE, CN, uploader)
        assert len(uploader.seen) == 2

    async def test_forgotten_upload_is_made_again(self, memory: UploadCache, uploader: ScriptedUploader) -> None:
        await memory.upload(of(RED, BLUE), ONE, CN, uploader)
        memory.forget(memory.keys(of(RED, GREEN), ONE, CN))
        await memory.upload(of(RED, BLUE), ONE, CN, uploader)
        assert uploader.seen == [RED, BLUE, RED]

    async def test_concurrent_uploads_are_limited(self, memory: UploadCache, uploader: ScriptedUploader) -> None:
        files = [picture(size=(8, height)) for height in range(1, 10)]
        found = await memory.upload(of(*files), ONE, CN, uploader)
        assert len({item.id for item in found}) == 9
        assert uploader.most == UPLOADS_AT_ONCE

    async def test_concurrent_requests_share_an_upload(self, memory: UploadCache, uploader: ScriptedUploader) -> None:
        uploader.gate.clear()
        tasks = [asyncio.create_task(memory.upload(of(RED), ONE, CN, uploader)) for _ in range(3)]
        await asyncio.sleep(0.01)
        uploader.gate.set()
        assert {(await task)[0].id for task in tasks} == {"u1"}
        assert len(uploader.seen) == 1

    async def test_cancelled_upload_is_made_by_the_next_caller(
        self, memory: UploadCache, uploader: ScriptedUploader
    ) -> None:
        uploader.gate.clear()
        first = asyncio.create_task(memory.upload(of(RED), ONE, CN, uploader))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(memory.upload(of(picture()), ONE, CN, uploader))
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        uploader.gate.set()
        assert (await second)[0].id == "u1"
        assert len(uploader.seen) == 2

    async def test_failed_upload_is_shared_and_not_cached(
        self, memory: UploadCache, uploader: ScriptedUploader
    ) -> None:
        uploader.trouble[RED.sha256] = ProviderError(ErrorKind.UNREACHABLE)
        tasks = [asyncio.create_task(memory.upload(of(RED), ONE, CN, uploader)) for _ in range(3)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [error.kind for error in done if isinstance(error, ProviderError)] == [ErrorKind.UNREACHABLE] * 3
        assert len(uploader.seen) == 1
        uploader.trouble.clear()
        assert (await memory.upload(of(RED), ONE, CN, uploader))[0].id == "u1"

    async def test_first_failure_ends_the_others(self, memory: UploadCache, uploader: ScriptedUploader) -> None:
        uploader.gate.clear()
        uploader.trouble[BLUE.sha256] = ProviderError(ErrorKind.CONTENT_REFUSED)
        with pytest.raises(ProviderError) as caught:
            await memory.upload(of(RED, BLUE, GREEN), ONE, CN, uploader)
        assert caught.value.kind is ErrorKind.CONTENT_REFUSED
        assert (uploader.running, uploader.ended) == (0, 3)
