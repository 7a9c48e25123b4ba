"""`python -m gateway`: the same as the command `video-gateway`."""

from gateway.cli import main

# Worker processes import this file once more.
if __name__ == "__main__":
    raise SystemExit(main())
