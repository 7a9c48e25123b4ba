"""What the site says of an account itself: whether its login is alive, what it has left, what today's gift is. Pure."""

from typing import Any

from providers.contract.accounts import Credits
from providers.jimeng.history import Envelope
from providers.jimeng.site.lenient_json import dig, id_text, integer


def parse_alive(answer: Envelope) -> bool | None:
    """Whether a successful answer names a user; None when it names none and nothing says that it is the site's.

    A bare answer is its own data by the wire reference; the passport's has been seen with a `data` inside as well.
    """
    data = answer.data
    if id_text(dig(data, "user_id")) or (answer.bare and id_text(dig(data, "data", "user_id"))):
        return True
    return None if answer.bare else False


def parse_credits(data: Any) -> Credits | None:
    """The credits in a successful answer, 0 for each that is missing or odd; None when it tells of none at all."""
    found = dig(data, "credit")
    if not isinstance(found, dict):
        return None
    return Credits(
        gift=_amount(found.get("gift_credit")),
        purchase=_amount(found.get("purchase_credit")),
        vip=_amount(found.get("vip_credit")),
    )


def parse_received(answer: Envelope) -> int | None:
    """The credits that a successful answer says were received, 0 where it names none; None for a bare answer then."""
    if answer.bare and dig(answer.data, "receive_quota") is None:
        return None
    return _amount(dig(answer.data, "receive_quota"))


def _amount(value: Any) -> int:
    return max(integer(value) or 0, 0)
