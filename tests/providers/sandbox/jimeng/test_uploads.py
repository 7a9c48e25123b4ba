"""Jimeng's uploads from the keys to a draft that uses them, and what each step refuses."""

import zlib
from hashlib import md5

import httpx
import pytest

from providers.sandbox.jimeng.upload_services import VOD
from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import GENERATE, Clock, JimengClient, Json, image, reference_body
from tests.providers.sandbox.jimeng.uploader import UploadAddress, Uploader, denied
from tests.providers.sandbox.samples import mp3, mp4, picture, png, wav


async def test_image_from_the_keys_to_the_draft(images: Uploader, jimeng: JimengClient) -> None:
    data = png(400, 300)
    address, result = await images.upload(data)
    assert address.uri.startswith("tos-cn-i-tb4s082cfz/")
    assert address.host == "upstream.test:81"
    assert result["Results"] == [{"Uri": address.uri, "UriStatus": 2000}]
    assert result["PluginResult"][0] == {
        "FileName": address.uri.rpartition("/")[2], "SourceUri": address.uri, "ImageUri": address.uri,
        "ImageWidth": 400, "ImageHeight": 300, "ImageMd5": md5(data).hexdigest(), "ImageFormat": "png",
        "ImageSize": len(data), "FrameCnt": 1, "Duration": 0,
    }  # fmt: skip
    assert (await jimeng.generate(first_frame_image=image(address.uri)))["ret"] == "0"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP"])
async def test_other_images(images: Uploader, kind: str) -> None:
    found = (await images.upload(picture(kind, 500, 250)))[1]["PluginResult"][0]
    assert (found["ImageWidth"], found["ImageHeight"], found["ImageFormat"]) == (500, 250, kind.lower())


@pytest.mark.parametrize("data", [b"no picture", mp4(), picture("GIF"), png()[:20]])
async def test_what_is_no_image_is_not_stored(images: Uploader, jimeng: JimengClient, data: bytes) -> None:
    address, result = await images.upload(data)
    assert result["Results"] == [{"Uri": address.uri, "UriStatus": 2001}]
    assert result["PluginResult"] == []
    assert (await jimeng.generate(first_frame_image=image(address.uri)))["ret"] == "1000"


@pytest.mark.parametrize(
    ("data", "meta"),
    [
        (mp4(7.25), {"Width": 1280, "Height": 720, "Duration": 7.25, "Format": "mp4", "FileType": "video"}),
        (mp4(7.25, data=700_000, index_last=True), {"Width": 1280, "Height": 720, "Duration": 7.25}),
        (wav(1.5), {"Width": 0, "Height": 0, "Duration": 1.5, "Format": "wav", "FileType": "audio"}),
        (mp3(3), {"Width": 0, "Height": 0, "Duration": 3.0, "Format": "mp3", "FileType": "audio"}),
    ],
)
async def test_video_or_a_audio(videos: Uploader, data: bytes, meta: Json) -> None:
    address, result = await videos.upload(data)
    (stored,) = result["Results"]
    assert stored["Vid"] == address.vid
    assert address.vid.startswith("v0")
    found = stored["VideoMeta"]
    assert found | meta | {"Size": len(data), "Uri": address.uri, "Md5": md5(data).hexdigest()} == found


@pytest.mark.parametrize("data", [b"no film", png()])
async def test_what_is_no_video_is_refused(videos: Uploader, data: bytes) -> None:
    await videos.keys()
    address = await videos.address(len(data))
    await videos.send(address, data)
    denied(await videos.commit(address), 400, "InvalidMedia")


