"""Jimeng's uploads: keys from the site, an address from ImageX (images) or VOD (video, audio), the bytes, a commit.
ImageX and VOD answer `{"ResponseMetadata":{…},"Result":{…}}`, or `ResponseMetadata.Error` with a 4xx status; the
numbers of the errors are the API gateway's own (https://www.volcengine.com/docs/6369/68677). The host that takes the
bytes answers `{"code":2000,"message":"Success","data":{"crc32":…}}`. Here all of them are this host, ImageX below
`/imagex` and VOD below `/vod`.
"""

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from providers.sandbox.directives import credential_directive
from providers.sandbox.jimeng.resources import Resource
from providers.sandbox.jimeng.sites import Site
from providers.sandbox.jimeng.upload_services import (
    APPLY_SIGNED,
    COMMIT_SIGNED,
    ERRORS,
    FILM_SPACE,
    IMAGEX,
    NOT_STORED,
    OPENS,
    PICTURE_SPACES,
    SIGNED_REGIONS,
    STORED,
    TOKEN_REGIONS,
    VOD,
    Denied,
    Service,
)
from providers.sandbox.media import Content, Media, Sample
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.signatures import Keys, SignedRequest, Unsigned, verify
from providers.sandbox.upload_faults import UploadFaults

Json = dict[str, Any]

_MAX_COMMIT_BYTES = 64 * 1024
_CRC32 = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Grant:
    """Keys of a session for a service and the services it gives access to. `expires` in unix seconds."""

    access_key: str
    secret_key: str
    token: str
    session: str
    site: Site
    service: Service
    space: str
    expires: float

    def spaces(self, service: Service) -> tuple[str, ...]:
        """The spaces that a call to this service may name."""
        return (self.space,) if service is IMAGEX else (FILM_SPACE, self.space)


@dataclass(slots=True)
class Upload:
    """An upload that was applied for. `vid` is "" for an image; `content` is None until all bytes have arrived."""

    session: str
    service: Service
    uri: str
    vid: str
    auth: str
    session_key: str
    size: int
    expires: float
    md5: str = ""
    content: Content | None = None


