"""Upload a file to the site in four steps: a token from the site, an address from ImageX or VOD, the bytes to the host
of that address, and a commit. None of them is charged.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from providers.concurrent_calls import all_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.jimeng.history import SiteCall
from providers.jimeng.site.meanings import KEYS_REFUSED
from providers.jimeng.site.regions import Region
from providers.jimeng.site.session import upload_headers
from providers.jimeng.uploads import answers as answers
from providers.jimeng.uploads.answers import StaleTokenError, UploadAddress, Uploaded, UploadToken
from providers.jimeng.uploads.safety import AUDIT_PATH, CHECK_PATH, audit_body, check_body, check_query
from providers.jimeng.uploads.sigv4 import EMPTY_SHA256, sign
from providers.media_files import MediaFile, MediaKind
from providers.transport.client import HttpClient

TOKEN_PATH = "/mweb/v1/get_upload_token"  # noqa: S105 - a path
SPACE = "dreamina"
"""The space of VOD if the upload token names none."""

_FRESH_SECONDS = 30.0
"""A token refused within this time of its issue has not expired."""
_SALT_LENGTH = 11
_SHORTEST_SECRET = 4
"""Characters. A shorter secret is not masked: it would match ordinary text."""


@dataclass(frozen=True, slots=True)
class _Store:
    """One of the two services that store files. `scene` is the site's number for it, `apply_query` and `commit_body`
    are additional fields of its first and its last call. Host names of the other service start with `other`."""

    scene: int
    service: str
    version: str
    apply: str
    commit: str
    base: Callable[[Region], str]
    fixed: Callable[[Region], bool]
    """True if the operator configured the base."""
    parse_addresses: Callable[[Any], tuple[UploadAddress, ...]]
    parse_stored: Callable[[Any, MediaKind], Uploaded]
    other: str
    apply_query: Mapping[str, str | int] = field(default_factory=dict)
    commit_body: Mapping[str, Any] = field(default_factory=dict)


_IMAGEX = _Store(
    2,
    "imagex",
    "2018-08-01",
    "ApplyImageUpload",
    "CommitImageUpload",
    lambda region: region.imagex_url,
    lambda region: region.fixed_imagex,
    answers.parse_image_address,
    answers.parse_image,
    other="vod",
)
_VOD = _Store(
    1,
    "vod",
    "2020-11-19",
    "ApplyUploadInner",
    "CommitUploadInner",
    lambda region: region.vod_url,
    lambda region: region.fixed_vod,
    answers.parse_media_address,
    answers.parse_media,
    other="imagex",
    # Audio is sent as video, too.
    apply_query={"FileType": "video", "IsInner": 1},
    # VOD measures a video only on request (autumn 2026), and drafts need the duration. Older clients send [].
    commit_body={"Functions": [{"name": "GetMeta"}]},
)


class Uploader:
    """Uploads for one account, with one token per service.

    Raises ProviderError: the account's own kinds from the site, CONTENT_REFUSED for an image that the site's check
    rejects, UNKNOWN_REFUSAL if the keys are refused, else UPLOAD_FAILED or UNREACHABLE. Never ANSWER_LOST: nothing
    can have been charged.
    """

    def __init__(
        self,
        http: HttpClient,
        call: SiteCall,
        account: Account,
        region: Region,
        *,
        now: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._http = http
        self._call = call
        self._account = account
        self._region = region
        self._now = now
        self._new_id = new_id
        self._tokens: dict[int, UploadToken] = {}
        self._issued: dict[int, float] = {}
        self._token_locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._secrets: list[str] = []

    async def upload(self, file: MediaFile) -> Uploaded:
        """Upload a file. A token that is refused is replaced once if it may have expired since it was issued; other
        keys of the same site would be refused like it."""
        try:
            return await self._upload(file)
        except StaleTokenError as error:
            message = KEYS_REFUSED.message
            detail = self._clean(error.detail)
            upload_error = ProviderError(
                KEYS_REFUSED.kind, code=self._clean(error.code), message=message, detail=detail
            )
        except ProviderError as error:
            upload_error = self._upload_error(error)
        try:
            raise upload_error
        finally:
            # The traceback of the error holds this frame, and the file with it.
            del upload_error

    async def _upload(self, file: MediaFile) -> Uploaded:
        store = _IMAGEX if file.kind is MediaKind.IMAGE else _VOD
        token = await self._token(store)
        try:
            found = await self._store(store, token, file)
        except StaleTokenError:
            if self._now() - self._issued.get(store.scene, 0.0) < _FRESH_SECONDS:
                raise
            found = await self._store(store, await self._token(store, stale=token), file)
        if found.kind is MediaKind.IMAGE:
            await self._check(found.id)
        return found

    async def _token(self, store: _Store, *, stale: UploadToken | None = None) -> UploadToken:
        async with self._token_locks[store.scene]:
            token = self._tokens.get(store.scene)
            if token is None or token is stale:
                token = answers.parse_token((await self._call(self._account, TOKEN_PATH, {"scene": store.scene})).data)
                self._tokens[store.scene], self._issued[store.scene] = token, self._now()
                self._secrets += [token.keys.access_key, token.keys.secret_key, token.keys.session_token]
            return token

    async def _store(self, store: _Store, token: UploadToken, file: MediaFile) -> Uploaded:
        target = {"Version": store.version, **self._space(store, token)}
        query = {
            "Action": store.apply,
            **target,
            **store.apply_query,
            "FileSize": file.size,
            "s": self._new_id().replace("-", "")[:_SALT_LENGTH],
        }
        if not self._region.domestic:
            query["device_platform"] = "web"
        addresses = store.parse_addresses(await self._signed(store, token, "GET", query))
        self._secrets += [secret for address in addresses for secret in (address.auth, address.session_key)]
        address = await self._send_to_first(store, token, addresses, file)
        done = await self._signed(
            store,
            token,
            "POST",
            {"Action": store.commit, **target},
            {"SessionKey": address.session_key, **store.commit_body},
        )
        stored = store.parse_stored(done, file.kind)
        # The site may omit its own measurements.
        return stored if stored.width else replace(stored, width=file.width, height=file.height)

    async def _send_to_first(
        self, store: _Store, token: UploadToken, addresses: Sequence[UploadAddress], file: MediaFile
    ) -> UploadAddress:
        """Send the bytes to the first address that accepts them and return it. A rejected authorization is the token's
        fault: no other address is tried."""
        for address in addresses[:-1]:
            try:
                await self._send(store, token, address, file)
            except StaleTokenError:
                raise
            except ProviderError:
                continue
            return address
        await self._send(store, token, addresses[-1], file)
        return addresses[-1]

    def _base(self, store: _Store, token: UploadToken) -> str:
        """The base URL of the service: the operator's, else the token's domain with the scheme of the site, else the
        region's. Raises ProviderError if there is none.

        A domain of the other service is ignored: one token may serve both (2026-09-24).
        """
        site = urlsplit(self._region.base_url).scheme
        usable = token.domain and token.scheme in ("", site) and not token.domain.lower().startswith(store.other)
        if usable and not store.fixed(self._region):
            return f"{site}://{token.domain}"
        base = store.base(self._region)
        if not base:
            raise answers.unusable("the upload token names no host, and the configuration sets none")
        return base

    def _space(self, store: _Store, token: UploadToken) -> dict[str, str | int]:
        """The query parameter of the space. The international sites put ImageX's into the field that is VOD's on the
        mainland."""
        if store is _VOD:
            return {"SpaceName": token.space or SPACE}
        named = token.service if self._region.domestic else token.space or token.service
        return {"ServiceId": named or self._region.image_service}

    async def _signed(
        self,
        store: _Store,
        token: UploadToken,
        method: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The result of a signed call. The signature covers the query, and the body if there is one."""
        url = f"{self._base(store, token)}/?{urlencode(query, quote_via=quote)}"
        # The same bytes as HttpClient sends.
        digest = EMPTY_SHA256 if body is None else hashlib.sha256(orjson.dumps(body)).hexdigest()
        signed = sign(
            token.keys,
            method,
            url,
            region=token.signing_region(self._region.signing_region, self._region.short_signing_region),
            service=store.service,
            at=self._now(),
            headers=None if body is None else {"x-amz-content-sha256": digest},
            body_sha256=digest,
        )
        headers = upload_headers(self._region) | signed
        if body is not None:
            headers["Content-Type"] = "application/json"
        return answers.open_result(
            await self._http.send(method, url, headers=headers, json=body, proxy=self._account.proxy, is_link=True)
        )

    async def _send(self, store: _Store, token: UploadToken, address: UploadAddress, file: MediaFile) -> None:
        scheme = urlsplit(self._base(store, token)).scheme
        path = quote(address.store_uri, safe="/~%:@!$&'()*+,;=")
        headers = upload_headers(self._region) | {
            "Authorization": address.auth,
            "Content-CRC32": f"{file.crc32:08x}",
            "Content-Type": "application/octet-stream",
        }
        reply = await self._http.upload(
            "POST",
            f"{scheme}://{address.host.rstrip('/')}/upload/v1/{path}",
            headers=headers,
            content=file.pieces(),
            length=file.size,
            proxy=self._account.proxy,
        )
        answers.check_stored(reply)

    async def _check(self, uri: str) -> None:
        """Have the site check an image. Raises ProviderError if it rejects the content; any other error of a check is
        ignored."""
        checks = [self._run_check(AUDIT_PATH, audit_body(uri))]
        if self._region.domestic:
            checks.append(self._run_check(CHECK_PATH, check_body(uri), check_query()))
        await all_of(checks)

    async def _run_check(self, path: str, body: Mapping[str, Any], more: Mapping[str, str] | None = None) -> None:
        try:
            await self._call(self._account, path, body, more=more)
        except ProviderError as error:
            if error.kind is ErrorKind.CONTENT_REFUSED:
                raise

    def _upload_error(self, error: ProviderError) -> ProviderError:
        """The error as one of an upload, without the site's temporary credentials. Parameters that the site rejects
        are the gateway's, not the client's."""
        ours = error.kind in _UPLOAD_KINDS
        return ProviderError(
            ErrorKind.UPLOAD_FAILED if ours else error.kind,
            code=self._clean(error.code),
            message=None if ours else error.message,
            detail=self._clean(error.detail),
            retry_after=error.retry_after,
        )

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return self._account.redact(text)


_UPLOAD_KINDS = frozenset(
    {
        ErrorKind.ANSWER_LOST,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.GENERATION_FAILED,
        ErrorKind.UPSTREAM_ERROR,
        ErrorKind.UPLOAD_FAILED,
    }
)
"""Kinds that are neither the account's nor the image's fault: nothing can have been charged, and a retry is safe."""
