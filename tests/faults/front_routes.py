"""Faults between a reverse proxy in front and its two gateways: which ones, and what is expected.

The proxy repeats only what it could not send. So a client that gets no answer repeats the request itself, and the
repeat has to reach the gateway that had the first, which alone knows of it where the upstream cannot be asked.
"""

from tests.faults import submits, tasks
from tests.faults.catalog import LOST, SENDING, UNREACHED, Kind, Upstream
from tests.faults.relay import Stage
from tests.faults.rows import Expectation, Gateways, Route, Target

_SUBMITS: dict[Upstream, Target] = dict.fromkeys(("jimeng", "dashscope"), Target(("/v1/videos/generations",), "POST"))
_POLLS: dict[Upstream, Target] = dict.fromkeys(("jimeng", "dashscope"), Target(("/v1/videos/tasks/",), "GET"))

_NO_ANSWER = Expectation(("502 text/html",), charges=(1,))
_OTHER_GATEWAY = Expectation(("200",), charges=(1,))
_POLLED = Expectation(("200 pending", "200 processing", "200 completed"), charges=(1,))
_REFUSED = UNREACHED[:1]
_EITHER: tuple[Gateways, ...] = ("first", "second")
_BROKEN = (*LOST, *(fault for fault in SENDING if not fault.waits))

FRONT: tuple[Route, ...] = (
    *(
        Route(
            f"gateway's answer lost, {name}",
            submits.text_submit,
            faults,
            _SUBMITS,
            {Kind.SENT: _NO_ANSWER},
            stage=stage,
            times=1,
            in_front="both",
        )
        for name, faults, stage in (("accepted", LOST, Stage.AFTER), ("not accepted", _BROKEN, Stage.BEFORE))
    ),
    *(
        Route(
            f"{gateway} gateway down",
            submits.text_submit,
            UNREACHED,
            _SUBMITS,
            {Kind.NOT_SENT: _OTHER_GATEWAY},
            in_front=gateway,
        )
        for gateway in _EITHER
    ),
    Route("no gateway", submits.text_submit, _REFUSED, _SUBMITS, {Kind.NOT_SENT: _NO_ANSWER}, in_front="both"),
    Route(
        "poll, gateway's answer lost",
        tasks.poll,
        _BROKEN,
        _POLLS,
        # A GET is sent to the other gateway.
        {Kind.SENT: _POLLED},
        times=1,
        in_front="both",
    ),
)
