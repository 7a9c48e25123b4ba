"""The keys of an upload: whose they are, what they open, which signatures hold."""

import json

import httpx
import pytest

from providers.sandbox.jimeng.upload_services import IMAGEX, VOD
from tests.providers.sandbox.clients import Clock, JimengClient, Json
from tests.providers.sandbox.jimeng.uploader import Uploader, denied
from tests.providers.sandbox.samples import mp4, png


@pytest.mark.parametrize(
    ("region", "told", "signed", "space"),
    [
        ("cn", "cn", ("cn-north-1",), "tb4s082cfz"),
        ("US", "us-east-1", ("us-east-1",), "wopfjsm1ax"),
        ("HK", "sg", ("ap-southeast-1", "ap-singapore-1"), "wopfjsm1ax"),
        ("JP", "sg", ("ap-southeast-1", "ap-singapore-1"), "wopfjsm1ax"),
        ("SG", "sg", ("ap-southeast-1", "ap-singapore-1"), "wopfjsm1ax"),
    ],
)
async def test_every_site(
    http: httpx.AsyncClient, clock: Clock, region: str, told: str, signed: tuple[str, ...], space: str
) -> None:
    uploader = Uploader(JimengClient(http, region=region), clock)
    token = await uploader.keys()
    assert token.keys() == {
        "access_key_id", "secret_access_key", "session_token", "space_name", "upload_domain", "region",
        "current_time", "expired_time",
    }  # fmt: skip
    assert (token["region"], token["space_name"]) == (told, space)
    assert token["upload_domain"] == ("" if region == "cn" else "http://") + "upstream.test:81/imagex"
    assert int(token["expired_time"]) - int(token["current_time"]) == 3600
    for one in signed:
        address = (await uploader.apply(10, region=one)).json()["Result"]["UploadAddress"]
        assert (address["UploadHosts"], "UploadHost" in address) == (["upstream.test:81"], False)
    assert (await uploader.upload(png()))[1]["Results"][0]["UriStatus"] == 2000
    for one in {"cn-north-1", "us-east-1", "cn", "sg"} - set(signed):
        denied(await uploader.apply(10, region=one), 400, "InvalidCredential")
    film = Uploader(JimengClient(http, region=region), clock, VOD)
    assert (await film.upload(mp4()))[0].vid
    assert film.token["space_name"] == "dreamina"
    assert film.token["upload_domain"].endswith("/vod")


async def test_videos_are_signed_for_either_region_of_the_mainland(videos: Uploader) -> None:
    await videos.keys()
    for region in ("cn", "cn-north-1"):
        assert (await videos.apply(10, region=region)).status_code == 200


async def test_keys_of_images_open_the_room_of_videos(jimeng: JimengClient, clock: Clock) -> None:
    videos = Uploader(jimeng, clock, VOD)
    videos.token = await jimeng.upload_token(2)
    for space in ("dreamina", "tb4s082cfz"):
        assert (await videos.apply(10, {"SpaceName": space})).status_code == 200
    data = mp4(3)
    address = await videos.address(len(data))
    await videos.send(address, data)
    assert (await videos.commit(address)).json()["Result"]["Results"][0]["Vid"] == address.vid


async def test_keys_of_files_are_those_of_videos(jimeng: JimengClient) -> None:
    token = await jimeng.upload_token(3)
    assert (token["space_name"], token["upload_domain"].rpartition("/")[2]) == ("dreamina", "vod")


@pytest.mark.parametrize("functions", [[], [{"name": "GetMeta"}]])
async def test_commit_signed_over_more_headers(videos: Uploader, functions: list[Json]) -> None:
    data = mp4(3)
    await videos.keys()
    address = await videos.address(len(data))
    await videos.send(address, data)
    query = {"Action": VOD.commit, "Version": VOD.version, "SpaceName": videos.space()}
    body = json.dumps({"SessionKey": address.session_key, "Functions": functions}).encode()
    more = {"content-type": "application/json", "host": "upstream.test:81"}
    answer = await videos.signed("POST", query, body, more=more)
    assert answer.status_code == 200, answer.text
    assert answer.json()["Result"]["Results"][0]["VideoMeta"]["Duration"] == 3.0


async def test_keys_are_the_sites_own_call(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    path = "/mweb/v1/get_upload_token"
    for body in ({}, {"scene": 4}, {"scene": "2"}, {"scene": True}, {"scene": None}, {"scene": [1]}):
        assert (await jimeng.call(path, body))["ret"] == "1000"
    assert (await JimengClient(http, "").call(path, {"scene": 2}))["ret"] == "1015"
    assert (await jimeng.post(path, {"scene": 2}, Sign="0" * 32)).json()["ret"] == "1014"
    jimeng.query = {}
    assert (await jimeng.call(path, {"scene": 2}))["ret"] == "1000"


async def test_keys_are_temporary_and_for_one_service(images: Uploader, videos: Uploader, clock: Clock) -> None:
    await images.keys()
    await videos.keys()
    data = png()
    address = await images.address(len(data))
    await images.send(address, data)
    denied(await videos.apply(10, path="/imagex/"), 404, "InvalidActionOrVersion")
    denied(await videos.apply(10, service="imagex"), 400, "InvalidCredential")
    query = {"Action": IMAGEX.apply, "Version": IMAGEX.version, "ServiceId": "dreamina", "FileSize": "1"}
    denied(await videos.signed("GET", query, path="/imagex/", service="imagex"), 403, "AccessDenied")
    denied(await videos.signed("GET", query, path="/imagex/"), 400, "InvalidCredential")
    clock.tick(3600)
    for answer in (await images.apply(10), await images.commit(address)):
        denied(answer, 401, "InvalidSecretToken")
    assert (await images.send(address, data)).status_code == 403
    await images.keys()
    denied(await images.commit(address), 400, "InvalidSessionKey")


async def test_services_may_refuse_the_keys_of_the_site(http: httpx.AsyncClient, clock: Clock) -> None:
    uploader = Uploader(JimengClient(http, session="badkeys"), clock)
    await uploader.keys()
    denied(await uploader.apply(10), 401, "CheckAuthenticationError")
