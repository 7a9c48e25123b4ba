"""A request for a video as every surface parses it, and what a submit gave."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from providers.contract.media import MediaRole
from providers.media_files import MediaFile, MediaKind

if TYPE_CHECKING:
    from providers.contract.models import ModelCard


class MediaSource(Protocol):
    """A file that lies neither at an address nor in the request."""

    async def open(self) -> AsyncIterator[bytes]:
        """Its bytes, piece by piece."""


@dataclass(frozen=True, slots=True)
class Media:
    """One input besides the prompt: by URL (`https://…`, `oss://…`), or as a `file`, which goes before the URL.

    `role` is None where the caller only handed in "an image": the model's card then gives it its place.
    `param` is the field it came from, for error messages. `name` is the client's file name, "" where there is none.
    `from_upstream` marks a URL that an upstream gave, as that of
    an earlier video, to be fetched by the `proxy` of its account: a client's own is fetched from public hosts only.
    """

    kind: MediaKind
    url: str = field(repr=False)
    param: str
    role: MediaRole | None = None
    file: MediaFile | None = None
    from_upstream: bool = False
    proxy: str | None = field(default=None, repr=False)
    source: MediaSource | None = field(default=None, repr=False, compare=False)
    """Opens what the gateway has itself; it goes before everything else."""
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FieldWarning:
    """What is made differs from what a field asked for, and why: `ignored_field`, or `adjusted_value` with the `value`
    that is used instead."""

    code: Literal["ignored_field", "adjusted_value"]
    field: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A video generation request, parsed from any surface. None means: not said, the model's default.

    `size` is "WIDTHxHEIGHT". After `providers.validation.validate` the fields that the model knows are filled.
    `sound` is for the video to be made to: the client's `audio_url`. `shot_type` is `single` or `multi`.
    `reference_mode` asks for unlabelled media to be references rather than frames.
    `options` goes into the upstream's own parameters as it is, over everything else.
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
    card: "ModelCard | None" = field(default=None, repr=False, compare=False)
    """The card that it was validated against: the model as the account's site has it now. None before that."""
    warnings: tuple[FieldWarning, ...] = field(default=(), compare=False)
    """What is made otherwise than asked, filled by the validation."""

    @property
    def has_files(self) -> bool:
        return any(item.file for item in self.media) or bool(self.sound and self.sound.file)

    def media_in(self, role: MediaRole) -> tuple[Media, ...]:
        return tuple(item for item in self.media if item.role is role)


Prepared: TypeAlias = Any
"""What `Provider.prepare` returns and `Provider.submit` sends: a frozen value of the provider's own type, for one
account. The gateway does not look into it."""


class Submission(NamedTuple):
    """What a submit gave: the upstream's id, exactly as the upstream writes it.

    A submission that was looked up tells its model by the upstream's own name and its time, where they are known.
    """

    id: str
    model: str | None = None
    created_at: float | None = None
