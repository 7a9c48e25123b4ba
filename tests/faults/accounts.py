"""The token routes under faults."""

import httpx

from tests.faults.rows import Outcome
from tests.faults.stand import Stand, shown


def check(stand: Stand) -> Outcome:
    """POST /token/check with a credential that is valid."""
    return _answered(stand, "check")


def points(stand: Stand) -> Outcome:
    """POST /token/points of an account with credits."""
    return _answered(stand, "points")


def receive(stand: Stand) -> Outcome:
    """POST /token/receive of an account that has not received today's credits."""
    return _answered(stand, "receive")


def _answered(stand: Stand, route: str) -> Outcome:
    stand.new_credentials()
    stand.break_it()
    answer = _post(stand, route)
    outcome = Outcome(_row(answer))
    stand.mend()
    stand.pass_time(answer)
    outcome.repeated = _row(_post(stand, route))
    outcome.charges = stand.charges()
    return outcome


def _post(stand: Stand, route: str) -> httpx.Response:
    return stand.client.post(f"/token/{route}", headers=stand.headers(cache_control="no-cache"))


def _row(answer: httpx.Response) -> str:
    """`200 live`, `200 points`, `200 received`, or the code of the error in the row: `row upstream_error`."""
    if answer.status_code != 200:
        return shown(answer)
    body = answer.json()
    row = body[0] if isinstance(body, list) else body
    if "error_code" in row:
        return f"row {row['error_code']}"
    if "live" in row:
        return "200 live" if row["live"] else "200 DEAD"
    return "200 received" if "received" in row else "200 points" if row.get("points") else f"200 {row}"
