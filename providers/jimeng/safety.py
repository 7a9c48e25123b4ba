"""The site's check of an uploaded picture, which the domestic site makes before it generates anything from it. Pure."""

from typing import Any

import orjson

CHECK_PATH = "/mweb/v1/algo_proxy"


def check_query() -> dict[str, str]:
    """What the check's query carries besides the usual: where on the site's page the picture was put in.

    What `babi_param` has to hold is written down nowhere; this is what a page for video would say.
    """
    place = {
        "scenario": "image_video_generation",
        "feature_key": "aigc_to_video",
        "feature_entrance": "to_video",
        "feature_entrance_detail": "to_video-first_frame",
    }
    return {"babi_param": orjson.dumps(place).decode()}


def check_body(uri: str) -> dict[str, Any]:
    return {
        "scene": "image_face_ip",
        "options": {"ip_check": True},
        "req_key": "benchmark_test_user_upload_image_input",
        "file_list": [{"file_uri": uri}],
        "req_params": {},
    }
