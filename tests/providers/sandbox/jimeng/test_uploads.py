"""Jimeng's uploads from the keys to a draft that uses them, and what each step refuses."""

import zlib
from hashlib import md5

import httpx
import pytest

from providers.sandbox.jimeng.upload_services import VOD
from providers.sandbox.state import Books
from tests.providers.sandbox.clients import GENERATE, Clock, JimengClient, Json, image, reference_body
from tests.providers.sandbox.jimeng.uploader import TaskRef, Uploader, denied
from tests.providers.sandbox.samples import mp3, mp4, picture, png, wav


async def test_a_picture_from_the_keys_to_the_draft(pictures: Uploader, jimeng: JimengClient) -> None:
    data = png(400, 300)
    place, result = await pictures.upload(data)
    assert place.uri.startswith("tos-cn-i-tb4s082cfz/")
    assert place.host == "upstream.test:81"
    assert result["Results"] == [{"Uri": place.uri, "UriStatus": 2000}]
    assert result["PluginResult"][0] == {
        "FileName": place.uri.rpartition("/")[2], "SourceUri": place.uri, "ImageUri": place.uri, "ImageWidth": 400,
        "ImageHeight": 300, "ImageMd5": md5(data).hexdigest(), "ImageFormat": "png", "ImageSize": len(data),
        "FrameCnt": 1, "Duration": 0,
    }  # fmt: skip
    assert (await jimeng.generate(first_frame_image=image(place.uri)))["ret"] == "0"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP"])
async def test_other_pictures(pictures: Uploader, kind: str) -> None:
    found = (await pictures.upload(picture(kind, 500, 250)))[1]["PluginResult"][0]
    assert (found["ImageWidth"], found["ImageHeight"], found["ImageFormat"]) == (500, 250, kind.lower())


@pytest.mark.parametrize("data", [b"no picture", mp4(), picture("GIF"), png()[:20]])
async def test_what_is_no_picture_is_not_stored(pictures: Uploader, jimeng: JimengClient, data: bytes) -> None:
    place, result = await pictures.upload(data)
    assert result["Results"] == [{"Uri": place.uri, "UriStatus": 2001}]
    assert result["PluginResult"] == []
    assert (await jimeng.generate(first_frame_image=image(place.uri)))["ret"] == "1000"


@pytest.mark.parametrize(
    ("data", "meta"),
    [
        (mp4(7.25), {"Width": 1280, "Height": 720, "Duration": 7.25, "Format": "mp4", "FileType": "video"}),
        (mp4(7.25, data=700_000, index_last=True), {"Width": 1280, "Height": 720, "Duration": 7.25}),
        (wav(1.5), {"Width": 0, "Height": 0, "Duration": 1.5, "Format": "wav", "FileType": "audio"}),
        (mp3(3), {"Width": 0, "Height": 0, "Duration": 3.0, "Format": "mp3", "FileType": "audio"}),
    ],
)
async def test_a_film_or_a_sound(films: Uploader, data: bytes, meta: Json) -> None:
    place, result = await films.upload(data)
    (stored,) = result["Results"]
    assert stored["Vid"] == place.vid
    assert place.vid.startswith("v0")
    found = stored["VideoMeta"]
    assert found | meta | {"Size": len(data), "Uri": place.uri, "Md5": md5(data).hexdigest()} == found


@pytest.mark.parametrize("data", [b"no film", png()])
async def test_what_is_no_film_is_refused(films: Uploader, data: bytes) -> None:
    await films.keys()
    place = await films.place(len(data))
    await films.send(place, data)
    denied(await films.commit(place), 400, "InvalidMedia")


async def test_materials_are_what_they_were_uploaded_as(
    jimeng: JimengClient, pictures: Uploader, films: Uploader
) -> None:
    film, sound, shown = (
        (await films.upload(mp4(8)))[0], (await films.upload(wav()))[0], (await pictures.upload(png()))[0]
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


async def test_the_same_bytes_twice_are_two_pictures(pictures: Uploader) -> None:
    assert (await pictures.upload(png()))[0].uri != (await pictures.upload(png()))[0].uri


async def test_a_picture_belongs_to_its_session_and_is_there_once_committed(
    pictures: Uploader, jimeng: JimengClient, http: httpx.AsyncClient
) -> None:
    data = png()
    await pictures.keys()
    place = await pictures.place(len(data))
    await pictures.send(place, data)
    assert (await jimeng.generate(first_frame_image=image(place.uri)))["ret"] == "1000"
    await pictures.commit(place)
    assert (await jimeng.generate(first_frame_image=image(place.uri)))["ret"] == "0"
    other = JimengClient(http, "two")
    assert (await other.generate(first_frame_image=image(place.uri)))["ret"] == "1000"
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
    pictures: Uploader, size: str, changed: dict[str, str], status: int, code: str
) -> None:
    await pictures.keys()
    denied(await pictures.apply(size, changed), status, code)


@pytest.mark.parametrize(
    ("size", "changed", "code"),
    [
        ("500000001", {}, "FileTooLarge"),
        ("10", {"FileType": "image"}, "InvalidParameter"),
        ("10", {"IsInner": ""}, "InvalidParameter"),
        ("10", {"SpaceName": "another"}, "AccessDenied"),
    ],
)
async def test_applications_for_a_film(films: Uploader, size: str, changed: dict[str, str], code: str) -> None:
    await films.keys()
    denied(await films.apply(size, changed), 403 if code == "AccessDenied" else 400, code)


