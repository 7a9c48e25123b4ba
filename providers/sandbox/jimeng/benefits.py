"""The account's calls: credits, their log, the daily grant, account info, workspaces."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp

from providers.sandbox.answers import PAGE
from providers.sandbox.jimeng.access import CREDIT, CREDIT_HISTORY, CREDIT_RECEIVE, Call
from providers.sandbox.jimeng.accounts import GAIN, SPEND, credit_log_row
from providers.sandbox.jimeng.envelopes import Envelopes
from providers.sandbox.jimeng.errors import PARAMETER, Refused, need
from providers.sandbox.settings import SandboxSettings

Json = dict[str, Any]

_DAY_ZONE = timedelta(hours=8)


class Benefits:
    """The account's calls."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], envelopes: Envelopes) -> None:
        self._settings = settings
        self._clock = clock
        self._envelopes = envelopes

    def calls(self) -> dict[str, Callable[[Call], ASGIApp]]:
        """Path → what answers it."""
        return {
            CREDIT: self._credit,
            CREDIT_HISTORY: self._credit_history,
            CREDIT_RECEIVE: self._credit_receive,
            "/passport/account/info/v2": self._account_info,
            "/mweb/v1/workspace/list": self._workspaces,
        }

    def _credit(self, call: Call) -> ASGIApp:
        left, day_ends = call.account.gift_credit, int(self._clock()) + 86_400
        gifts = [{"residual_credits": left, "credits_life_end": day_ends}] if left else []
        data = {
            "credit": {"vip_credit": 0, "gift_credit": left, "purchase_credit": 0},
            "expiring_credits": [{"credit_amount": left, "expire_time": day_ends}] if left else [],
            "credits_detail": {"gift_credits": gifts, "credits": []},
        }
        return self._envelopes.commerce(data, call.site)

    def _credit_history(self, call: Call) -> ASGIApp:
        body = call.body
        try:
            count, start = int(body.get("count", 20)), int(body.get("cursor", "0"))
        except (TypeError, ValueError):
            raise Refused(PARAMETER, "count or cursor") from None
        kind = body.get("history_type", 0)
        need(kind in (0, GAIN, SPEND), "history_type")
        rows = [row for row in call.account.credit_log[::-1] if not kind or row["history_type"] == kind]
        page = rows[start : start + count]
        data = {
            "total_credit": call.account.gift_credit,
            "records": page,
            "new_cursor": str(start + len(page)),
            "has_more": start + len(page) < len(rows),
        }
        return self._envelopes.commerce(data, call.site)

    def _credit_receive(self, call: Call) -> ASGIApp:
        account, zone = call.account, call.body.get("time_zone")
        need(isinstance(zone, str) and zone, "time_zone")
        now = self._clock()
        today = (datetime.fromtimestamp(now, UTC) + _DAY_ZONE).date().isoformat()
        first = not account.received_on
        quota = 0 if account.received_on == today else self._settings.credits
        if quota:
            account.received_on = today
            account.gift_credit += quota
            account.credit_log.append(credit_log_row(GAIN, quota, now, "每日赠送"))
        data = {
            "receive_quota": quota,
            "cur_total_credits": account.gift_credit,
            "is_first_receive": first and bool(quota),
        }
        return self._envelopes.commerce(data, call.site)

    def _account_info(self, call: Call) -> ASGIApp:
        """The sites abroad have no passport below this host (2026-11): their gateway answers 404 with a page."""
        if call.site != "cn":
            return HTMLResponse(PAGE, 404)
        user_id = call.account.user_id
        data = {"user_id": int(user_id), "user_id_str": user_id, "name": f"user{user_id[:6]}"}
        return self._envelopes.answer(data)

    def _workspaces(self, call: Call) -> ASGIApp:
        workspace = {"workspace_id": f"7{call.account.user_id}", "name": "My workspace"}
        return self._envelopes.answer({"workspaces": [workspace]})
