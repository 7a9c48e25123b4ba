"""An example for the help text of each command."""

EXAMPLES = {
    "serve": "video-gateway serve --sandbox",
    "demo": "video-gateway demo --out /tmp",
    "sandbox": "video-gateway sandbox --port 5199",
    "submit": "video-gateway submit 'a cat on the beach' -m wan2.6-t2v -o cat.mp4",
    "status": "video-gateway status TASK_ID",
    "watch": "video-gateway watch TASK_ID",
    "cancel": "video-gateway cancel TASK_ID",
    "download": "video-gateway download TASK_ID -o cat.mp4 --wait",
    "models": "video-gateway models --json",
    "archive": "video-gateway archive --recent",
    "probe": "video-gateway probe main -o report.json",
    "config": "video-gateway config --config gateway.toml",
    "accounts list": "video-gateway accounts",
    "accounts check": "video-gateway accounts check main",
    "accounts points": "video-gateway accounts points",
    "accounts receive": "video-gateway accounts receive",
    "accounts pause": "video-gateway accounts pause main",
    "accounts resume": "video-gateway accounts resume main",
}


def epilog_of(command: str) -> str:
    """The last lines of the help text of a command."""
    return f"Example: {EXAMPLES[command]}"
