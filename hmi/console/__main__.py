"""Start the console: `python -m hmi.console --gateway http://127.0.0.1:8420`."""

from __future__ import annotations

import argparse
import sys

from hmi.console.app import run


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m hmi.console", description="The operator console of NeuroTwin.")
    parser.add_argument("--gateway", required=True, metavar="URL", help="the controller's gateway")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=8421, help="port to listen at; 0 takes a free one")
    given = parser.parse_args()
    try:
        run(given.gateway, given.host, given.port)
    except (ValueError, OSError) as fault:
        print(f"console: {fault}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
