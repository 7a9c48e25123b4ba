"""The site's answers around their data: `{"ret","errmsg","systime","logid","data"}`, HTTP 200 whatever they say."""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from providers.sandbox.jimeng.errors import MESSAGES, SHARK, Refused, refused_data
from providers.sandbox.jimeng.sites import Site

Json = dict[str, Any]


def json_response(body: Json, status: int = 200) -> Response:
    """A body as JSON."""
    return Response(orjson.dumps(body), status, media_type="application/json")


class Envelopes:
    """Makes answers at the sandbox's own time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def _head(self, ret: str, message: str) -> Json:
        return {"ret": ret, "errmsg": message, "systime": str(int(self._clock()))}

    def log_id(self) -> str:
        """A fresh `logid`: the second in UTC and a random end."""
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper()

    def answer(self, data: Any, ret: str = "0", message: str = "", log_id: str = "") -> Response:
        """An envelope with its data; `log_id` "" makes one."""
        head = self._head(ret, message or MESSAGES.get(ret, "unknown error"))
        return json_response({**head, "logid": log_id or self.log_id(), "data": data})

    def refuse(self, refused: Refused, *, submit: bool = False) -> Response:
        """An error envelope; `submit` = of the generate call, whose data names the reason again."""
        ret = refused.ret
        if ret == SHARK:
            # The one refusal whose number is a JSON number, and which has nothing else (2026-06).
            return json_response({"ret": int(ret), "errmsg": MESSAGES[ret]})
        message = refused.message or MESSAGES.get(ret, "refused")
        message = f"{message}: {refused.detail}" if refused.detail else message
        return self.answer(refused_data(ret, submit=submit), ret, message)

    def commerce(self, data: Json, site: Site) -> Response:
        """An answer of `/commerce`: on the mainland the usual envelope; abroad `log_id`, and the data as text in
        `response` with a `sign`, in Asia beside the data (2026-08-30), in America alone (2026-10-01)."""
        if site == "cn":
            return self.answer(data)
        text = orjson.dumps(data)
        body = {
            **self._head("0", "success"),
            "log_id": self.log_id(),
            "response": text.decode(),
            "sign": b64encode(hashlib.sha256(text).digest()).decode(),
        }
        return json_response(body if site == "us" else {**body, "data": data})
