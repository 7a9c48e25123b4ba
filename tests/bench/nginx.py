"""nginx in two parts: as the upstream, and as the plain reverse proxy that others are compared with."""

import os
from pathlib import Path

from tests.bench import wire

_MAIN = """\
worker_processes 1;
daemon off;
{user}
pid {name}.pid;
error_log {name}.err;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  client_body_temp_path {name}-body;
  proxy_temp_path {name}-proxy;
  fastcgi_temp_path {name}-fastcgi;
  uwsgi_temp_path {name}-uwsgi;
  scgi_temp_path {name}-scgi;
{http}
}}
"""

# The first digit of a new id is 0, since one that begins with f is finished.
_UPSTREAM = """\
  map $request_id $uuid {{ "~^.(.{{7}})(.{{4}})(.{{4}})(.{{4}})(.{{12}})$" "0$1-$2-$3-$4-$5"; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    default_type application/json;
    root files;
    location ~ ^{tasks}(?<id>f.+)$ {{ return 200 {succeeded}; }}
    location ~ ^{tasks}(?<id>.+)$ {{ return 200 {running}; }}
    location = {submit} {{ return 200 {pending}; }}
    location = {file} {{ default_type video/mp4; }}
  }}"""

# Without a limit of 0 a large file would be written to disk on its way.
_PROXY = """\
  upstream behind {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; keepalive_timeout 600s; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
    }}
  }}"""


def upstream_command(nginx: str, folder: Path, port: int) -> list[str]:
    """The command of an upstream on `port`, its configuration written into `folder`."""
    return _command(
        nginx,
        folder,
        "upstream",
        _UPSTREAM.format(
            port=port,
            tasks=wire.TASKS_PATH,
            submit=wire.SUBMIT_PATH,
            file=wire.FILE_PATH,
            running=_quoted(wire.running("$id")),
            succeeded=_quoted(wire.succeeded("$id", port)),
            pending=_quoted(wire.pending("$uuid")),
        ),
    )


def proxy_command(nginx: str, folder: Path, port: int, upstream: int) -> list[str]:
    """The command of a reverse proxy on `port` before `upstream`."""
    return _command(nginx, folder, "proxy", _PROXY.format(port=port, upstream=upstream))


def _command(nginx: str, folder: Path, name: str, http: str) -> list[str]:
    # Workers of a root's nginx are nobody's else, and nobody may read a temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / f"{name}.conf"
    file.write_text(_MAIN.format(name=folder / name, user=user, http=http), "utf-8")
    return [nginx, "-p", str(folder), "-c", str(file), "-e", str(folder / f"{name}.err")]


def _quoted(text: str) -> str:
    """JSON as nginx reads it; none here has an apostrophe."""
    return f"'{text}'"
