"""Check and upload the inputs of a request: each once, several concurrently, before anything is charged."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from providers.concurrent_calls import all_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaLimits, MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.jimeng.references import Material, possible_references, unmatched_references
from providers.jimeng.site.regions import Region
from providers.jimeng.site_model import MEDIA_FILES
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.uploader import Uploader
from providers.media_files import MediaFile, MediaKind
from providers.single_flight import SingleFlight

UPLOADS_AT_ONCE = 4
"""Of one request."""
UPLOAD_SECONDS = 1800.0
"""How long an upload is reused. The site documents no lifetime; its own pages upload every time."""
MAX_CACHED_UPLOADS = 4096

_TOLERANCE_MS = 200
"""A video labelled as 15 seconds often has a frame or two more."""

NO_FILE = LocalizedText(
    "没有收到该输入的文件，请直接上传文件或提供可公开访问的网址",
    "This input has no file; upload one, or give a publicly accessible URL",
)

NOT_SENT = LocalizedText(
    "请求中没有该标记所指的素材，请一并上传",
    "The request has no input for this reference: send it as well",
)

_FRAMES = (MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME)


def with_sound(request: VideoRequest) -> VideoRequest:
    """The request with its sound among the other inputs: the site has no separate field for it."""
    if request.sound is None:
        return request
    sound = replace(request.sound, role=MediaRole.REFERENCE_AUDIO)
    return replace(request, media=(*request.media, sound), sound=None)


def check_inputs(request: VideoRequest) -> None:
    """Check the inputs before any upload. Raises ProviderError(INVALID_REQUEST) for one without a file, of the wrong
    kind for its role, a second image for the same frame, and a reference in the prompt to no input."""
    problems: list[FieldProblem] = []
    for index, item in enumerate(request.media):
        expected = item.role.kind if item.role else None
        if item.file is None:
            problems.append(FieldProblem(item.param, FieldReason.UNSUPPORTED, hint=NO_FILE))
        elif expected is not None and item.file.kind is not expected:
            types = MEDIA_FILES[expected].types
            problems.append(FieldProblem(item.param, FieldReason.NOT_ALLOWED, types, item.file.media_type))
        if item.role in _FRAMES and any(other.role is item.role for other in request.media[:index]):
            problems.append(FieldProblem(item.param, FieldReason.NOT_ALLOWED, (f"{item.role} ≤ 1",)))
    materials = [Material(item.file.kind, item.param, item.name) for item in request.media if item.file]
    present = possible_references(materials)
    problems += [
        FieldProblem("prompt", FieldReason.NOT_ALLOWED, present, reference, hint=None if present else NOT_SENT)
        for reference in dict.fromkeys(unmatched_references(request.prompt, materials))
    ]
    if problems:
        raise ProviderError(ErrorKind.INVALID_REQUEST, fields=problems)


def check_lengths(
    media: Sequence[Media], uploaded: Sequence[Uploaded], limits: Mapping[MediaKind, MediaLimits]
) -> None:
    """Raises ProviderError(INVALID_REQUEST) for the video or audio that exceeds the limit of its own or of the total
    duration, as measured by the site: not every file tells its duration before."""
    totals = dict.fromkeys(MediaKind, 0)
    for item, found in zip(media, uploaded, strict=True):
        bounds = limits.get(found.kind, MediaLimits())
        totals[found.kind] += found.milliseconds
        lengths = ((found.milliseconds, bounds.max_seconds), (totals[found.kind], bounds.max_total_seconds))
        for milliseconds, seconds in lengths:
            if seconds and milliseconds > seconds * 1000 + _TOLERANCE_MS:
                problem = FieldProblem(
                    item.param, FieldReason.NOT_ALLOWED, (f"≤ {seconds:g} s",), f"{milliseconds / 1000:g} s"
                )
                raise ProviderError(ErrorKind.INVALID_REQUEST, fields=[problem])


UploadKey = tuple[str, str, str]
"""The principal of a credential, the region of the site, the SHA-256 of a file."""


class UploadCache:
    """Single-flight cache of uploads: the same bytes go to the same account once, also for concurrent submits.

    The same bytes uploaded twice have two names at the site; both are good.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._uploads: SingleFlight[UploadKey, Uploaded] = SingleFlight(MAX_CACHED_UPLOADS, UPLOAD_SECONDS, now)

    async def upload(
        self, request: VideoRequest, account: Account, region: Region, uploader: Uploader
    ) -> tuple[Uploaded, ...]:
        """The uploads of all inputs, in the order of the request's media. Raises the first ProviderError and cancels
        the others."""
        slots = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def one(file: MediaFile) -> Uploaded:
            async with slots:
                return await self._uploads.get(_key(account, region, file), lambda: uploader.upload(file))

        return tuple(await all_of([one(item.file) for item in request.media if item.file]))

    def keys(self, request: VideoRequest, account: Account, region: Region) -> tuple[UploadKey, ...]:
        """The cache keys of a request's inputs."""
        return tuple(_key(account, region, item.file) for item in request.media if item.file)

    def forget(self, keys: Iterable[UploadKey]) -> None:
        """Drop these uploads from the cache: the site may no longer have them."""
        for key in keys:
            self._uploads.forget(key)


def _key(account: Account, region: Region, file: MediaFile) -> UploadKey:
    # By credential: with another one a named account may be another user of the site.
    return account.principals[-1], region.code, file.sha256
