"""Parse the account calls of the site: login, credits, daily credits. Pure."""

from typing import Any

from providers.contract.accounts import Credits
from providers.jimeng.history import Envelope
from providers.jimeng.site.lenient_json import dig, id_text, integer


def parse_alive(answer: Envelope) -> bool | None:
    """Whether a successful response names a user; None if it names none and may not come from the site.

    A bare response is its own data; that of the passport call has also been seen with `data` inside.
    """
    data = answer.data
    if id_text(dig(data, "user_id")) or (answer.bare and id_text(dig(data, "data", "user_id"))):
        return True
    return None if answer.bare else False


def parse_credits(data: Any) -> Credits | None:
    """The credits in a successful response, 0 for each that is missing or invalid; None without any."""
    found = dig(data, "credit")
    if not isinstance(found, dict):
        return None
    return Credits(
        gift=_amount(found.get("gift_credit")),
        purchase=_amount(found.get("purchase_credit")),
        vip=_amount(found.get("vip_credit")),
    )


def parse_received(answer: Envelope) -> int | None:
    """The credits received by a successful response, 0 if it names none; None for a bare response without them."""
    if answer.bare and dig(answer.data, "receive_quota") is None:
        return None
    return _amount(dig(answer.data, "receive_quota"))


def _amount(value: Any) -> int:
    return max(integer(value) or 0, 0)
