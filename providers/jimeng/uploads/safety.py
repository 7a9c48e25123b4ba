"""The site's safety checks of uploaded images, made before a generation. Pure."""

from typing import Any

import orjson

CHECK_PATH = "/mweb/v1/algo_proxy"
"""Of the mainland site."""
AUDIT_PATH = "/mweb/v1/imagex/submit_audit_job"
"""Of every site: captured on the mainland site (2026-06-10) and on the SG site (autumn 2026)."""


def check_query() -> dict[str, str]:
    """The additional query of the check: where on the site's page the image was added, in the page's own words (clients
    since 2026-02; every client read sends these)."""
    origin = {
        "scenario": "image_video_generation",
        "feature_key": "aigc_to_image",
        "feature_entrance": "to-generate",
        "feature_entrance_detail": "to-generate-algo_proxy",
    }
    return {"babi_param": orjson.dumps(origin).decode()}


def check_body(uri: str) -> dict[str, Any]:
    return {
        "scene": "image_face_ip",
        "options": {"ip_check": True},
        "req_key": "benchmark_test_user_upload_image_input",
        "file_list": [{"file_uri": uri}],
        "req_params": {},
    }


def audit_body(uri: str) -> dict[str, Any]:
    """A successful response may have an empty `ret`."""
    return {"uri_list": [uri]}
