"""Programs of others that speak to an upstream or a gateway, run in an environment of their own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e import journeys
from tests.environment import bare

Json = dict[str, Any]

JOURNEYS = Path(journeys.__file__).parent


def run(command: list[str], cases: Json, **environment: str) -> Json:
    """The output of a journey for each case of its JSON input."""
    env = bare(os.environ) | {"NO_PROXY": "*"} | environment
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=110, env=env
    )
    assert done.returncode == 0, done.stderr
    seen: Json = json.loads(done.stdout)
    assert seen.keys() == cases.keys()
    return seen


def errors(seen: Json) -> Json:
    """The failed cases with their errors."""
    return {name: one["error"] for name, one in seen.items() if "error" in one}


def is_film(path: Path) -> bool:
    """True for a file with the header of an MP4."""
    return path.is_file() and path.read_bytes()[4:8] == b"ftyp"
