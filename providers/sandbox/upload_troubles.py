"""What an upload suffers when the file itself asks for it: `#lost-upload`, `#bad-upload`."""

import hashlib
from collections import Counter

from starlette.responses import Response
from starlette.types import ASGIApp

from providers.sandbox.answers import lost
from providers.sandbox.media import Sample
from providers.sandbox.outcomes import read_marks


class UploadTroubles:
    """Counts the uploads of each file by each account, so that `#times=N` spares the later ones."""

    def __init__(self) -> None:
        self._tries: Counter[tuple[str, bytes]] = Counter()

    def ordered(self, account: str, sample: Sample, failure: Response) -> ASGIApp | None:
        """The answer that a file orders by its beginning: none at all, or `failure`. None = take it.

        To be asked once for an upload: it counts.
        """
        marks = read_marks(sample.head)
        if not {"lost-upload", "bad-upload"} & marks.keys():
            return None
        key = (account, hashlib.sha256(sample.head).digest())
        self._tries[key] += 1
        if "times" in marks and self._tries[key] > int(marks["times"]):
            return None
        return lost if "lost-upload" in marks else failure
