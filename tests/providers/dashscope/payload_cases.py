"""Requests and the bodies they become, by protocol."""

from typing import Any

from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.dashscope.request_protocols import IMAGE2VIDEO_PATH, VIDEO_PATH
from providers.media_files import MediaKind

VACE_VIDEO = {"input": {"function": "video_edit", "mask_image_url": "https://h/m.png"}}


def image(url: str = "https://h/i.png", role: MediaRole | None = None) -> Media:
    return Media(MediaKind.IMAGE, url, "image", role)


def video(url: str = "https://h/v.mp4", role: MediaRole | None = None) -> Media:
    return Media(MediaKind.VIDEO, url, "video", role)


def sound(url: str = "https://h/a.mp3", role: MediaRole | None = None) -> Media:
    return Media(MediaKind.AUDIO, url, "audio", role)


LEGACY: list[tuple[str, dict[str, Any], str, dict[str, Any], dict[str, Any]]] = [
    (
        "wan2.5-t2v-preview",
        {
            "negative_prompt": "blurry",
            "sound": sound(),
            "size": "1280x720",
            "duration": 5,
            "prompt_extend": True,
            "watermark": False,
            "seed": 7,
        },
        VIDEO_PATH,
        {"prompt": "p", "negative_prompt": "blurry", "audio_url": "https://h/a.mp3"},
        {"size": "1280*720", "duration": 5, "seed": 7, "prompt_extend": True, "watermark": False},
    ),
    ("wan2.6-t2v", {}, VIDEO_PATH, {"prompt": "p"}, {"size": "1920*1080", "duration": 5}),
    (
        "wan2.6-t2v",
        {"resolution": "720P", "ratio": "3:4", "duration": 15, "shot_type": "multi"},
        VIDEO_PATH,
        {"prompt": "p"},
        {"size": "832*1088", "duration": 15, "shot_type": "multi"},
    ),
    (
        "wan2.6-i2v-flash",
        {"media": (image(),), "audio": True, "resolution": "720p", "shot_type": "multi"},
        VIDEO_PATH,
        {"prompt": "p", "img_url": "https://h/i.png"},
        {"audio": True, "duration": 5, "resolution": "720P", "shot_type": "multi"},
    ),
    (
        "wan2.2-i2v-flash",
        {"media": (image("data:image/png;base64,iVBORw0KGgo="),), "resolution": "480P"},
        VIDEO_PATH,
        {"prompt": "p", "img_url": "data:image/png;base64,iVBORw0KGgo="},
        {"resolution": "480P", "duration": 5},
    ),
    (
        "wan2.6-i2v",
        {"prompt": "", "media": (image(),), "template": "flying", "size": "720x1280", "sound": sound()},
        VIDEO_PATH,
        {"img_url": "https://h/i.png", "template": "flying", "audio_url": "https://h/a.mp3"},
        {"resolution": "720P", "duration": 5},
    ),
    (
        "wan2.2-kf2v-flash",
        {"media": (image("https://h/a.png"), image("https://h/b.png")), "resolution": "720p", "prompt_extend": True},
        IMAGE2VIDEO_PATH,
        {"prompt": "p", "first_frame_url": "https://h/a.png", "last_frame_url": "https://h/b.png"},
        {"prompt_extend": True, "resolution": "720P", "duration": 5},
    ),
    (
        "wan2.6-r2v",
        {"media": (video("https://h/a.mp4"), image("https://h/b.png")), "size": "1280*720", "shot_type": "multi"},
        VIDEO_PATH,
        {"prompt": "p", "reference_urls": ["https://h/a.mp4", "https://h/b.png"]},
        {"size": "1280*720", "duration": 5, "shot_type": "multi"},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (image(role=MediaRole.REFERENCE_IMAGE),), "options": {"obj_or_bg": ["obj"]}},
        VIDEO_PATH,
        {"prompt": "p", "function": "image_reference", "ref_images_url": ["https://h/i.png"]},
        {"obj_or_bg": ["obj"], "size": "1280*720"},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (image(), image("https://h/l.png"))},
        VIDEO_PATH,
        {
            "prompt": "p",
            "function": "video_extension",
            "first_frame_url": "https://h/i.png",
            "last_frame_url": "https://h/l.png",
        },
        {},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (video(role=MediaRole.FIRST_CLIP),)},
        VIDEO_PATH,
        {"prompt": "p", "function": "video_extension", "first_clip_url": "https://h/v.mp4"},
        {},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (image(), video(role=MediaRole.FIRST_CLIP))},
        VIDEO_PATH,
        {
            "prompt": "p",
            "function": "video_extension",
            "last_frame_url": "https://h/i.png",
            "first_clip_url": "https://h/v.mp4",
        },
        {},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (image(role=MediaRole.FIRST_FRAME), video(role=MediaRole.VIDEO)), "options": {"strength": 0.5}},
        VIDEO_PATH,
        {
            "prompt": "p",
            "function": "video_extension",
            "first_frame_url": "https://h/i.png",
            "video_url": "https://h/v.mp4",
        },
        {"strength": 0.5},
    ),
    (
        "wanx2.1-vace-plus",
        {
            "media": (image(role=MediaRole.REFERENCE_IMAGE), video(role=MediaRole.REFERENCE_VIDEO)),
            "options": {"input": {"function": "video_repainting"}},
        },
        VIDEO_PATH,
        {
            "prompt": "p",
            "function": "video_repainting",
            "ref_images_url": ["https://h/i.png"],
            "video_url": "https://h/v.mp4",
        },
        {},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (video(),), "options": VACE_VIDEO},
        VIDEO_PATH,
        {"prompt": "p", "function": "video_edit", "video_url": "https://h/v.mp4", "mask_image_url": "https://h/m.png"},
        {"size": "1280*720"},
    ),
    (
        "wanx2.1-vace-plus",
        {"media": (video(),), "options": {"input": {"function": "video_outpainting"}, "top_scale": 1.5}},
        VIDEO_PATH,
        {"prompt": "p", "function": "video_outpainting", "video_url": "https://h/v.mp4"},
        {"top_scale": 1.5},
    ),
]

