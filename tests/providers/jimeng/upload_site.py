"""A site that takes uploads: its own call for a token, ImageX, VOD, and the host where the bytes go."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import respx

from providers.jimeng.site.regions import REGIONS, Region
from providers.jimeng.uploads.safety import AUDIT_PATH, CHECK_PATH
from providers.jimeng.uploads.uploader import TOKEN_PATH

HOST = "tos-lf-x.snssdk.example"
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AKTPexampleexample", "c2VjcmV0a2V5aXNsZW50", "STS2eyJMVEFzZXNzaW9u"
AUTH = "SpaceKey/x/1/:version:v2:authorization"
LENT = (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, AUTH, "session-key-of-")

TOKEN = {
    "access_key_id": ACCESS_KEY,
    "secret_access_key": SECRET_KEY,
    "session_token": SESSION_TOKEN,
    "service_id": "service",
    "space_name": "space",
}


def envelope(data: Any, ret: object = "0", errmsg: str = "success") -> httpx.Response:
    return httpx.Response(200, json={"ret": ret, "errmsg": errmsg, "data": data})


def refusal(code: str, message: str = "no", status: int = 200) -> httpx.Response:
    """Of ImageX and VOD."""
    error = {"CodeN": 100010, "Code": code, "Message": message}
    return httpx.Response(status, json={"ResponseMetadata": {"RequestId": "r", "Error": error}})


class UploadSite:
    """Its routes count what they are asked; a test may give one another `side_effect`.

    Uploads are numbered from 1 in the order in which their addresses were asked for. `seconds` is how long the clips
    are, one after the other.
    """

    def __init__(self, router: respx.MockRouter, region: Region = REGIONS["cn"], host: str = HOST) -> None:
        self.host = host
        self.seconds: Iterator[float] = itertools.repeat(5.0)
        self._numbers = itertools.count(1)
        self._region = region
        self.token = router.post(url__startswith=region.base_url + TOKEN_PATH).mock(side_effect=self.granted)
        self.audit = router.post(url__startswith=region.base_url + AUDIT_PATH).mock(
            side_effect=lambda request: httpx.Response(200, json={"ret": "", "errmsg": ""})
        )
        self.check = router.post(url__startswith=region.base_url + CHECK_PATH).mock(
            side_effect=lambda request: envelope({})
        )
        self.apply_image = router.get(
            url__startswith=region.imagex_url, params__contains={"Action": "ApplyImageUpload"}
        ).mock(side_effect=self.image_address)
        self.commit_image = router.post(
            url__startswith=region.imagex_url, params__contains={"Action": "CommitImageUpload"}
        ).mock(side_effect=self.image)
        self.apply_media = router.get(
            url__startswith=region.vod_url, params__contains={"Action": "ApplyUploadInner"}
        ).mock(side_effect=self.media_address)
        self.commit_media = router.post(
            url__startswith=region.vod_url, params__contains={"Action": "CommitUploadInner"}
        ).mock(side_effect=self.media)
        self.bytes = router.post(host=host.partition(":")[0], path__startswith="/upload/v1/").mock(side_effect=stored)

    @property
    def uploads(self) -> int:
        return self.bytes.call_count

    def granted(self, request: httpx.Request) -> httpx.Response:
        """A token that names the host of its service, as the site does."""
        scene = orjson.loads(request.content)["scene"]
        url = self._region.imagex_url if scene == 2 else self._region.vod_url
        return envelope(TOKEN | {"upload_domain": url.partition("://")[2]})

    def image_address(self, request: httpx.Request) -> httpx.Response:
        uri = f"tos-cn-i-x/{next(self._numbers)}"
        address = {
            "StoreInfos": [{"StoreUri": uri, "Auth": AUTH, "UploadID": ""}],
            "UploadHosts": [self.host],
            "SessionKey": f"session-key-of-{uri}",
        }
        return result({"UploadAddress": address, "RequestId": "r"})

    def image(self, request: httpx.Request) -> httpx.Response:
        uri = orjson.loads(request.content)["SessionKey"].removeprefix("session-key-of-")
        plugin = {"ImageWidth": 8, "ImageHeight": 6, "ImageFormat": "png", "ImageSize": 99, "FrameCnt": 1}
        return result({"Results": [{"Uri": uri, "UriStatus": 2000}], "PluginResult": [plugin], "RequestId": "r"})

    def media_address(self, request: httpx.Request) -> httpx.Response:
        vid = f"v{next(self._numbers)}"
        node = {
            "UploadHost": self.host,
            "Vid": vid,
            "SessionKey": f"session-key-of-{vid}",
            "StoreInfos": [{"StoreUri": f"tos-cn-v-x/{vid}", "Auth": AUTH}],
        }
        return result({"InnerUploadAddress": {"UploadNodes": [node]}})

    def media(self, request: httpx.Request) -> httpx.Response:
        vid = orjson.loads(request.content)["SessionKey"].removeprefix("session-key-of-")
        meta = {"Width": 1280, "Height": 720, "Duration": next(self.seconds), "Size": 99, "Format": "MP4"}
        return result({"Results": [{"Vid": vid, "VideoMeta": meta}]})


def result(value: Any) -> httpx.Response:
    return httpx.Response(200, json={"ResponseMetadata": {"RequestId": "r"}, "Result": value})


def stored(request: httpx.Request) -> httpx.Response:
    """Of the host where the bytes go."""
    return httpx.Response(200, json={"code": 2000, "message": "Success", "data": {"crc32": "00000000"}})
