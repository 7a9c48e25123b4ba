"""What all tests share: an environment without what a gateway reads, and without the certificates of the world.

Those would be read anew for every client that is made (a third of the time of the tests over HTTP), and nothing on
loopback needs them.
"""

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import trustme
from hypothesis import settings

from tests.environment import bare

_DIRECTORY = Path(tempfile.mkdtemp(prefix="video-gateway-tests-"))
atexit.register(shutil.rmtree, _DIRECTORY, ignore_errors=True)

for name in os.environ.keys() - bare(os.environ).keys():
    del os.environ[name]

# Set before anything else is imported: aiohttp reads it when it is. Processes that tests start inherit it.
os.environ["SSL_CERT_FILE"] = str(_DIRECTORY / "roots.pem")
trustme.CA().cert_pem.write_to_path(os.environ["SSL_CERT_FILE"])

# A busy machine is no failure: how long an example takes is not what property tests check.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


def pytest_configure() -> None:
    """Collecting makes millions of objects that stay: to look for garbage among them takes half of the time."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on garbage is collected, without looking at the tests themselves each time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
