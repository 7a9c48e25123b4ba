"""Upload faults chosen by directives in the file: `#lost-upload`, `#bad-upload`."""

import hashlib
from collections import Counter

from starlette.responses import Response
from starlette.types import ASGIApp

from providers.sandbox.answers import lost
from providers.sandbox.directives import read_file_directives
from providers.sandbox.media import Sample


class UploadFaults:
    """Counts the uploads of each file by each account, so that `#times=N` affects only the first ones."""

    def __init__(self) -> None:
        self._attempts: Counter[tuple[str, bytes]] = Counter()

    def response_for(self, account: str, sample: Sample, failure: Response) -> ASGIApp | None:
        """The faulty response that the file's directives choose: a lost connection or `failure`. None = accept it.

        Call it once per upload: it counts.
        """
        directives = read_file_directives(sample.head)
        if not {"lost-upload", "bad-upload"} & directives.keys():
            return None
        key = (account, hashlib.sha256(sample.head).digest())
        self._attempts[key] += 1
        if "times" in directives and self._attempts[key] > int(directives["times"]):
            return None
        return lost if "lost-upload" in directives else failure
