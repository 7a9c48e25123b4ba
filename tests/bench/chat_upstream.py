"""An upstream of chat completions as fast as can be: `python -m tests.bench.chat_upstream PORT`.

A body with `"stream":true` is answered with `"n"` events, the first at once and the others 50 ms apart; any other body
with one answer. Each event is an HTTP chunk of its own and holds its number.
"""

import asyncio
import re
import sys
from typing import cast

from tests.bench.answers import number_of

INTERVAL = 0.05
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"qwen-plus","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"' + b"hello " * 40 + b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,'
    b'"completion_tokens":40,"total_tokens":43}}'
)
_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
_COUNT = re.compile(rb'"n":\s*(\d+)')


def event(number: int) -> bytes:
    text = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"qwen-plus","choices":[{'
        b'"index":0,"delta":{"content":"word %06d"},"finish_reason":null}]}\n\n' % number
    )
    return b"%x\r\n%b\r\n" % (len(text), text)


EVENTS = [event(number) for number in range(2000)]


class Upstream(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < (number_of(head.lower(), b"content-length") or 0):
            return
        self._received = b""
        if b'"stream":true' not in body:
            self._transport.write(_WHOLE)
            return
        count = _COUNT.search(body)
        self._left = int(count[1]) if count else 1
        self._number = 0
        self._transport.write(HEAD)
        self._next()

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(EVENTS[self._number])
        self._number += 1
        if self._number == self._left:
            self._transport.write(b"0\r\n\r\n")
        else:
            asyncio.get_running_loop().call_later(INTERVAL, self._next)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=2048)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
