"""A client in the manner of the programs that were written for the synchronous Jimeng proxies.

    python synchronous_client.py BASE_URL TOKEN[,TOKEN…] PROMPT [PICTURE]

It submits with one token after the other until an answer has `data[0].url`, and polls nothing. It prints
`{"url", "tried"}` as JSON. With a picture the submit is a form with `image_file_1`. It imports nothing of this project
and needs no library.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATH = "/v1/videos/generations"
BOUNDARY = "a-boundary-of-the-client"


def generate_video(base_url: str, tokens: list[str], prompt: str, picture: bytes = b"") -> dict[str, Any]:
    """The address of the video, None without one, and the tokens that were tried."""
    fields = {
        "model": "jimeng-video-3.0-fast",
        "prompt": prompt,
        "ratio": "16:9",
        "resolution": "720p",
        "duration": 5,
        "response_format": "url",
    }
    tried = []
    for token in tokens:
        tried.append(token)
        answer = post(base_url.rstrip("/") + PATH, token, *(form(fields, picture) if picture else as_json(fields)))
        first = (answer.get("data") or [{}])[0]
        if first.get("url"):
            return {"url": first["url"], "tried": tried}
    return {"url": None, "tried": tried}


def as_json(fields: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps(fields).encode(), "application/json"


def form(fields: dict[str, Any], picture: bytes) -> tuple[bytes, str]:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image_file_1"; filename="a.png"\r\n'
    parts.append(f"{head}Content-Type: image/png\r\n\r\n".encode() + picture + b"\r\n")
    return b"".join((*parts, f"--{BOUNDARY}--\r\n".encode())), f"multipart/form-data; boundary={BOUNDARY}"


def post(url: str, token: str, body: bytes, kind: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        told: dict[str, Any] = json.loads(error.read())
        return told


def main(base_url: str, tokens: str, prompt: str, picture: str = "") -> dict[str, Any]:
    return generate_video(base_url, tokens.split(","), prompt, Path(picture).read_bytes() if picture else b"")


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
