"""The capabilities of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaLimits, MediaRole
from providers.media_files import MediaKind

OPTIONAL_FIELDS = (
    "negative_prompt",
    "seed",
    "prompt_extend",
    "watermark",
    "audio",
    "shot_type",
    "template",
)
"""The fields of a `VideoRequest` that only some models have."""

SOUND_FIELD = "audio_url"
"""The client's name of `VideoRequest.sound`, which only some models have."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The capabilities of one model, for validation, /v1/models and forms.

    An empty `durations`, `resolutions` or `ratios` means that the model has no such choice: naming one is an error. The
    defaults are `duration`, `resolution` and `ratio`, not the first of each.

    `sizes` maps resolution and ratio to "WIDTHxHEIGHT" for models that take pixels; without it `size` only gives ratio
    and resolution.
    `media_sets` are the allowed sets of inputs; the empty set means that text alone is enough.
    `media_limits` is the number of inputs of a role (1 unless named), `media_limits_with` the same beside an input of
    another role, `media_total` the total, `references_total` the number of references.
    `durations_with` replace `durations` beside an input of a role: the empty tuple for a video that is as long as its
    input. `durations_at` are the durations at a resolution that allows fewer.
    `nominal_sizes` maps sizes in pixels to resolution and ratio, for models that take these two: Wan's 480p, 16:9 is
    832x480, which cannot be computed.
    `input_ratios` are those of `ratios` that follow an input: with text alone they are rejected.
    `shape_from` are the roles whose input determines the ratio: beside them none can be chosen. Beside those of
    `ratio_ignored_with` one is accepted and has no effect.
    `frame_step`: a video has the area of its resolution in the ratio of its first frame, both sides rounded down to
    multiples of this, in pixels; 0 where the family's documentation does not say so.
    `always_on` are switches that cannot be turned off: true is accepted and not sent. `always_off` are those that
    cannot be turned on: false is accepted and not sent.
    `silent_with` are the roles beside which the video has no sound: `audio` may not be true.
    `takes_files` is False for an upstream that reads public URLs only: files, `data:` and `oss://` are rejected.
    `max_prompt` and `max_negative_prompt` are characters, 0 for no known limit; a Chinese one counts as `han_weight`.
    `words_needed`: no input replaces the prompt; `prompt_options` are the options that do.
    `prompt_needed`: without inputs the prompt is required.
    `counted_options` are options that list items which count as inputs of a role.
    `media_hint` is the hint for an input that no set has.
    `media_files` are the limits of one file by kind; a missing kind is not limited here.
    `fetches_urls` is False for an upstream that reads no URLs: the gateway fetches them, and the provider gets files.
    `fields` are those of OPTIONAL_FIELDS that the model has, and SOUND_FIELD.
    `regions` are the sites that have the model; empty means all.
    `typical_seconds` is the usual duration of a generation, for the progress estimate only.
    `title` is the upstream's name of the model for people, which clients may use as well.
    `available` is False for a model that the upstream lists but currently does not offer.
    `configured` marks a model of the gateway's configuration: it is offered whatever the upstream lists.
    `wire` is the provider's own data on the model for its requests.
    `unlisted` marks a model that no table has: everything is passed through, and the upstream validates it.
    """

    name: str
    provider: str
    key: str = ""
    title: str = ""
    durations: tuple[int, ...] = ()
    duration: int | None = None
    resolutions: tuple[str, ...] = ()
    resolution: str | None = None
    ratios: tuple[str, ...] = ()
    ratio: str | None = None
    sizes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    media_sets: tuple[frozenset[MediaRole], ...] = (frozenset(),)
    media_limits: Mapping[MediaRole, int] = field(default_factory=dict)
    media_total: int | None = None
    references_total: int | None = None
    media_limits_with: Mapping[MediaRole, Mapping[MediaRole, int]] = field(default_factory=dict)
    durations_with: Mapping[MediaRole, tuple[int, ...]] = field(default_factory=dict)
    durations_at: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    nominal_sizes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    input_ratios: frozenset[str] = frozenset()
    shape_from: frozenset[MediaRole] = frozenset()
    ratio_ignored_with: frozenset[MediaRole] = frozenset()
    frame_step: int = 0
    always_on: frozenset[str] = frozenset()
    always_off: frozenset[str] = frozenset()
    silent_with: frozenset[MediaRole] = frozenset()
    takes_files: bool = True
    max_prompt: int = 0
    max_negative_prompt: int = 0
    han_weight: int = 1
    words_needed: bool = False
    prompt_options: frozenset[str] = frozenset()
    counted_options: Mapping[str, MediaRole] = field(default_factory=dict)
    media_hint: LocalizedText | None = None
    media_files: Mapping[MediaKind, MediaLimits] = field(default_factory=dict)
    fetches_urls: bool = True
    prompt_needed: bool = True
    fields: frozenset[str] = frozenset()
    max_seed: int = 2**32 - 1
    regions: frozenset[str] = frozenset()
    typical_seconds: float = 120.0
    available: bool = True
    configured: bool = False
    wire: Any = field(default=None, repr=False)
    unlisted: bool = False

    @property
    def roles(self) -> frozenset[MediaRole]:
        """Every role in any of the model's sets."""
        return frozenset().union(*self.media_sets)
