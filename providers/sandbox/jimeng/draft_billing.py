"""What a submit names to be billed as: `extend` beside the draft."""

from typing import Any

from providers.sandbox.jimeng.draft_json import as_object
from providers.sandbox.jimeng.errors import need
from providers.sandbox.jimeng.model_rows import Model
from providers.sandbox.jimeng.sites import Site

Json = dict[str, Any]

WITHOUT_COMMERCE: frozenset[Site] = frozenset({"asia"})
"""Sites where a capture shows a submit without any commerce information (autumn 2026, in the page)."""

_RESOURCE = {"resource_id": "generate_video", "resource_id_type": "str", "resource_sub_type": "aigc"}


def check_billing(extend: Json, model: Model, resolution: str, site: Site, *, with_clip: bool) -> None:
    """The benefit type belongs to model, resolution and inputs. Raises `Refused`.

    `amount` is the seconds of output and clips where programs send it, and is not what is charged (2026-09-18): any
    number will do, and so will none. `workspace_id` is optional everywhere.
    """
    given = extend.get("m_video_commerce_info")
    if given is None and site in WITHOUT_COMMERCE and "m_video_commerce_info_list" not in extend:
        return
    info = as_object(given, "m_video_commerce_info")
    need(all(info.get(name) == value for name, value in _RESOURCE.items()), "resource of the commerce info")
    amount = info.get("amount", 0)
    need(isinstance(amount, int | float) and not isinstance(amount, bool) and amount >= 0, "amount")
    expected = model.benefits(resolution, with_clip=with_clip)
    benefit = info.get("benefit_type")
    need(
        isinstance(benefit, str) and benefit in expected,
        f"benefit_type {benefit}: for this model, resolution and input it is {' or '.join(sorted(expected))}",
    )
    need(extend.get("m_video_commerce_info_list") == [info], "m_video_commerce_info_list")
