"""What all tests share: they trust no certificate of the world's, which are read anew for every client that is made
(a third of the time of the tests over HTTP) and which nothing on loopback needs."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import trustme

_DIRECTORY = Path(tempfile.mkdtemp(prefix="video-gateway-tests-"))
atexit.register(shutil.rmtree, _DIRECTORY, ignore_errors=True)

# Set before anything else is imported: aiohttp reads it when it is. Processes that tests start inherit it.
os.environ["SSL_CERT_FILE"] = str(_DIRECTORY / "roots.pem")
trustme.CA().cert_pem.write_to_path(os.environ["SSL_CERT_FILE"])
