"""A video generation request as every API parses it, and the result of a submit."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from providers.contract.accounts import Proxy
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.media_files import MediaFile, MediaKind

if TYPE_CHECKING:
    from providers.contract.models import ModelCard


class MediaSource(Protocol):
    """A file that is neither at a URL nor in the request."""

    async def open(self) -> AsyncIterator[bytes]:
        """Its bytes, in chunks."""


@dataclass(frozen=True, slots=True)
class Media:
    """One input besides the prompt: by URL (`https://…`, `oss://…`), or as a `file`, which takes precedence.

    `role` is None if the caller named none: validation assigns one by the model's card. `param` is the field it came
    from, for error messages. `name` is the client's file name, "" without one. `from_upstream` marks a URL from an
    upstream, such as that of an earlier video, which is fetched through the `proxy` of its account: a client's URL is
    fetched from public hosts only.
    """

    kind: MediaKind
    url: str = field(repr=False)
    param: str
    role: MediaRole | None = None
    file: MediaFile | None = None
    from_upstream: bool = False
    proxy: Proxy | None = field(default=None, repr=False)
    source: MediaSource | None = field(default=None, repr=False, compare=False)
    """Opens a file that the gateway has itself; it takes precedence over `file` and `url`."""
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FieldWarning:
    """A field without the requested effect: `ignored_field`, `adjusted_value` with the `value` used instead, or
    `not_enhanced` with a word for the reason as `value` and the reason for people as `message`."""

    code: Literal["ignored_field", "adjusted_value", "not_enhanced"]
    field: str
    value: str = ""
    message: LocalizedText | None = None


@dataclass(frozen=True, slots=True)
class RawSubmit:
    """A submit in an upstream's own form, from a client of that upstream's API.

    `provider` is the upstream. `path` is below its base URL, `body` is JSON as the client wrote it, with `model` in it,
    and `headers` are those of the client that go with it. `account_tag` is the public tag of the only account that it
    may be sent with, since its inputs were uploaded for that account; "" for any.
    """

    provider: str
    path: str
    model: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    account_tag: str = ""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A video generation request, parsed from any API. None means not given: the model's default applies.

    `size` is "WIDTHxHEIGHT". `providers.validation.validate` fills in the fields that the model has.
    `sound` drives the video: the client's `audio_url`. `shot_type` is `single` or `multi`.
    `reference_mode` makes unlabelled media references rather than frames.
    `options` are passed through to the upstream's parameters and override everything else.
    `raw`, where set, is sent in place of all of this, unchecked: the other fields only describe it.
    """

    model: str
    prompt: str = ""
    duration: int | None = None
    ratio: str | None = None
    resolution: str | None = None
    size: str | None = None
    media: tuple[Media, ...] = ()
    reference_mode: bool = False
    negative_prompt: str | None = None
    seed: int | None = None
    prompt_extend: bool | None = None
    watermark: bool | None = None
    audio: bool | None = None
    sound: Media | None = None
    shot_type: str | None = None
    template: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    raw: RawSubmit | None = None
    card: "ModelCard | None" = field(default=None, repr=False, compare=False)
    """The card that it was validated against: the model as the account's site has it now. None before that."""
    warnings: tuple[FieldWarning, ...] = field(default=(), compare=False)
    """Fields without the requested effect, set by validation."""

    @property
    def has_files(self) -> bool:
        return any(item.file for item in self.media) or bool(self.sound and self.sound.file)

    def media_in(self, role: MediaRole) -> tuple[Media, ...]:
        return tuple(item for item in self.media if item.role is role)


Prepared: TypeAlias = Any
"""What `Provider.prepare` returns and `Provider.submit` sends: a frozen value of the provider's own type, for one
account, opaque to the gateway."""


class Submission(NamedTuple):
    """The result of a submit: the upstream's id, exactly as the upstream writes it.

    A submission that was looked up has its model, by the upstream's name, and its time if they are known.
    """

    id: str
    model: str | None = None
    created_at: float | None = None
