"""The samples of nginx and Caddy, started for real in front of two gateways."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.paths import DEPLOY
from tests.deploy.programs import program
from tests.environment import bare
from tests.ports import reserved

NGINX_MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upstream.conf;
    include {folder}/video-gateway.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """`url` has the path prefix. `read_log` is its access log so far."""

    url: str
    read_log: Callable[[], str]


def changed(text: str, replacements: Mapping[str, str]) -> str:
    """The text of a sample with other values. Each old value must be there once."""
    for old, new in replacements.items():
        assert text.count(old) == 1, f"{old} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def nginx(folder: Path, gateways: tuple[str, str], prefix: str) -> Iterator[RunningProxy]:
    """nginx with the sample as its site. `gateways` are host:port."""
    taken, log = reserved(), folder / "access.log"
    port = int(taken.getsockname()[1])
    samples = DEPLOY / "nginx"
    upstream = dict(zip(("127.0.0.1:5100", "127.0.0.1:5101"), gateways, strict=True))
    (folder / "upstream.conf").write_text(changed((samples / "upstream.conf").read_text("utf-8"), upstream))
    site = {"listen 80;": f"listen 127.0.0.1:{port};", "/var/log/nginx/access.log": str(log)}
    if prefix:
        site["    location / {"] = f"    location {prefix}/ {{"
    (folder / "video-gateway.conf").write_text(changed((samples / "video-gateway.conf").read_text("utf-8"), site))
    # Started by root, its workers would become a user who may not write into the folder.
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX_MAIN.format(folder=folder, user=user))
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with taken, _running(command, folder, port):
        yield RunningProxy(f"http://127.0.0.1:{port}{prefix}", lambda: log.read_text("utf-8"))


@contextlib.contextmanager
def caddy(folder: Path, gateways: tuple[str, str], prefix: str) -> Iterator[RunningProxy]:
    """Caddy with the sample as its configuration. `gateways` are host:port."""
    taken = reserved()
    port = int(taken.getsockname()[1])
    # Its control port is a fixed one.
    replacements = {
        "\n:80 {": f"\nhttp://127.0.0.1:{port} {{",
        "\n{\n": "\n{\n\tadmin off\n",
        "127.0.0.1:5100 127.0.0.1:5101": " ".join(gateways),
    }
    if prefix:
        replacements["\t\treverse_proxy {"] = f"\t\treverse_proxy {prefix}/* {{"
    sample = (DEPLOY / "caddy" / "Caddyfile").read_text("utf-8")
    (folder / "Caddyfile").write_text(changed(sample, replacements))
    command = [program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with taken, _running(command, folder, port):
        yield RunningProxy(f"http://127.0.0.1:{port}{prefix}", lambda: (folder / "output").read_text("utf-8"))


@contextlib.contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    environment = {
        **bare(os.environ),
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            _wait_for(port, process, folder)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the proxy did not start: {(folder / 'output').read_text('utf-8')}")