MEDIA: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "wan2.7-t2v",
        {"resolution": "720p", "ratio": "9:16", "sound": sound()},
        {"prompt": "p", "audio_url": "https://h/a.mp3"},
        {"duration": 5, "resolution": "720P", "ratio": "9:16"},
    ),
    (
        "wan2.7-t2v",
        {"size": "1104x832"},
        {"prompt": "p"},
        {"duration": 5, "resolution": "720P", "ratio": "4:3"},
    ),
    (
        "wan2.7-i2v",
        {"media": (image("https://h/a.png"),), "sound": sound(), "duration": 10, "size": "1280x720"},
        {
            "prompt": "p",
            "media": [
                {"type": "first_frame", "url": "https://h/a.png"},
                {"type": "driving_audio", "url": "https://h/a.mp3"},
            ],
        },
        {"duration": 10, "resolution": "720P"},
    ),
    (
        "wan3.0-video",
        {"media": (image(),), "reference_mode": True, "sound": sound()},
        {
            "prompt": "p",
            "media": [
                {"type": "reference_image", "url": "https://h/i.png"},
                {"type": "reference_audio", "url": "https://h/a.mp3"},
            ],
        },
        {"duration": 5, "resolution": "1080P", "ratio": "adaptive"},
    ),
    (
        "wan2.7-i2v",
        {"media": (video(role=MediaRole.FIRST_CLIP), image(role=MediaRole.LAST_FRAME))},
        {
            "prompt": "p",
            "media": [
                {"type": "first_clip", "url": "https://h/v.mp4"},
                {"type": "last_frame", "url": "https://h/i.png"},
            ],
        },
        {"duration": 5, "resolution": "1080P"},
    ),
    (
        "wan2.7-r2v",
        {"media": (image(), video()), "reference_mode": True},
        {
            "prompt": "p",
            "media": [
                {"type": "reference_image", "url": "https://h/i.png"},
                {"type": "reference_video", "url": "https://h/v.mp4"},
            ],
        },
        {"duration": 5, "resolution": "1080P", "ratio": "16:9"},
    ),
    (
        "wan2.7-r2v",
        {"media": (image(role=MediaRole.FIRST_FRAME), image("https://h/r.png", MediaRole.REFERENCE_IMAGE))},
        {
            "prompt": "p",
            "media": [
                {"type": "first_frame", "url": "https://h/i.png"},
                {"type": "reference_image", "url": "https://h/r.png"},
            ],
        },
        {"duration": 5, "resolution": "1080P"},
    ),
    (
        "wan2.7-videoedit",
        {"media": (video(),), "negative_prompt": "n", "options": {"audio_setting": "origin"}},
        {"prompt": "p", "negative_prompt": "n", "media": [{"type": "video", "url": "https://h/v.mp4"}]},
        {"duration": 0, "resolution": "1080P", "audio_setting": "origin"},
    ),
    (
        "wan3.0-video",
        {"duration": -1, "audio": False},
        {"prompt": "p"},
        {"duration": -1, "resolution": "1080P", "ratio": "adaptive", "audio": False},
    ),
    (
        "happyhorse-1.1-t2v",
        {"ratio": "21:9"},
        {"prompt": "p"},
        {"duration": 5, "resolution": "1080P", "ratio": "21:9", "watermark": False},
    ),
    (
        "happyhorse-1.0-i2v",
        {"media": (image(),), "watermark": True},
        {"prompt": "p", "media": [{"type": "first_frame", "url": "https://h/i.png"}]},
        {"duration": 5, "resolution": "1080P", "watermark": True},
    ),
    (
        "happyhorse-1.0-video-edit",
        {"media": (video(), image())},
        {
            "prompt": "p",
            "media": [
                {"type": "video", "url": "https://h/v.mp4"},
                {"type": "reference_image", "url": "https://h/i.png"},
            ],
        },
        {"resolution": "1080P", "watermark": False},
    ),
    (
        "kling/kling-v3-video-generation",
        {"resolution": "720p", "ratio": "9:16", "audio": True},
        {"prompt": "p"},
        {"mode": "std", "aspect_ratio": "9:16", "duration": 5, "audio": True},
    ),
    (
        "kling/kling-v3-video-generation",
        {"media": (image(),), "size": "1920x1080"},
        {"prompt": "p", "media": [{"type": "first_frame", "url": "https://h/i.png"}]},
        {"mode": "pro", "duration": 5},
    ),
    (
        "kling/kling-v3-omni-video-generation",
        {"media": (image(), video()), "reference_mode": True, "resolution": "4K"},
        {
            "prompt": "p",
            "media": [{"type": "refer", "url": "https://h/i.png"}, {"type": "feature", "url": "https://h/v.mp4"}],
        },
        {"mode": "4k", "aspect_ratio": "16:9", "duration": 5},
    ),
]