class JimengUploads:
    """The keys issued, the pending uploads, and the committed resources."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._pending: dict[str, Upload] = {}
        self._by_session_key: dict[str, Upload] = {}
        self._resources: dict[tuple[str, str], Resource] = {}
        self._faults = UploadFaults()

    def routes(self) -> list[Route]:
        """ImageX, VOD, and the host that receives the bytes."""
        return [
            *(
                Route(path, self._signed(service), methods=["GET", "POST"])
                for service in (IMAGEX, VOD)
                for path in (f"/{service.name}", f"/{service.name}/")
            ),
            Route("/upload/v1/{uri:path}", self._receive, methods=["POST"]),
        ]

    def resource(self, session: str, uri: str) -> Resource | None:
        """The resource of a session with this URI or vid."""
        return Resource() if uri in self._settings.known_uris else self._resources.get((session, uri))

    def grant(self, session: str, site: Site, service: Service, host: str, scheme: str) -> Json:
        """`data` of a `get_upload_token`: fresh keys for a service, which is on `host` (host:port)."""
        now = self._clock()
        self._forget(now)
        granted = Grant(
            access_key=f"AKTP{secrets.token_hex(16)}",
            secret_key=secrets.token_urlsafe(30),
            token=f"STS2{secrets.token_urlsafe(96)}",
            session=session,
            site=site,
            service=service,
            space=PICTURE_SPACES[site] if service is IMAGEX else FILM_SPACE,
            expires=now + self._settings.upload_seconds,
        )
        self._grants[granted.token] = granted
        domain = f"{host}/{service.name}"
        return {
            "access_key_id": granted.access_key,
            "secret_access_key": granted.secret_key,
            "session_token": granted.token,
            "space_name": granted.space,
            # The domain comes with its scheme and without; here each form belongs to a site.
            "upload_domain": domain if site == "cn" else f"{scheme}://{domain}",
            "region": TOKEN_REGIONS[site],
            "current_time": str(int(now)),
            "expired_time": str(int(granted.expires)),
        }

    def _forget(self, now: float) -> None:
        """Drop expired keys and uploads; both are in order of creation."""
        while self._grants and next(iter(self._grants.values())).expires <= now:
            del self._grants[next(iter(self._grants))]
        while self._pending and next(iter(self._pending.values())).expires <= now:
            self._drop(next(iter(self._pending.values())))

    def _drop(self, upload: Upload) -> None:
        del self._pending[upload.uri], self._by_session_key[upload.session_key]

    def _signed(self, service: Service) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                return self._answer(service, request, {"Result": await self._call(service, request)})
            except (Denied, Unsigned) as denied:
                number, status = ERRORS[denied.code]
                error = {"CodeN": number, "Code": denied.code, "Message": denied.message}
                return self._answer(service, request, {"Error": error}, status)

        return endpoint

    def _answer(self, service: Service, request: Request, body: Json, status: int = 200) -> Response:
        """`Error` goes into the metadata, `Result` beside it."""
        query = request.query_params
        metadata: Json = {
            "RequestId": uuid.uuid4().hex.upper(),
            "Action": query.get("Action", ""),
            "Version": query.get("Version", ""),
            "Service": service.name,
            "Region": "",
        }
        if granted := self._grants.get(request.headers.get("x-amz-security-token", "")):
            metadata["Region"] = SIGNED_REGIONS[service.name, granted.site][0]
        if "Error" in body:
            return _json({"ResponseMetadata": {**metadata, **body}}, status)
        return _json({"ResponseMetadata": metadata, **body}, status)

    async def _call(self, service: Service, request: Request) -> Json:
        body = await _small_body(request)
        query = request.query_params
        for name in ("Action", "Version"):
            if not query.get(name):
                raise Denied("MissingParameter", f"The request is missing {name} parameter.")
        operation = (request.method, query["Action"], query["Version"])
        calls = {
            ("GET", service.apply, service.version): (APPLY_SIGNED, self._apply),
            ("POST", service.commit, service.version): (COMMIT_SIGNED, self._commit),
        }
        if operation not in calls:
            message = f"Could not find operation {query['Action']} for version {query['Version']}."
            raise Denied("InvalidActionOrVersion", message)
        signed_headers, call = calls[operation]
        granted = self._check(service, request, body, signed_headers)
        if query.get(service.space) not in granted.spaces(service):
            raise Denied("AccessDenied", f"User is not authorized to use this {service.space}.")
        return call(service, request, granted, body)

    def _check(self, service: Service, request: Request, body: bytes, signed_headers: tuple[str, ...]) -> Grant:
        if not request.headers.get("authorization"):
            raise Denied("MissingAuthenticationToken", "Request is missing Authentication Token.")
        granted = self._grants.get(request.headers.get("x-amz-security-token", ""))
        now = self._clock()
        if granted is None or granted.expires <= now:
            raise Denied("InvalidSecretToken", "Invalid secret token, msg: unknown or expired.")
        if credential_directive(granted.session) == "badkeys":
            raise Denied("CheckAuthenticationError", "check authentication failed: access key is not of this region")
        keys = Keys(granted.access_key, granted.secret_key, SIGNED_REGIONS[service.name, granted.site], service.name)
        verify(_as_signed(request, body), keys, signed_headers, now)
        if service not in OPENS[granted.service]:
            raise Denied("AccessDenied", f"User is not authorized to perform: {service.name}.")
        return granted

    def _apply(self, service: Service, request: Request, granted: Grant, body: bytes) -> Json:
        query, host = request.query_params, request.headers.get("host", request.url.netloc)
        given = query.get("FileSize", "")
        size = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0
        if not size:
            raise Denied("InvalidParameter", "FileSize must be a positive number of bytes.")
        if size > service.max_bytes:
            raise Denied("FileTooLarge", f"FileSize must be at most {service.max_bytes}.")
        if service is VOD and (query.get("FileType"), query.get("IsInner")) != ("video", "1"):
            raise Denied("InvalidParameter", "FileType must be video, and IsInner 1.")
        upload = self._begin(service, granted, size)
        store = {"StoreUri": upload.uri, "Auth": upload.auth, "UploadID": ""}
        if service is VOD:
            node = {
                "StoreInfos": [store],
                "UploadHost": host,
                "UploadHeader": None,
                "Type": "tos",
                "Protocol": request.url.scheme,
                "SessionKey": upload.session_key,
                "Vid": upload.vid,
            }
            return {"InnerUploadAddress": {"UploadNodes": [node], "AdvanceOption": {"Parallel": 1}}}
        address = {
            "StoreInfos": [store],
            "UploadHosts": [host],
            "UploadHeader": None,
            "SessionKey": upload.session_key,
        }
        return {"UploadAddress": address, "RequestId": uuid.uuid4().hex.upper()}

    def _begin(self, service: Service, granted: Grant, size: int) -> Upload:
        folder = f"tos-cn-i-{granted.space}" if service is IMAGEX else "tos-cn-v-148450"
        upload = Upload(
            session=granted.session,
            service=service,
            uri=f"{folder}/{secrets.token_hex(16)}",
            vid="" if service is IMAGEX else f"v02870g10004{secrets.token_hex(10)}",
            auth=f"SpaceKey/{granted.space}/1/:version:v2:{secrets.token_urlsafe(48)}",
            session_key=secrets.token_urlsafe(48),
            size=size,
            expires=self._clock() + self._settings.upload_seconds,
        )
        self._pending[upload.uri] = self._by_session_key[upload.session_key] = upload
        return upload

    async def _receive(self, request: Request) -> ASGIApp:
        """The bytes of an upload. They are counted and inspected, not stored."""
        upload = self._pending.get(request.path_params["uri"])
        if upload is None or upload.expires <= self._clock() or request.headers.get("authorization") != upload.auth:
            return _rejected(403, 4003, "invalid or expired authorization")
        crc32 = request.headers.get("content-crc32", "")
        if not _CRC32.fullmatch(crc32):
            return _rejected(400, 4001, "Content-CRC32 must be eight hex digits")
        if request.headers.get("content-type") != "application/octet-stream":
            return _rejected(400, 4001, "Content-Type must be application/octet-stream")
        sample = Sample()
        failure = Response("Internal Server Error", 500, media_type="text/plain")
        asked = False
        try:
            async for piece in request.stream():
                sample.add(piece)
                if sample.size > upload.size:
                    return _rejected(400, 4005, "more bytes than applied for")
                if sample.has_head and not asked:
                    asked = True
                    if fault := self._faults.response_for(upload.session, sample, failure):
                        return fault
        except ClientDisconnect:
            return failure
        if not asked and (fault := self._faults.response_for(upload.session, sample, failure)):
            return fault
        if sample.size != upload.size:
            return _rejected(400, 4005, "fewer bytes than applied for")
        if sample.crc32 != int(crc32, 16):
            return _rejected(400, 4006, "crc32 mismatch")
        upload.md5, upload.content = sample.md5, sample.content()
        return _json(
            {"code": STORED, "apiversion": "v1", "message": "Success", "data": {"crc32": f"{sample.crc32:08x}"}}
        )

    def _commit(self, service: Service, request: Request, granted: Grant, body: bytes) -> Json:
        given = _json_object(body)
        upload = self._by_session_key.get(str(given.get("SessionKey")))
        mine = upload and (upload.session, upload.service) == (granted.session, service)
        if upload is None or not mine or upload.expires <= self._clock():
            raise Denied("InvalidSessionKey", "SessionKey is not known, or used already.")
        if upload.service is VOD and not isinstance(given.get("Functions", []), list):
            raise Denied("InvalidParameter", "Functions must be a list.")
        if upload.content is None:
            raise Denied("FileNotUploaded", "The file has not been uploaded.")
        self._drop(upload)
        return self._picture(upload, upload.content) if upload.service is IMAGEX else self._film(upload, upload.content)

    def _store(self, upload: Upload, uri: str, media: Media, content: Content) -> None:
        directives = content.directives
        resource = Resource(
            media.kind,
            media.seconds,
            unsafe="unsafe" in directives,
            shaky="shaky" in directives,
            width=media.width,
            height=media.height,
        )
        self._resources[upload.session, uri] = resource

    def _picture(self, upload: Upload, content: Content) -> Json:
        media = content.media
        if media is None or media.kind != "image" or not media.width:
            return {"RequestId": "", "Results": [{"Uri": upload.uri, "UriStatus": NOT_STORED}], "PluginResult": []}
        self._store(upload, upload.uri, media, content)
        plugin = {
            "FileName": upload.uri.rpartition("/")[2],
            "SourceUri": upload.uri,
            "ImageUri": upload.uri,
            "ImageWidth": media.width,
            "ImageHeight": media.height,
            "ImageMd5": upload.md5,
            "ImageFormat": media.format,
            "ImageSize": content.size,
            "FrameCnt": 1,
            "Duration": 0,
        }
        return {
            "RequestId": "",
            "Results": [{"Uri": upload.uri, "UriStatus": STORED}],
            "PluginResult": [plugin],
        }

    def _film(self, upload: Upload, content: Content) -> Json:
        media = content.media
        if media is None or media.kind == "image":
            raise Denied("InvalidMedia", "The file is no video and no audio.")
        self._store(upload, upload.vid, media, content)
        # A commit with `Functions` [] and one with GetMeta are both in use; only the latter is sure of a duration. Here
        # the meta comes with both, since a program that sends [] reads it too.
        meta = {
            "Uri": upload.uri,
            "Height": media.height,
            "Width": media.width,
            "OriginHeight": media.height,
            "OriginWidth": media.width,
            "Duration": media.seconds,
            "Bitrate": int(content.size * 8 / media.seconds) if media.seconds else 0,
            "Md5": upload.md5,
            "Format": media.format,
            "Size": content.size,
            "FileType": media.kind,
            "Codec": "",
        }
        return {"Results": [{"Vid": upload.vid, "VideoMeta": meta}]}


def _json(body: Json, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _rejected(status: int, code: int, message: str) -> Response:
    """An error of the host that receives the bytes."""
    return _json({"code": code, "apiversion": "v1", "message": message}, status)


async def _small_body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_COMMIT_BYTES:
            raise Denied("InvalidParameter", "The body is too large.")
    return body


def _json_object(body: bytes) -> Json:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise Denied("InvalidParameter", "The body is not a JSON object.")
    return given


def _as_signed(request: Request, body: bytes) -> SignedRequest:
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return SignedRequest(request.method, raw_path.decode("latin-1"), query.decode("latin-1"), request.headers, body)
