"""Jimeng's models and numbers, as the sandbox knows them. Kept apart from the provider's own tables on purpose:
the two are written from the wire, not from each other."""

from dataclasses import dataclass
from typing import Literal

Site = Literal["cn", "us", "asia"]

AIDS: dict[str, str] = {"cn": "513695", "us": "513641", "asia": "513641"}
"""The `aid` of a site."""

REGIONS: dict[str, Site] = {"cn": "cn", "us": "us", "hk": "asia", "jp": "asia", "sg": "asia"}
"""The query parameter `region`, lower case → site."""

SIGNED_REGIONS: dict[Site, str] = {"cn": "cn-north-1", "us": "us-east-1", "asia": "ap-southeast-1"}
"""The region in the signature of a site's uploads."""

ALL_SITES: frozenset[Site] = frozenset({"cn", "us", "asia"})
CN_ASIA: frozenset[Site] = frozenset({"cn", "asia"})
CN: frozenset[Site] = frozenset({"cn"})
ASIA: frozenset[Site] = frozenset({"asia"})

RATIOS = frozenset({"1:1", "4:3", "3:4", "16:9", "9:16", "21:9"})


@dataclass(frozen=True, slots=True)
class Model:
    """`resolutions` empty = the model has no resolution field; `benefit` = what it is billed as, `reference_benefit`
    = the same in reference mode, empty = it has no such mode."""

    key: str
    name: str
    sites: frozenset[Site]
    seconds: tuple[int, ...]
    benefit: str
    resolutions: tuple[str, ...] = ()
    reference_benefit: str = ""


_VGFM = "dreamina_ic_generate_video_model_"
_BASIC = "basic_video_operation_vgfm_v_three"
_HD = ("720p", "1080p")

MODELS: dict[str, Model] = {
    model.key: model
    for model in (
        Model(
            "dreamina_seedance_40_pro",
            "Seedance 2.0",
            CN,
            tuple(range(4, 16)),
            "dreamina_video_seedance_20_pro",
            reference_benefit="dreamina_video_seedance_20_video_add",
        ),
        Model(
            "dreamina_seedance_40",
            "Seedance 2.0 Fast",
            CN,
            tuple(range(4, 16)),
            "dreamina_seedance_20_fast",
            reference_benefit="dreamina_seedance_20_fast_with_video",
        ),
        Model(_VGFM + "vgfm_3.5_pro", "3.5 Pro", ALL_SITES, (5, 10, 12), "dreamina_video_seedance_15_pro"),
        Model(_VGFM + "vgfm_3.0_pro", "3.0 Pro", CN_ASIA, (5, 10), _BASIC),
        Model(_VGFM + "vgfm_3.0", "3.0", ALL_SITES, (5, 10), _BASIC, _HD),
        Model(_VGFM + "vgfm_3.0_fast", "3.0 Fast", CN_ASIA, (5, 10), _BASIC, _HD),
        Model(_VGFM + "vgfm_lite", "S2.0", CN_ASIA, (5, 10), _BASIC),
        Model(_VGFM + "vgfm1.0", "S2.0 Pro", CN_ASIA, (5, 10), _BASIC),
        Model("dreamina_veo3_generate_video", "Veo 3", ASIA, (8,), "generate_video_veo3"),
        Model("dreamina_veo3.1_generate_video", "Veo 3.1", ASIA, (8,), "generate_video_veo3.1"),
        Model("dreamina_sora2_generate_video", "Sora 2", ASIA, (4, 8, 12), "generate_video_sora2"),
    )
}

LOGIN, SIGN, PARAMETER, DRAFT, EMPTY, UNSAFE, FAILED = "1015", "1014", "1000", "1002", "2008", "2039", "2002"
DURATION, VALUE, NO_CREDITS, TOO_MANY, TOO_OFTEN, NOT_OPEN = "1161", "1162", "5000", "1010", "1057", "3018"

MESSAGES: dict[str, str] = {
    "0": "success",
    "1": "too frequent",
    "1000": "invalid parameter",
    "1001": "invalid parameter",
    "1002": "invalid draft content",
    "1006": "not enough credits",
    "1010": "too many running tasks",
    "1014": "invalid sign",
    "1015": "login error",
    "1018": "account punished",
    "1019": "shark not pass",
    "1021": "shark not pass",
    "1057": "request too frequent",
    "1063": "content not pass",
    "1159": "copyright not pass",
    "1161": "invalid duration",
    "1162": "invalid value",
    "121101": "daily limit reached",
    "2002": "generate failed",
    "2003": "input text not pass",
    "2004": "input image not pass",
    "2005": "output not pass",
    "2008": "invalid param",
    "2014": "too frequent",
    "2036": "generate failed",
    "2038": "input text not pass",
    "2039": "input image not pass",
    "2041": "output video not pass",
    "2048": "copyright not pass",
    "3018": "model not available",
    "3021": "feature not available",
    "4001": "not enough credits",
    "5000": "not enough credits",
    "5001": "generate failed",
}

REFUSED = "内容未通过审核，请修改后重试"
BROKEN = "生成失败，积分已返还"
STARLING: dict[str, tuple[str, str]] = {
    "2003": ("web_text_violates_community_guidelines_toast", REFUSED),
    "2004": ("web_image_violates_community_guidelines_toast", REFUSED),
    "2005": ("web_output_violates_community_guidelines_toast", REFUSED),
    "2038": ("web_text_violates_community_guidelines_toast", REFUSED),
    "2039": ("web_image_violates_community_guidelines_toast", REFUSED),
    "2041": ("web_output_violates_community_guidelines_toast", REFUSED),
    "2002": ("web_generate_failed_toast", BROKEN),
    "5001": ("web_generate_failed_toast", BROKEN),
}
"""Fail code → (`fail_starling_key`, `fail_starling_message`); a code without a row has neither sentence."""

CREDENTIAL_RETS = {"poor": NO_CREDITS, "banned": "1018", "shark": "1019", "limited": "121101"}
"""The word in a `sessionid` → what its submits are refused with."""
