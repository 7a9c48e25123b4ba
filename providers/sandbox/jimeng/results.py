"""A finished task's video: the item of its record, in the forms that the site has had.

"video_model" (default, autumn 2026): `video.video_model`, a JSON text whose addresses are base64 and lead to the file
without a watermark, beside `transcoded_video` by resolution. "transcoded" (captured 2026-09-20): the latter alone.
"origin" (spring 2026): `transcoded_video.origin` alone.
"""

from base64 import b64encode
from typing import Any

import orjson

from providers.sandbox.clips import BEST, COVER, FPS, PREVIEW
from providers.sandbox.files import Files
from providers.sandbox.jimeng.tasks import Task

Json = dict[str, Any]

TRANSCODED, ORIGIN = "transcoded", "origin"
"""The older forms, as `#form=…` names them."""

ITEM_STATUS = 144
"""`common_attr.status`: of the item, not of the run."""


def item(task: Task, base: str, files: Files, *, download: bool = False) -> Json:
    """One result. `#nourl` leaves its video without any address, `#nohd` without the best file.

    `download` = of the best-quality call: there the best file is in `origin` too, and `video_model` lists smaller
    ones beside it.
    """
    form = task.directives.get("form", "")
    modern = form not in (TRANSCODED, ORIGIN)
    clip = files.clips.of(task.history_id)
    cover = files.link(base, task.history_id, COVER, task.directives)
    return {
        "common_attr": {
            "id": task.item_id,
            "effect_type": 53,
            "published_item_id": "",
            "title": "",
            "description": task.draft.prompt,
            "cover_url": cover,
            "item_urls": [""],
            "cover_height": clip.height,
            "cover_width": clip.width,
            "aspect_ratio": clip.width / clip.height,
            "create_time": int(task.ends_at),
            "status": ITEM_STATUS,
            "review_info": {"review_status": 1, "review_code_list": []},
            "local_item_id": task.item_id,
        },
        "video": {
            "video_id": _vid(task),
            "duration": round(clip.seconds),
            "duration_ms": int(clip.seconds * 1000),
            "origin_video": None,
            "transcoded_video": _transcoded(task, base, files, whole=form == ORIGIN, download=download),
            "cover_url": cover,
            "watermark_type": 1,
            "has_audio": False,
            "is_mute": False,
            "thumb": {},
            "duration_info": orjson.dumps({"play_info_duration": clip.seconds}).decode(),
            "video_model": _video_model(task, base, files, download=download) if modern else "",
        },
        "aigc_image_params": {},
        "aigc_draft": {"version": task.draft.version, "uri": ""},
        "gen_result_data": {"result_code": 0, "result_msg": "Success"},
        "extra": {"template_type": "video", "ai_feature": ""},
    }


def _vid(task: Task) -> str:
    return f"v{task.item_id}"


def _link(task: Task, base: str, files: Files, name: str) -> str:
    return "" if "nourl" in task.directives else files.link(base, task.history_id, name, task.directives)


def _transcoded(task: Task, base: str, files: Files, *, whole: bool, download: bool) -> Json:
    clip = files.clips.of(task.history_id)
    if whole or download:
        name = BEST if download else PREVIEW
        return {
            "origin": {
                "vid": _vid(task),
                "fps": FPS,
                "width": clip.width,
                "height": clip.height,
                "video_url": _link(task, base, files, name),
                "format": "mp4",
                "definition": "origin",
                "md5": "",
                "size": clip.size(name),
            }
        }
    sizes = {"360p": (clip.width // 2, clip.height // 2), "720p": (clip.width, clip.height)}
    return {
        name: {
            "vid": _vid(task),
            "fps": FPS,
            "width": width,
            "height": height,
            "video_url": _link(task, base, files, PREVIEW),
        }
        for name, (width, height) in sizes.items()
    }


def _video_model(task: Task, base: str, files: Files, *, download: bool) -> str:
    """The JSON text, with the best file last: `video_1` alone in a record, up to `video_3` in the best-quality call."""
    if {"nourl", "nohd"} & task.directives.keys():
        return ""
    clip, expires = files.clips.of(task.history_id), files.expires_at(task.directives)
    definitions = (("360p", PREVIEW, 2), ("720p", PREVIEW, 1), ("origin", BEST, 1)) if download else (
        ("origin", BEST, 1),
    )  # fmt: skip
    listed = {}
    for number, (definition, name, divisor) in enumerate(definitions, 1):
        address = b64encode(files.link(base, task.history_id, name, task.directives).encode()).decode()
        listed[f"video_{number}"] = {
            "definition": definition,
            "vtype": "mp4",
            "vwidth": clip.width // divisor,
            "vheight": clip.height // divisor,
            "bitrate": round(clip.size(name) * 8 / clip.seconds),
            "fps": FPS,
            "codec_type": "h264",
            "size": clip.size(name),
            "main_url": address,
            "backup_url_1": address,
            "file_id": "",
            "encryption_method": "",
            "url_expire": expires,
        }
    model = {
        "status": 10,
        "video_id": _vid(task),
        "video_duration": clip.seconds,
        "media_type": "video",
        "url_expire": expires,
        "key_seed": "",
        "video_list": listed,
    }
    return orjson.dumps(model).decode()
