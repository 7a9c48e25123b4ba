"""What a load consists of: requests written out once, so that sending one costs next to nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import wire

UNIQUE = "{uuid}"
"""In a path it stands for the id of a running task that no other request of any load asks for."""

_COUNTER_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Requests:
    """`paths` are asked for in turn; UNIQUE may stand in one that is the only one."""

    paths: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: str = ""

    def texts(self, port: int) -> list[str]:
        """The requests as they go over the wire."""
        headers = {"Host": f"127.0.0.1:{port}", **self.headers}
        if self.body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(self.body.encode()))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return [f"{self.method} {path} HTTP/1.1\r\n{lines}\r\n{self.body}" for path in self.paths]

    def parts(self, port: int) -> tuple[str, str] | None:
        """What stands before and behind the last 12 digits of a unique id, which count; None where there is none."""
        if len(self.paths) != 1 or UNIQUE not in self.paths[0]:
            return None
        head, tail = self.texts(port)[0].split(UNIQUE)
        return head + wire.running_id()[:-_COUNTER_DIGITS], tail

    def one(self, port: int) -> str:
        """The first of them, with an id that is not asked for again."""
        return self.texts(port)[0].replace(UNIQUE, wire.running_id())


@dataclass(frozen=True, slots=True)
class Order:
    """What a load generator of this package is told, by a file. `parts` as above, else `texts`.

    `last_seconds` is how long the last answers are waited for, `rate` the requests per second of a fixed rate.
    """

    port: int
    seconds: float
    connections: int
    texts: list[str] = field(default_factory=list)
    parts: tuple[str, str] | None = None
    last_seconds: float = 10.0
    rate: float = 0.0

    def write(self, file: Path) -> None:
        content = {name: getattr(self, name) for name in self.__slots__}
        file.write_text(json.dumps(content), "utf-8")

    @classmethod
    def read(cls, file: Path) -> "Order":
        content = json.loads(file.read_text("utf-8"))
        parts = content.pop("parts")
        return cls(**content, parts=tuple(parts) if parts else None)


def counted(number: int) -> str:
    """The end of a unique id."""
    return f"{number:0{_COUNTER_DIGITS}x}"
