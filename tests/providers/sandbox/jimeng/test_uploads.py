"""Jimeng's uploads from the keys to a draft that uses them, and what each step refuses."""

import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import md5
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from providers.sandbox.app import create_sandbox
from providers.sandbox.books import Books
from providers.sandbox.jimeng.uploads import IMAGEX, VOD, Service
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.providers.sandbox.clients import Clock, JimengClient, Json, image, reference_body
from tests.providers.sandbox.samples import mp3, mp4, picture, png, wav
from tests.providers.sandbox.signing import sign

BASE = "http://upstream.test:81"
GENERATE = "/mweb/v1/aigc_draft/generate"
SCENES = {IMAGEX.name: 2, VOD.name: 1}


@dataclass(frozen=True)
class Place:
    """What an Apply answered."""

    uri: str
    auth: str
    host: str
    session_key: str
    vid: str = ""


class Uploader:
    """One session's uploads to one service, each step by hand."""

    def __init__(self, client: JimengClient, clock: Callable[[], float], service: Service = IMAGEX) -> None:
        self.client = client
        self.clock = clock
        self.service = service
        self.token: Json = {}

    async def keys(self) -> Json:
        self.token = await self.client.upload_token(SCENES[self.service.name])
        return self.token

    async def signed(
        self,
        method: str,
        query: dict[str, str],
        body: bytes = b"",
        *,
        path: str = "",
        headers: Json | None = None,
        **how: Any,
    ) -> httpx.Response:
        url = f"{self.client.http.base_url}".rstrip("/") + (path or f"/{self.service.name}/")
        how.setdefault("service", self.service.name)
        made = sign(method, url, self.token, self.clock(), params=query, body=body, **how)
        return await self.client.http.request(
            method, f"{url}?{urlencode(query, quote_via=quote)}", content=body, headers={**made, **(headers or {})}
        )

    def space(self) -> str:
        return str(self.token.get("service_id") or self.token["space_name"])

    async def apply(self, size: int | str, changed: dict[str, str] | None = None, **how: Any) -> httpx.Response:
        service = self.service
        query = {"Action": service.apply, "Version": service.version, service.space: self.space()}
        query |= {"FileSize": str(size), "s": "a b~*/é"}
        query |= {"FileType": "video", "IsInner": "1"} if service is VOD else {}
        query |= changed or {}
        return await self.signed("GET", {name: value for name, value in query.items() if value}, **how)

    async def place(self, size: int) -> Place:
        answer = await self.apply(size)
        assert answer.status_code == 200, answer.text
        result = answer.json()["Result"]
        if self.service is VOD:
            node = result["InnerUploadAddress"]["UploadNodes"][0]
            store = node["StoreInfos"][0]
            return Place(store["StoreUri"], store["Auth"], node["UploadHost"], node["SessionKey"], node["Vid"])
        address = result["UploadAddress"]
        store, host = address["StoreInfos"][0], address.get("UploadHost") or address["UploadHosts"][0]
        return Place(store["StoreUri"], store["Auth"], host, address["SessionKey"])

    async def send(self, place: Place, data: bytes, **changed: str) -> httpx.Response:
        headers = {
            "Authorization": place.auth,
            "Content-CRC32": f"{zlib.crc32(data):08x}",
            "Content-Type": "application/octet-stream",
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        url = f"http://{place.host}/upload/v1/{place.uri}"
        return await self.client.http.post(url, content=data, headers=headers)

    async def commit(self, place: Place, changed: dict[str, str] | None = None, **how: Any) -> httpx.Response:
        service = self.service
        query = {"Action": service.commit, "Version": service.version, service.space: self.space()} | (changed or {})
        body: Json = {"SessionKey": place.session_key}
        body |= {"Functions": []} if service is VOD else {}
        return await self.signed("POST", query, json.dumps(body).encode(), **how)

    async def upload(self, data: bytes) -> tuple[Place, Json]:
        """Everything: the place and the commit's `Result`."""
        await self.keys()
        place = await self.place(len(data))
        sent = await self.send(place, data)
        assert sent.status_code == 200, sent.text
        answer = await self.commit(place)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()["Result"]
        return place, result


def denied(answer: httpx.Response, status: int, code: str) -> None:
    metadata = answer.json()["ResponseMetadata"]
    assert (answer.status_code, metadata["Error"]["Code"]) == (status, code), metadata
    assert metadata.keys() == {"RequestId", "Action", "Version", "Service", "Region", "Error"}
    assert metadata["Error"]["CodeN"] and metadata["Error"]["Message"]
    assert "Result" not in answer.json()


@pytest.fixture
def pictures(jimeng: JimengClient, clock: Clock) -> Uploader:
    return Uploader(jimeng, clock)


@pytest.fixture
def films(jimeng: JimengClient, clock: Clock) -> Uploader:
    return Uploader(jimeng, clock, VOD)


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
        body = reference_body(listed, [{"meta_type": "text", "text": "x"}])
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
    ("region", "signed", "space", "one_host"),
    [
        ("cn", "cn-north-1", "service_id", False),
        ("US", "us-east-1", "space_name", True),
        ("HK", "ap-southeast-1", "space_name", False),
        ("JP", "ap-southeast-1", "space_name", False),
        ("SG", "ap-southeast-1", "space_name", False),
    ],
)
async def test_every_site(
    http: httpx.AsyncClient, clock: Clock, region: str, signed: str, space: str, one_host: bool
) -> None:
    uploader = Uploader(JimengClient(http, region=region), clock)
    token = await uploader.keys()
    assert token["region"] == signed
    assert {"service_id", "space_name"} & token.keys() == {space}
    assert token[space] == ("tb4s082cfz" if region == "cn" else "wopfjsm1ax")
    address = (await uploader.apply(10)).json()["Result"]["UploadAddress"]
    assert ("UploadHost" in address, "UploadHosts" in address) == (one_host, not one_host)
    assert (await uploader.upload(png()))[1]["Results"][0]["UriStatus"] == 2000
    elsewhere = "cn-north-1" if region != "cn" else "us-east-1"
    denied(await uploader.apply(10, region=elsewhere), 400, "InvalidCredential")
    film = Uploader(JimengClient(http, region=region), clock, VOD)
    assert (await film.upload(mp4()))[0].vid
    assert film.token["space_name"]


