"""Media inputs of clients become files for the provider, or are rejected with the model's limits."""

import base64
import io
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import IO, Any
from urllib.parse import quote

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gateway.core.errors import GatewayError
from gateway.media.intake import MediaIntake, _base64_pieces
from providers.contract.media import MediaLimits, MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.transport.client import HttpClient
from tests.pictures import clip, media_file, noise, picture, sound

LIMITS = MediaLimits(("image/png", "image/jpeg"), max_bytes=200_000, min_side=240, max_side=1000, max_aspect=2.5)
CARD = ModelCard("m", "p", media_files={MediaKind.IMAGE: LIMITS}, fetches_urls=False)
READS_ADDRESSES = replace(CARD, fetches_urls=True)
READS_ADDRESSES_OF_ANY_SIZE = ModelCard("m", "p")
ADDRESS = "https://pictures.example/cat.png"


class Host:
    """Serves the file at ADDRESS, and records its responses."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.asked: list[tuple[str, int, str]] = []
        self.callers: list[str] = []
        self.given: list[IO[bytes]] = []

    async def fetch(self, url: str, *, max_bytes: int, param: str, client: str) -> IO[bytes]:
        self.asked.append((url, max_bytes, param))
        self.callers.append(client)
        self.given.append(io.BytesIO(self.content))
        return self.given[-1]


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
async def http(router: respx.MockRouter) -> AsyncIterator[HttpClient]:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as client:
        yield client


def intake(http: HttpClient, host: Host | None = None, **options: Any) -> MediaIntake:
    return MediaIntake((host or Host()).fetch, http, **{"max_bytes": 10_000_000} | options)


def image(url: str = "", content: bytes | None = None, param: str = "image") -> Media:
    return Media(MediaKind.IMAGE, url, param, MediaRole.FIRST_FRAME, media_file(content) if content else None)


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


async def ready(intake: MediaIntake, *items: Media, card: ModelCard = CARD, sound: Media | None = None) -> VideoRequest:
    async with intake.ready(card, VideoRequest("m", "p", media=items, sound=sound)) as request:
        return request


async def error_of(intake: MediaIntake, *items: Media, card: ModelCard = CARD) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await ready(intake, *items, card=card)
    return caught.value


# --- forms --------------------------------------------------------------------------------------------------------


async def test_file_is_unchanged(http: HttpClient) -> None:
    given = image(content=picture())
    assert await ready(intake(http), given) == VideoRequest("m", "p", media=(given,))


@pytest.mark.parametrize(
    "url",
    [
        data_url(picture()),
        data_url(picture()).rstrip("="),
        data_url(picture(), "image/gif"),
        data_url(picture()).replace("data:image/png;base64,", "data:;BASE64,"),
        data_url(picture()).replace("+", "-").replace("/", "_").replace("image_png", "image/png"),
        data_url(picture()).replace("+", "%2B"),
        data_url(noise()).replace("+", " "),
    ],
    ids=["plain", "unpadded", "of a false type", "of no type", "url alphabet", "escaped", "blanks for pluses"],
)
async def test_data_url_becomes_a_file_of_its_content_type(http: HttpClient, url: str) -> None:
    (item,) = (await ready(intake(http), image(url), card=READS_ADDRESSES_OF_ANY_SIZE)).media
    assert item.url == ""
    assert item.file in (media_file(picture()), media_file(noise()))


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,%%%",
        "data:image/png;base64,A",
        "data:image/png;base64",
        # Unquoting millions of characters would take seconds and gigabytes.
        "data:image/png;base64," + "".join(f"%{ord(letter):02X}" for letter in data_url(picture())[22:]),
        "data:image/png," + "".join(f"%{byte:02X}" for byte in picture()),
    ],
    ids=["no base64", "a part of a byte", "no comma", "letters escaped", "not in base64"],
)
async def test_invalid_data_url_is_refused(http: HttpClient, url: str) -> None:
    error = await error_of(intake(http), image(url, param="image_url"))
    assert (error.code, error.param) == ("invalid_value", "image_url")
    assert "base64" in error.message("en")


async def test_url_is_fetched_for_a_provider_that_fetches_none(http: HttpClient) -> None:
    host = Host(picture())
    (item,) = (await ready(intake(http, host), image(ADDRESS))).media
    assert host.asked == [(ADDRESS, LIMITS.max_bytes, "image")]
    assert (item.url, item.file) == ("", media_file(picture()))
    assert host.given[0].closed


async def test_fetch_is_attributed_to_its_client(http: HttpClient) -> None:
    host = Host(picture())
    async with intake(http, host).ready(CARD, VideoRequest("m", "p", media=(image(ADDRESS),)), "alice"):
        assert host.callers == ["alice"]


async def test_url_is_passed_on_to_a_provider_that_fetches_it(http: HttpClient) -> None:
    host = Host(picture())
    given = image(ADDRESS)
    assert (await ready(intake(http, host), given, card=READS_ADDRESSES)).media == (given,)
    assert host.asked == []


async def test_url_of_an_upstream_is_fetched_from_the_upstream(http: HttpClient, router: respx.MockRouter) -> None:
    router.get("http://10.0.0.1/v.mp4").respond(content=clip())
    host = Host()
    item = Media(MediaKind.VIDEO, "http://10.0.0.1/v.mp4", "video", MediaRole.VIDEO, from_upstream=True)
    (found,) = (await ready(intake(http, host), item)).media
    assert found.file == media_file(clip())
    assert host.asked == []


@pytest.mark.parametrize(("status", "code"), [(404, "upstream_error"), (500, "upstream_error")])
async def test_url_that_the_upstream_lost_is_an_error(
    http: HttpClient, router: respx.MockRouter, status: int, code: str
) -> None:
    router.get("http://10.0.0.1/v.mp4").respond(status)
    item = Media(MediaKind.VIDEO, "http://10.0.0.1/v.mp4", "video", MediaRole.VIDEO, from_upstream=True)
    assert (await error_of(intake(http), item)).code == code


async def test_sound_is_an_input_like_the_others(http: HttpClient) -> None:
    given = Media(MediaKind.AUDIO, data_url(sound(), "audio/wav"), "audio_url")
    request = await ready(intake(http), image(content=picture()), card=READS_ADDRESSES, sound=given)
    assert request.sound is not None
    assert request.sound.file == media_file(sound())
    assert len(request.media) == 1


async def test_created_files_are_closed_and_given_files_are_not(http: HttpClient) -> None:
    given = image(content=picture())
    async with intake(http).ready(CARD, VideoRequest("m", media=(given, image(data_url(picture()))))) as request:
        files = [item.file for item in request.media]
        assert all(file is not None and file.read() == picture() for file in files)
    assert given.file is not None
    assert given.file.read() == picture()
    assert files[1] is not None
    with pytest.raises(ValueError):
        files[1].read()


# --- rejections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"just a text", b"GIF89a" + b"\0" * 40, b"<svg/>", b"\x00\x00\x00\x18ftypheic\0\0\0\0"]
)
async def test_file_that_is_no_picture_is_refused_whatever_its_name(http: HttpClient, content: bytes) -> None:
    for item in (image(data_url(content)), image(ADDRESS)):
        error = await error_of(intake(http, Host(content)), item)
        assert (error.code, error.param, error.spec.status) == ("invalid_value", "image", 400)
        assert "PNG" in error.message("en")


async def test_clip_is_refused_as_a_picture(http: HttpClient) -> None:
    error = await error_of(intake(http), image(data_url(clip())))
    assert (error.code, error.param) == ("invalid_value", "image")
    assert "MP4" in error.message("en")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (picture("image/webp"), "PNG, JPEG"),
        (picture("image/png", 200, 300), "≥ 240 px"),
        (picture("image/png", 1001, 800), "≤ 1000 px"),
        (picture("image/png", 900, 300), "1:2.5 – 2.5:1"),
        (picture()[:20], "PNG"),
        (noise("image/jpeg", 300, 300)[:2000], "JPEG"),
    ],
    ids=["type", "small", "large", "long", "no head", "half"],
)
async def test_picture_type_that_the_model_does_not_accept_is_refused(
    http: HttpClient, content: bytes, expected: str
) -> None:
    error = await error_of(intake(http), image(content=content, param="first_frame"))
    assert (error.code, error.param, error.spec.status) == ("invalid_value", "first_frame", 400)
    assert expected in error.message("zh")
    assert expected in error.message("en")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MediaKind.IMAGE, picture()[:20]),
        (MediaKind.IMAGE, noise("image/jpeg", 300, 300)[:2000]),
        (MediaKind.VIDEO, clip()[:-1]),
        (MediaKind.VIDEO, clip()[:3000]),
    ],
    ids=["picture, head only", "picture, half", "clip, nearly whole", "clip, a tenth"],
)
async def test_interrupted_fetch_is_retryable(http: HttpClient, kind: MediaKind, content: bytes) -> None:
    error = await error_of(intake(http), Media(kind, "", "file", file=media_file(content)))
    assert (error.code, error.param, error.spec.status) == ("invalid_value", "file", 400)
    assert "is incomplete or damaged: send it again" in error.message("en")


async def test_every_invalid_picture_is_named(http: HttpClient) -> None:
    bad = picture("image/png", 100, 100)
    error = await error_of(
        intake(http), image(content=bad, param="first_frame"), image(content=bad, param="last_frame")
    )
    assert "first_frame" in error.message("en")
    assert "last_frame" in error.message("en")


async def test_too_many_bytes_are_refused_in_every_form(http: HttpClient) -> None:
    content = noise("image/png", 400, 400)
    assert len(content) > LIMITS.max_bytes
    for item in (image(content=content), image(data_url(content))):
        error = await error_of(intake(http), item)
        assert (error.code, error.spec.status) == ("too_large", 413)
        assert "195.3 KB" in error.message("en")


async def test_size_limit_of_the_gateway_applies_to_form_files(http: HttpClient) -> None:
    item = Media(MediaKind.VIDEO, "", "video_file_1", MediaRole.VIDEO, media_file(clip()))
    assert (await error_of(intake(http, max_bytes=1000), item)).spec.status == 413


async def test_total_size_of_fetched_files_is_limited(http: HttpClient) -> None:
    host = Host(picture())
    items = [image(f"{ADDRESS}?{number}", param=f"image_file_{number}") for number in range(1, 10)]
    enough = len(picture()) * 9
    await ready(intake(http, host, max_total_bytes=enough), *items)
    assert len(host.asked) == 9
    assert (await error_of(intake(http, Host(picture()), max_total_bytes=enough - 1), *items)).code == "too_large"
    assert all(file.closed for file in host.given)


async def test_url_of_an_upstream_is_fetched_through_the_accounts_proxy(router: respx.MockRouter) -> None:
    router.get("https://v.example/v.mp4").respond(content=clip())
    ways: list[str | None] = []

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        ways.append(proxy)
        return httpx.MockTransport(router.async_handler)

    item = Media(
        MediaKind.VIDEO, "https://v.example/v.mp4", "video", MediaRole.VIDEO, from_upstream=True, proxy="http://p:1"
    )
    async with HttpClient(transport=transport) as http:
        await ready(intake(http), item)
    assert ways == ["http://p:1"]


async def test_full_disk_fails_the_submit_without_blaming_it(http: HttpClient) -> None:
    async def full(url: str, *, max_bytes: int, param: str, client: str) -> IO[bytes]:
        raise OSError(28, "No space left on device")

    error = await error_of(MediaIntake(full, http, max_bytes=1000), image(ADDRESS))
    assert (error.code, error.spec.status) == ("internal_error", 500)


async def test_size_limit_of_the_gateway_applies_without_one_of_the_model(http: HttpClient) -> None:
    host = Host(clip())
    item = Media(MediaKind.VIDEO, "https://clips.example/a.mp4", "video_file_1", MediaRole.VIDEO)
    await ready(intake(http, host, max_bytes=1_000_000), item)
    assert host.asked[0][1] == 1_000_000
    error = await error_of(intake(http, max_bytes=1000), Media(MediaKind.VIDEO, data_url(clip()), "video_file_1"))
    assert error.code == "too_large"


async def test_first_failure_cancels_the_others(http: HttpClient) -> None:
    error = await error_of(
        intake(http, Host(b"no picture")), *(image(ADDRESS, param=f"image_file_{n}") for n in range(8))
    )
    assert error.code == "invalid_value"


# --- shrinking ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        picture("image/webp", 1500, 1000),
        noise("image/png", 900, 900),
        picture("image/bmp", 2400, 1000),
    ],
    ids=["of another type and too wide", "too many bytes", "everything"],
)
async def test_large_picture_is_resized(http: HttpClient, content: bytes) -> None:
    given = media_file(content)
    async with intake(http, shrink=True).ready(CARD, VideoRequest("m", media=(image(content=content),))) as request:
        file = request.media[0].file
        assert file is not None
        assert file.media_type == "image/jpeg"
        assert file.size <= LIMITS.max_bytes
        assert min(file.width, file.height) >= 240
        assert max(file.width, file.height) <= 1000
        assert file.width / file.height == pytest.approx(given.width / given.height, rel=0.01)


async def test_picture_within_the_limits_is_unchanged(http: HttpClient) -> None:
    given = image(content=picture())
    assert (await ready(intake(http, shrink=True), given)).media[0].file is given.file


async def test_picture_that_resizing_cannot_fix_is_refused(http: HttpClient) -> None:
    for content in (picture("image/png", 100, 100), picture("image/png", 1200, 300)):
        assert (await error_of(intake(http, shrink=True), image(content=content))).code == "invalid_value"


async def test_transparency_becomes_white_and_rotation_is_applied(http: HttpClient) -> None:
    target = io.BytesIO()
    layered = Image.new("RGBA", (1200, 600), (0, 0, 0, 0))
    layered.save(target, "PNG")
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1200, 600), "#2f6f8f").save(turned, "JPEG", exif=exif)
    items = (image(content=target.getvalue()), image(content=turned.getvalue(), param="last_frame"))
    async with intake(http, shrink=True).ready(CARD, VideoRequest("m", media=items)) as request:
        white, upright = (item.file for item in request.media)
        assert white is not None
        assert upright is not None
        assert Image.open(io.BytesIO(white.read())).getpixel((5, 5)) == (255, 255, 255)
        assert upright.height > upright.width


async def test_decompression_bomb_is_not_opened(http: HttpClient) -> None:
    content = picture("image/png", 300, 300)
    bomb = content[:16] + (60_000).to_bytes(4) * 2 + content[24:]
    assert (await error_of(intake(http, shrink=True), image(content=bomb))).code == "invalid_value"


def decoded(text: bytes) -> bytes:
    return b"".join(_base64_pieces(f"data:,{text.decode()}", len("data:,")))


@given(st.binary(max_size=300), st.integers(1, 40))
def test_base64_variants_are_decoded_wherever_a_chunk_ends(content: bytes, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.media.intake.CHUNK_BYTES", chunk)
        quoted = quote(base64.b64encode(content), safe="").encode()
        for text in (
            base64.b64encode(content),
            base64.urlsafe_b64encode(content),
            base64.encodebytes(content),
            quoted,
            quoted + b"%0a%0D",
        ):
            assert decoded(text) == content
        assert decoded(base64.b64encode(content).rstrip(b"=")) == content


@given(st.binary(min_size=1, max_size=60), st.integers(1, 40))
def test_what_is_no_base64_is_refused_wherever_a_chunk_ends(content: bytes, chunk: int) -> None:
    text = base64.b64encode(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.media.intake.CHUNK_BYTES", chunk)
        for bad in (
            text + b"=" + text,
            b"=" + text,
            text + b"*",
            text + b"%",
            text + b"%2",
            b"%41" + text,
            b"A" + b"=",
        ):
            with pytest.raises(ValueError):
                decoded(bad)


@given(st.text(max_size=60))
async def test_any_data_url_is_a_file_or_an_error(text: str) -> None:
    async with HttpClient() as http:
        error = await error_of(intake(http), image(f"data:{text}"))
    assert error.spec.status in (400, 413)


async def test_archived_video_takes_precedence_over_its_url(http: HttpClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield clip()[:1000]
        yield clip()[1000:]

    class ArchiveResult:
        async def open(self) -> AsyncIterator[bytes]:
            return pieces()

    class Gone:
        async def open(self) -> AsyncIterator[bytes]:
            raise GatewayError("not_found")

    host = Host()
    item = Media(MediaKind.VIDEO, "", "video", MediaRole.VIDEO, source=ArchiveResult())
    for card in (CARD, READS_ADDRESSES):
        (found,) = (await ready(intake(http, host), item, card=card)).media
        assert found.file == media_file(clip())
    assert host.asked == []
    assert (await error_of(intake(http), replace(item, source=Gone()))).code == "not_found"
    assert (await error_of(intake(http, max_bytes=1000), item)).code == "too_large"


async def test_second_header_in_a_picture_has_no_effect(http: HttpClient) -> None:
    """Pillow takes the last of several sizes in a PNG."""
    content = picture("image/png", 2000, 1000)
    header = bytearray(content[8:33])
    header[8:16] = (60_000).to_bytes(4) * 2
    header[-4:] = zlib.crc32(header[4:-4]).to_bytes(4)
    bomb = content[:33] + bytes(header) + content[33:]
    assert (await error_of(intake(http, shrink=True), image(content=bomb))).code == "invalid_value"