async def test_the_signature_is_checked(pictures: Uploader, clock: Clock) -> None:
    await pictures.keys()
    place = await pictures.place(10)
    assert (await pictures.apply(10, path="/imagex")).status_code == 200
    denied(await pictures.apply(10, headers={"Authorization": ""}), 401, "MissingAuthenticationToken")
    denied(await pictures.apply(10, headers={"X-Amz-Security-Token": "STS2x"}), 401, "InvalidSecretToken")
    denied(await pictures.commit(place, headers={"X-Amz-Content-SHA256": "0" * 64}), 401, "SignatureDoesNotMatch")
    pictures.token = pictures.token | {"secret_access_key": "x"}
    denied(await pictures.apply(10), 401, "SignatureDoesNotMatch")
    pictures.token = pictures.token | {"access_key_id": "x"}
    denied(await pictures.apply(10), 401, "InvalidAccessKey")
    pictures.clock = Clock(clock.now - 901)
    await pictures.keys()
    denied(await pictures.apply(10), 403, "InvalidTimestamp")


async def test_the_bytes_are_checked(pictures: Uploader) -> None:
    data = png()
    await pictures.keys()
    place = await pictures.place(len(data))

    async def code(data: bytes = data, **changed: str) -> tuple[int, int]:
        answer = await pictures.send(place, data, **changed)
        assert answer.json()["message"]
        return answer.status_code, answer.json()["code"]

    assert await code(Authorization="SpaceKey/x") == (403, 4003)
    assert await code(Content_CRC32="") == (400, 4001)
    assert await code(Content_CRC32="0x123456") == (400, 4001)
    assert await code(Content_Type="image/png") == (400, 4001)
    assert await code(Content_CRC32="00000000") == (400, 4006)
    assert await code(data[:-1]) == (400, 4005)
    assert await code(data + b"x") == (400, 4005)
    denied(await pictures.commit(place), 400, "FileNotUploaded")
    answer = await pictures.send(place, data)
    assert answer.json() | {"apiversion": ""} == {
        "code": 2000, "apiversion": "", "message": "Success", "data": {"crc32": f"{zlib.crc32(data):08x}"},
    }  # fmt: skip
    assert await code(Content_CRC32=f"{zlib.crc32(data):08X}") == (200, 2000)
    strange = TaskRef("tos-cn-i-tb4s082cfz/strange", place.auth, place.host, place.session_key)
    assert (await pictures.send(strange, data)).status_code == 403


async def test_a_commit_is_made_once_by_whom_it_belongs_to(
    pictures: Uploader, films: Uploader, http: httpx.AsyncClient, clock: Clock
) -> None:
    data = png()
    await pictures.keys()
    await films.keys()
    place = await pictures.place(len(data))
    await pictures.send(place, data)
    other = Uploader(JimengClient(http, "two"), clock)
    await other.keys()
    denied(await other.commit(place), 400, "InvalidSessionKey")
    denied(await films.commit(place), 400, "InvalidSessionKey")
    denied(await pictures.commit(place, {"ServiceId": "x"}), 403, "AccessDenied")
    assert (await pictures.commit(place)).status_code == 200
    denied(await pictures.commit(place), 400, "InvalidSessionKey")
    assert (await pictures.send(place, data)).status_code == 403
    denied(await pictures.commit(TaskRef("", "", "", "strange")), 400, "InvalidSessionKey")


@pytest.mark.parametrize("body", [b"[]", b"{", b"x" * 70_000, b'{"SessionKey":"KEY","Functions":1}'])
async def test_commits_whose_body_is_wrong(films: Uploader, body: bytes) -> None:
    await films.keys()
    place = await films.place(10)
    query = {"Action": VOD.commit, "Version": VOD.version, "SpaceName": films.space()}
    body = body.replace(b"KEY", place.session_key.encode())
    denied(await films.signed("POST", query, body), 400, "InvalidParameter")


async def test_uploads_are_in_the_books(pictures: Uploader, http: httpx.AsyncClient, books: Books) -> None:
    data = png()
    await pictures.upload(data)
    await pictures.apply(10, path="/imagex")
    paths = ("/mweb/v1/get_upload_token", "/imagex", "/upload/v1/{uri}", "/vod")
    assert [books.calls("jimeng", path) for path in paths] == [1, 3, 1, 0]
    sent = next(entry for entry in books.log() if entry["path"].startswith("/upload/"))
    assert (sent["body_bytes"], sent["status"]) == (len(data), 200)
    log = (await http.get("/_sandbox/log")).text
    assert "STS2" not in log
    assert "SpaceKey" not in log
    assert "AKTP" not in log


async def test_what_expires_is_forgotten(pictures: Uploader, clock: Clock) -> None:
    await pictures.keys()
    first = await pictures.place(10)
    clock.tick(1800)
    await pictures.keys()
    second = await pictures.place(len(png()))
    clock.tick(1800)
    await pictures.keys()
    assert (await pictures.send(first, b"x" * 10)).status_code == 403
    assert (await pictures.send(second, png())).status_code == 200
    assert (await pictures.commit(second)).status_code == 200
