"""What one model can do."""

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
"""The client's name of `VideoRequest.sound`, which only some models have as well."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one model can do. It settles requests, fills /v1/models and drives forms: said once.

    An empty `durations`, `resolutions` or `ratios` means that the model has no such choice, so that naming one is an
    error. The first of each is not the default: `duration`, `resolution`, `ratio` are.

    `sizes` maps resolution and ratio to "WIDTHxHEIGHT" for models that want pixels; without it `size` is only read
    as a way to say ratio and resolution.
    `media_sets` are the legal sets of inputs; the empty set in it means that text alone is enough.
    `media_limits` says how many of a role are taken (1 unless named here), `media_limits_with` the same where an input
    of another role is there, `media_total` how many in all, `references_total` how many references.
    `durations_with` are the lengths where an input of such a role is there, in place of `durations`: the empty tuple
    for a video that is as long as its input. `durations_at` are the lengths at a resolution that allows fewer of them.
    `nominal_sizes` are sizes in pixels that say a resolution and a ratio, for models that are told these two: what the
    family writes for 480p, 16:9 is 832x480, which no arithmetic finds.
    `input_ratios` are those of `ratios` that follow an input: with text alone they say nothing and are refused.
    `shape_from` are the roles whose picture gives the video its ratio, so that beside them there is none to choose.
    `always_on` are switches that the model has no say in: true is accepted and left out.
    `silent_with` are the roles beside which the video has no sound, so that `audio` may not be true.
    `takes_files` is False for an upstream that reads public addresses only: files, `data:` and `oss://` are refused.
    `max_prompt` and `max_negative_prompt` are characters, 0 for no limit known; a Chinese one counts as `han_weight`.
    `words_needed` says that no input stands in for the prompt; `prompt_options` are the options that do.
    `counted_options` are options that list things which count as inputs of a role.
    `media_hint` is said to whoever hands in what no set has.
    `media_files` says what one file of a kind may be; a kind that is missing is not limited here.
    `fetches_urls` is False for an upstream that reads no addresses: what is given by one is fetched for it, and every
    input reaches its provider as a file.
    `fields` are those of OPTIONAL_FIELDS that the model has, and SOUND_FIELD.
    `regions` are the sites that have the model; empty means all.
    `typical_seconds` is how long a generation usually takes: it drives the progress estimate and nothing else.
    `title` is the upstream's own name of the model for people, which clients may write as well.
    `available` is False for a model that the upstream lists and does not offer at the moment.
    `configured` marks a model of the gateway's own configuration: it is offered whatever the upstream lists.
    `wire` is the provider's own: what its requests say of the model beyond this card.
    `open` marks a model that no table knows: everything is passed on as it is, and the upstream is the judge.
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
    always_on: frozenset[str] = frozenset()
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
    open: bool = False

    @property
    def roles(self) -> frozenset[MediaRole]:
        """Every kind of input the model takes in some set."""
        return frozenset().union(*self.media_sets)