async def test_materials_are_what_they_were_uploaded_as(
    jimeng: JimengClient, images: Uploader, videos: Uploader
) -> None:
    film, sound, shown = (
        (await videos.upload(mp4(8)))[0], (await videos.upload(wav()))[0], (await images.upload(png()))[0]
    )  # fmt: skip

    async def ret(*materials: tuple[str, str]) -> str:
        fields = {"image": "image_uri", "video": "vid", "audio": "vid"}
        listed = [
            {"material_type": kind, f"{kind}_info": {fields[kind]: uri, "duration": 1000}} for kind, uri in materials
        ]
        metas: list[Json] = [
            {"meta_type": kind, "text": "", "material_ref": {"material_idx": index}}
            for index, (kind, _) in enumerate(materials)
        ]
        body = reference_body(listed, [*metas, {"meta_type": "text", "text": "x"}])
        return str((await jimeng.call(GENERATE, body))["ret"])

    assert await ret(("video", film.vid), ("audio", sound.vid), ("image", shown.uri)) == "0"
    assert await ret(("video", film.vid), ("video", film.vid)) == "1000"
    for wrong in (("video", sound.vid), ("audio", film.vid), ("image", film.vid), ("video", shown.uri)):
        assert await ret(wrong) == "1000"
    assert await ret(("video", film.uri)) == "1000"


async def test_same_bytes_twice_are_two_images(images: Uploader) -> None:
    assert (await images.upload(png()))[0].uri != (await images.upload(png()))[0].uri


async def test_image_belongs_to_its_session_and_is_there_once_committed(
    images: Uploader, jimeng: JimengClient, http: httpx.AsyncClient
) -> None:
    data = png()
    await images.keys()
    address = await images.address(len(data))
    await images.send(address, data)
    assert (await jimeng.generate(first_frame_image=image(address.uri)))["ret"] == "1000"
    await images.commit(address)
    assert (await jimeng.generate(first_frame_image=image(address.uri)))["ret"] == "0"
    other = JimengClient(http, "two")
    assert (await other.generate(first_frame_image=image(address.uri)))["ret"] == "1000"
    assert (await other.generate(first_frame_image=image("tos/known.png")))["ret"] == "0"


@pytest.mark.parametrize(
    ("size", "changed", "status", "code"),
    [
        ("", {}, 400, "InvalidParameter"),
        ("0", {}, 400, "InvalidParameter"),
        ("-1", {}, 400, "InvalidParameter"),
        ("ten", {}, 400, "InvalidParameter"),
        ("9" * 40, {}, 400, "InvalidParameter"),
        ("100000001", {}, 400, "FileTooLarge"),
        ("10", {"ServiceId": "another"}, 403, "AccessDenied"),
        ("10", {"ServiceId": ""}, 403, "AccessDenied"),
        ("10", {"Action": ""}, 400, "MissingParameter"),
        ("10", {"Version": ""}, 400, "MissingParameter"),
        ("10", {"Action": "CommitImageUpload"}, 404, "InvalidActionOrVersion"),
        ("10", {"Version": "2020-11-19"}, 404, "InvalidActionOrVersion"),
    ],
)
async def test_applications_that_are_refused(
    images: Uploader, size: str, changed: dict[str, str], status: int, code: str
) -> None:
    await images.keys()
    denied(await images.apply(size, changed), status, code)


@pytest.mark.parametrize(
    ("size", "changed", "code"),
    [
        ("500000001", {}, "FileTooLarge"),
        ("10", {"FileType": "image"}, "InvalidParameter"),
        ("10", {"IsInner": ""}, "InvalidParameter"),
        ("10", {"SpaceName": "another"}, "AccessDenied"),
    ],
)
async def test_applications_for_a_video(videos: Uploader, size: str, changed: dict[str, str], code: str) -> None:
    await videos.keys()
    denied(await videos.apply(size, changed), 403 if code == "AccessDenied" else 400, code)


async def test_signature_is_checked(images: Uploader, clock: Clock) -> None:
    await images.keys()
    address = await images.address(10)
    assert (await images.apply(10, path="/imagex")).status_code == 200
    denied(await images.apply(10, headers={"Authorization": ""}), 401, "MissingAuthenticationToken")
    denied(await images.apply(10, headers={"X-Amz-Security-Token": "STS2x"}), 401, "InvalidSecretToken")
    denied(await images.commit(address, headers={"X-Amz-Content-SHA256": "0" * 64}), 401, "SignatureDoesNotMatch")
    images.token = images.token | {"secret_access_key": "x"}
    denied(await images.apply(10), 401, "SignatureDoesNotMatch")
    images.token = images.token | {"access_key_id": "x"}
    denied(await images.apply(10), 401, "InvalidAccessKey")
    images.clock = Clock(clock.now - 901)
    await images.keys()
    denied(await images.apply(10), 403, "InvalidTimestamp")


