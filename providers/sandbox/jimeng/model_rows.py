"""What a row of the model table says. The configuration answer and the checks of a submit are both made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Price:
    """Benefit types of one resolution: `price` with a clip among the inputs (and without one where `no_clip` is ""),
    `long` and `long_no_clip` of long videos."""

    resolution: str
    price: str
    no_clip: str = ""
    long: str = ""
    long_no_clip: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """One kind of material: seconds of each one and of all together (0 = a picture), largest file in MB, and the
    remaining limits as the configuration spells them."""

    count: int
    megabytes: int
    formats: tuple[str, ...]
    min_seconds: float = 0
    max_seconds: float = 0
    total_seconds: float = 0
    pixels: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Materials:
    """What reference mode takes. `lead_required`: sounds alone are refused, a picture or a clip must be among them."""

    images: Limit
    total: int
    clips: Limit | None = None
    sounds: Limit | None = None
    lead_required: bool = False


@dataclass(frozen=True, slots=True)
class Seconds:
    """Whole seconds of output. `in_ms`: the configuration has a slider of milliseconds beside the frames."""

    first: int
    last: int
    in_ms: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one site.

    `resolutions`: the option's values, the default first. `inputs`: the values of `input_media_type`.
    `benefit`: `commercial_config.default`; `clip_benefit`: `format_conf.unified_edit_input_video`; `by_resolution`:
    `format_conf` of a model whose `format` is `{resolution}`. `also` and `also_with_clip`: benefit types beyond the
    rule that a capture shows accepted at the default resolution. `prompt_chars` 0 = the entry names no limit.
    """

    key: str
    name: str
    source: str
    resolutions: tuple[str, ...]
    seconds: Seconds
    inputs: tuple[str, ...]
    benefit: str
    tip: str = ""
    icon_tag: str = ""
    ratios: tuple[str, ...] = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
    ratio_default: int = 1
    prices: tuple[Price, ...] = ()
    clip_benefit: str = ""
    by_resolution: Mapping[str, str] = field(default_factory=dict, hash=False)
    also: tuple[str, ...] = ()
    also_with_clip: tuple[str, ...] = ()
    materials: Materials | None = None
    prompt_chars: int = 0
    cancellable: bool = True
    draft_mode: bool = False
    long_seconds: tuple[int, int] | None = None
    switch_to: str = ""
    confirmation: bool = False
    audit_policy: str = "video_generate_normal_policy"
    mutex: tuple[str, str] | None = None

    def price(self, resolution: str) -> Price | None:
        """The row of the price list, None where the list has none."""
        return next((price for price in self.prices if price.resolution == resolution), None)

    def benefits(self, resolution: str, *, with_clip: bool) -> frozenset[str]:
        """The benefit types a submit may name.

        The rule follows from the configuration of 2026-08-30 and submits captured 2026-09-18 to 09-30. Without a clip
        `price` is accepted beside `no_input_video_price`: a submit of Seedance 2.5 on 2026-09-30 named it and was
        charged.
        """
        price = self.price(resolution)
        if price is not None:
            named = {price.price} if with_clip else {price.price, price.no_clip} - {""}
        elif with_clip and self.clip_benefit:
            named = {self.clip_benefit}
        else:
            named = {self.by_resolution.get(resolution, self.benefit)}
        if resolution == self.resolutions[0]:
            named |= set(self.also_with_clip if with_clip else self.also)
        return frozenset(named)