async def test_the_keys_are_the_sites_own_call(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    path = "/mweb/v1/get_upload_token"
    for body in ({}, {"scene": 3}, {"scene": "2"}, {"scene": True}, {"scene": None}, {"scene": [1]}):
        assert (await jimeng.call(path, body))["ret"] == "1000"
    assert (await JimengClient(http, "").call(path, {"scene": 2}))["ret"] == "1015"
    assert (await jimeng.post(path, {"scene": 2}, Sign="0" * 32)).json()["ret"] == "1014"
    jimeng.query = {}
    assert (await jimeng.call(path, {"scene": 2}))["ret"] == "1000"


async def test_the_keys_are_temporary_and_for_one_service(pictures: Uploader, films: Uploader, clock: Clock) -> None:
    await pictures.keys()
    await films.keys()
    data = png()
    place = await pictures.place(len(data))
    await pictures.send(place, data)
    denied(await films.apply(10, path="/imagex/"), 404, "InvalidActionOrVersion")
    denied(await films.apply(10, service="imagex"), 400, "InvalidCredential")
    query = {"Action": VOD.apply, "Version": VOD.version, "SpaceName": "dreamina", "FileSize": "1"}
    denied(await pictures.signed("GET", query, path="/vod/"), 403, "AccessDenied")
    denied(await pictures.signed("GET", query, path="/vod/", service="vod"), 400, "InvalidCredential")
    clock.tick(3600)
    for answer in (await pictures.apply(10), await pictures.commit(place)):
        denied(answer, 401, "InvalidSecretToken")
    assert (await pictures.send(place, data)).status_code == 403
    await pictures.keys()
    denied(await pictures.commit(place), 400, "InvalidSessionKey")


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
    strange = Place("tos-cn-i-tb4s082cfz/strange", place.auth, place.host, place.session_key)
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
    denied(await pictures.commit(Place("", "", "", "strange")), 400, "InvalidSessionKey")


@pytest.mark.parametrize("body", [b"[]", b"{", b"x" * 70_000, b'{"SessionKey":"KEY","Functions":1}'])
async def test_commits_whose_body_is_wrong(films: Uploader, body: bytes) -> None:
    await films.keys()
    place = await films.place(10)
    query = {"Action": VOD.commit, "Version": VOD.version, "SpaceName": films.space()}
    body = body.replace(b"KEY", place.session_key.encode())
    denied(await films.signed("POST", query, body), 400, "InvalidParameter")


SAFETY = "/mweb/v1/algo_proxy"


async def checked(
    client: JimengClient, uri: str, babi: str = '{"scenario":"image_video_generation"}', **changed: Any
) -> str:
    body = {
        "scene": "image_face_ip",
        "options": {"ip_check": True},
        "req_key": "benchmark_test_user_upload_image_input",
        "file_list": [{"file_uri": uri}],
        "req_params": {},
    }
    client.query = {**client.query, "babi_param": babi}
    return str((await client.call(SAFETY, body | changed))["ret"])


async def test_the_safety_check(jimeng: JimengClient, pictures: Uploader, films: Uploader) -> None:
    uri = (await pictures.upload(png()))[0].uri
    assert await checked(jimeng, uri) == "0"
    assert await checked(jimeng, "tos/known.png") == "0"
    assert await checked(jimeng, uri + "x") == "1000"
    assert await checked(jimeng, (await films.upload(mp4()))[0].vid) == "1000"
    wrong: tuple[Json, ...] = (
        {"scene": "x"}, {"req_key": None}, {"options": []}, {"req_params": None}, {"file_list": []},
        {"file_list": [uri]}, {"file_list": {}},
    )  # fmt: skip
    for changed in wrong:
        assert await checked(jimeng, uri, **changed) == "1000"
    for babi in ("", "[]", "{"):
        assert await checked(jimeng, uri, babi) == "1000"


async def test_the_safety_check_is_the_chinese_sites(http: httpx.AsyncClient, clock: Clock) -> None:
    abroad = JimengClient(http, region="US")
    assert await checked(abroad, (await Uploader(abroad, clock).upload(png()))[0].uri) == "1000"


async def test_an_unsafe_picture(jimeng: JimengClient, pictures: Uploader) -> None:
    uri = (await pictures.upload(png(text="#unsafe")))[0].uri
    assert await checked(jimeng, uri) == "2039"
    assert (await jimeng.generate(first_frame_image=image(uri)))["ret"] == "2039"


async def test_a_picture_whose_check_fails_can_be_used(jimeng: JimengClient, pictures: Uploader) -> None:
    uri = (await pictures.upload(png(text="#shaky")))[0].uri
    assert await checked(jimeng, uri) == "2002"
    assert (await jimeng.generate(first_frame_image=image(uri)))["ret"] == "0"


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


@pytest.fixture
def wired(wire: httpx.AsyncClient) -> Uploader:
    return Uploader(JimengClient(wire, "wired"), time.time)


async def test_a_picture_over_a_connection(wired: Uploader) -> None:
    assert (await wired.upload(png(padding=700_000)))[1]["Results"][0]["UriStatus"] == 2000


@pytest.mark.parametrize("padding", [0, 5_000_000])
async def test_a_lost_upload(wired: Uploader, server: SandboxServer, padding: int) -> None:
    data = png(text="#lost-upload", padding=padding)
    await wired.keys()
    place = await wired.place(len(data))
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            await wired.send(place, data)
    denied(await wired.commit(place), 400, "FileNotUploaded")


@pytest.mark.parametrize("padding", [0, 5_000_000])
async def test_a_bad_upload_that_goes_through_the_second_time(wired: Uploader, padding: int) -> None:
    data = png(text=f"#bad-upload {padding} #times=1 ", padding=padding)
    await wired.keys()
    place = await wired.place(len(data))
    answers = [await wired.send(place, data) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 200]
    assert (await wired.commit(place)).status_code == 200


async def test_a_client_that_goes_away(wired: Uploader) -> None:
    await wired.keys()
    place = await wired.place(1_000_000)

    async def half() -> AsyncIterator[bytes]:
        yield bytes(100_000)
        raise ConnectionAbortedError

    headers = {"Authorization": place.auth, "Content-CRC32": "00000000", "Content-Type": "application/octet-stream"}
    with pytest.raises(ConnectionAbortedError):
        await wired.client.http.post(f"http://{place.host}/upload/v1/{place.uri}", content=half(), headers=headers)
    denied(await wired.commit(place), 400, "FileNotUploaded")


async def test_a_large_upload_takes_no_memory(clock: Clock) -> None:
    piece, pieces = bytes(1_000_000), 60
    data_crc = 0
    for _ in range(pieces):
        data_crc = zlib.crc32(piece, data_crc)

    app = create_sandbox(SandboxSettings(), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        films = Uploader(JimengClient(http), clock, VOD)
        await films.keys()
        place = await films.place(len(piece) * pieces)

        async def body() -> AsyncIterator[bytes]:
            for _ in range(pieces):
                yield piece

        headers = {"Authorization": place.auth, "Content-CRC32": f"{data_crc:08x}"}
        headers["Content-Type"] = "application/octet-stream"
        tracemalloc.start()
        answer = await http.post(f"{BASE}/upload/v1/{place.uri}", content=body(), headers=headers)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert answer.json()["code"] == 2000
    assert peak < 8_000_000