VIDU_PORTRAIT = {"size": "1080*1920", "resolution": "1080P", "duration": 5}
OPEN: list[tuple[str, dict[str, Any], str, dict[str, Any], dict[str, Any] | None]] = [
    ("wan2.9-t2v", {"size": "1280x720"}, VIDEO_PATH, {"prompt": "p"}, {"resolution": "720P", "ratio": "16:9"}),
    ("wan2.9-t2v", {"size": "big"}, VIDEO_PATH, {"prompt": "p"}, None),
    (
        "wan2.9-i2v",
        {"media": (image(),), "size": "1280x720", "sound": sound()},
        VIDEO_PATH,
        {
            "prompt": "p",
            "media": [
                {"type": "first_frame", "url": "https://h/i.png"},
                {"type": "driving_audio", "url": "https://h/a.mp3"},
            ],
        },
        {"resolution": "720P"},
    ),
    ("wan2.6-t2v-next", {"resolution": "720p"}, VIDEO_PATH, {"prompt": "p"}, {"size": "1280*720"}),
    ("wan2.6-t2v-next", {"resolution": "2k"}, VIDEO_PATH, {"prompt": "p"}, {"resolution": "2K"}),
    ("wan2.6-t2v-next", {"ratio": "1:1"}, VIDEO_PATH, {"prompt": "p"}, {"ratio": "1:1"}),
    (
        "wan2.6-r2v-next",
        {"media": (image(),)},
        VIDEO_PATH,
        {"prompt": "p", "reference_urls": ["https://h/i.png"]},
        None,
    ),
    (
        "vidu/viduq3",
        {"media": (image(), image("https://h/2.png")), "resolution": "540p", "size": "960x540", "duration": 8},
        VIDEO_PATH,
        {"prompt": "p", "media": [{"type": "image", "url": f"https://h/{name}.png"} for name in ("i", "2")]},
        {"size": "960*540", "resolution": "540P", "duration": 8},
    ),
    ("vidu/viduq9_text2video", {"ratio": "9:16", "resolution": "1080p"}, VIDEO_PATH, {"prompt": "p"}, VIDU_PORTRAIT),
    ("vidu/viduq9_text2video", {"size": "1080x1920"}, VIDEO_PATH, {"prompt": "p"}, VIDU_PORTRAIT),
    (
        "vidu/viduq9_text2video",
        {"ratio": "1:1"},
        VIDEO_PATH,
        {"prompt": "p"},
        {"size": "1280*1280", "resolution": "720P", "duration": 5},
    ),
    ("vidu/viduq9_text2video", {}, VIDEO_PATH, {"prompt": "p"}, {"duration": 5}),
    (
        "vidu/viduq9_img2video",
        {"media": (image(),), "size": "1080x1920"},
        VIDEO_PATH,
        {"prompt": "p", "media": [{"type": "image", "url": "https://h/i.png"}]},
        {"resolution": "1080P", "duration": 5},
    ),
    ("pixverse/pixverse-v9-t2v", {}, VIDEO_PATH, {"prompt": "p"}, {"size": "1280*720", "duration": 5}),
    (
        "pixverse/pixverse-v9-t2v",
        {"resolution": "1080p", "ratio": "4:3", "duration": 9},
        VIDEO_PATH,
        {"prompt": "p"},
        {"size": "1664*1248", "duration": 9},
    ),
    (
        "pixverse/pixverse-v9-it2v",
        {"media": (image(),), "size": "1664x1248"},
        VIDEO_PATH,
        {"prompt": "p", "media": [{"type": "image_url", "url": "https://h/i.png"}]},
        {"resolution": "1080P", "duration": 5},
    ),
    (
        "pixverse/pixverse-v9-r2v-omni",
        {"media": (video(role=MediaRole.REFERENCE_VIDEO),), "duration": 0},
        VIDEO_PATH,
        {"prompt": "p", "media": [{"type": "video_url", "url": "https://h/v.mp4"}]},
        {"resolution": "720P", "aspect_ratio": "16:9", "duration": 0},
    ),
    (
        "pixverse/pixverse-lipsync",
        {"prompt": "", "media": (video(), sound())},
        VIDEO_PATH,
        {
            "media": [
                {"type": "video_url", "url": "https://h/v.mp4"},
                {"type": "audio_url", "url": "https://h/a.mp3"},
            ]
        },
        None,
    ),
    ("kling/kling-v9-video-generation", {}, VIDEO_PATH, {"prompt": "p"}, {"aspect_ratio": "16:9"}),
    (
        "kling/kling-v9-video-generation",
        {"media": (image(),), "resolution": "4k"},
        VIDEO_PATH,
        {"prompt": "p", "media": [{"type": "first_frame", "url": "https://h/i.png"}]},
        {"mode": "4k"},
    ),
    (
        "MiniMax/MiniMax-H9",
        {"media": (image(role=MediaRole.REFERENCE_IMAGE),), "resolution": "2k", "sound": sound()},
        VIDEO_PATH,
        {
            "prompt": "p",
            "media": [
                {"type": "image_url", "url": "https://h/i.png"},
                {"type": "driving_audio", "url": "https://h/a.mp3"},
            ],
        },
        {"resolution": "2K", "duration": 5},
    ),
    (
        "wan2.2-s2v",
        {"prompt": "", "media": (image(),), "sound": sound(), "resolution": "480p"},
        IMAGE2VIDEO_PATH,
        {"image_url": "https://h/i.png", "audio_url": "https://h/a.mp3"},
        {"resolution": "480P"},
    ),
    (
        "wan2.2-animate-mix",
        {"prompt": "", "media": (image(), video()), "watermark": False, "options": {"mode": "wan-std"}},
        IMAGE2VIDEO_PATH,
        {"image_url": "https://h/i.png", "video_url": "https://h/v.mp4", "watermark": False},
        {"mode": "wan-std"},
    ),
    (
        "emo-v1",
        {
            "prompt": "",
            "media": (image(), sound()),
            "options": {"input": {"face_bbox": [1, 2, 3, 4]}, "style_level": "calm"},
        },
        IMAGE2VIDEO_PATH,
        {"image_url": "https://h/i.png", "audio_url": "https://h/a.mp3", "face_bbox": [1, 2, 3, 4]},
        {"style_level": "calm"},
    ),
    (
        "videoretalk",
        {"prompt": "", "media": (video(), sound(), image())},
        IMAGE2VIDEO_PATH,
        {"video_url": "https://h/v.mp4", "audio_url": "https://h/a.mp3", "ref_image_url": "https://h/i.png"},
        None,
    ),
    ("video-style-transform", {"prompt": "", "media": (video(),)}, VIDEO_PATH, {"video_url": "https://h/v.mp4"}, None),
]