async def test_bytes_are_checked(images: Uploader) -> None:
    data = png()
    await images.keys()
    address = await images.address(len(data))

    async def code(data: bytes = data, **changed: str) -> tuple[int, int]:
        answer = await images.send(address, data, **changed)
        assert answer.json()["message"]
        return answer.status_code, answer.json()["code"]

    assert await code(Authorization="SpaceKey/x") == (403, 4003)
    assert await code(Content_CRC32="") == (400, 4001)
    assert await code(Content_CRC32="0x123456") == (400, 4001)
    assert await code(Content_Type="image/png") == (400, 4001)
    assert await code(Content_CRC32="00000000") == (400, 4006)
    assert await code(data[:-1]) == (400, 4005)
    assert await code(data + b"x") == (400, 4005)
    denied(await images.commit(address), 400, "FileNotUploaded")
    answer = await images.send(address, data)
    assert answer.json() | {"apiversion": ""} == {
        "code": 2000, "apiversion": "", "message": "Success", "data": {"crc32": f"{zlib.crc32(data):08x}"},
    }  # fmt: skip
    assert await code(Content_CRC32=f"{zlib.crc32(data):08X}") == (200, 2000)
    unknown = UploadAddress("tos-cn-i-tb4s082cfz/strange", address.auth, address.host, address.session_key)
    assert (await images.send(unknown, data)).status_code == 403


async def test_commit_is_made_once_by_whom_it_belongs_to(
    images: Uploader, videos: Uploader, http: httpx.AsyncClient, clock: Clock
) -> None:
    data = png()
    await images.keys()
    await videos.keys()
    address = await images.address(len(data))
    await images.send(address, data)
    other = Uploader(JimengClient(http, "two"), clock)
    await other.keys()
    denied(await other.commit(address), 400, "InvalidSessionKey")
    denied(await videos.commit(address), 400, "InvalidSessionKey")
    denied(await images.commit(address, {"ServiceId": "x"}), 403, "AccessDenied")
    assert (await images.commit(address)).status_code == 200
    denied(await images.commit(address), 400, "InvalidSessionKey")
    assert (await images.send(address, data)).status_code == 403
    denied(await images.commit(UploadAddress("", "", "", "strange")), 400, "InvalidSessionKey")


@pytest.mark.parametrize("body", [b"[]", b"{", b"x" * 70_000, b'{"SessionKey":"KEY","Functions":1}'])
async def test_commits_whose_body_is_wrong(videos: Uploader, body: bytes) -> None:
    await videos.keys()
    address = await videos.address(10)
    query = {"Action": VOD.commit, "Version": VOD.version, "SpaceName": videos.space()}
    body = body.replace(b"KEY", address.session_key.encode())
    denied(await videos.signed("POST", query, body), 400, "InvalidParameter")


async def test_uploads_are_in_the_ledger(images: Uploader, http: httpx.AsyncClient, ledger: Ledger) -> None:
    data = png()
    await images.upload(data)
    await images.apply(10, path="/imagex")
    paths = ("/mweb/v1/get_upload_token", "/imagex", "/upload/v1/{uri}", "/vod")
    assert [ledger.calls("jimeng", path) for path in paths] == [1, 3, 1, 0]
    sent = next(entry for entry in ledger.log() if entry["path"].startswith("/upload/"))
    assert (sent["body_bytes"], sent["status"]) == (len(data), 200)
    log = (await http.get("/_sandbox/log")).text
    assert "STS2" not in log
    assert "SpaceKey" not in log
    assert "AKTP" not in log


async def test_what_expires_is_forgotten(images: Uploader, clock: Clock) -> None:
    await images.keys()
    first = await images.address(10)
    clock.tick(1800)
    await images.keys()
    second = await images.address(len(png()))
    clock.tick(1800)
    await images.keys()
    assert (await images.send(first, b"x" * 10)).status_code == 403
    assert (await images.send(second, png())).status_code == 200
    assert (await images.commit(second)).status_code == 200
